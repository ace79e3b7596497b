import math

import pytest
import torch

from godeeper import create_model
from godeeper.train.loss import ClassificationLoss


def test_uniform_logits_cost_log_classes_and_each_head_adds_three_tenths():
    network = create_model("googlenet", num_classes=4, width=0.25, small=True, aux=True).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("linear.weight"):
            torch.nn.init.zeros_(parameter)
    logits, auxiliary = network.with_auxiliary(torch.randn(3, 3, 32, 32))
    loss = ClassificationLoss(auxiliary_weight=0.3)(logits, torch.tensor([0, 1, 3]), auxiliary)
    assert logits.shape == (3, 4)
    assert loss.item() == pytest.approx(math.log(4) * (1 + 0.3 + 0.3), rel=1e-5)


def test_label_smoothing_by_hand():
    network = create_model("googlenet_bn", num_classes=2, width=0.25, small=True).eval()
    torch.nn.init.zeros_(network.head["linear"].linear.weight)
    network.head["linear"].linear.bias.data = torch.tensor([math.log(3.0), 0.0])  # probabilities 3/4 and 1/4
    loss = ClassificationLoss(label_smoothing=0.2)(network(torch.randn(1, 3, 32, 32)), torch.tensor([0]))
    assert loss.item() == pytest.approx(-(0.9 * math.log(0.75) + 0.1 * math.log(0.25)), rel=1e-5)
