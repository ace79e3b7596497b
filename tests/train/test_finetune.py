"""Fine-tuning: the classifiers first, then everything, early stages slowly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from godeeper import GodeeperError, Recipe, create_model, workflows
from godeeper.data.dataset import ArrayDataset
from godeeper.train import train
from godeeper.train.batch_norm import batch_norms, needs_two
from godeeper.train.checkpoint import checkpoints
from godeeper.train.optim import make_optimizer, scaled_parameters
from networks import alive

IMAGES = ArrayDataset(
    np.random.default_rng(0).integers(0, 256, (16, 12, 12), dtype=np.uint8), [index % 2 for index in range(16)], "made"
)
RECIPE = Recipe(
    epochs=2,
    batch_size=8,
    image_size=16,
    lr=0.02,
    warmup_epochs=0,
    freeze_epochs=1,
    layer_decay=0.5,
    crop_scale=(0.5, 1),
    ema_decay=0.5,
)


def network():
    torch.manual_seed(0)
    return create_model("googlenet_bn", num_classes=2, width=0.25, small=True, aux=True)


def test_the_body_rests_while_the_classifiers_learn(tmp_path):
    start = network().state_dict()
    run = train(network(), IMAGES, RECIPE, tmp_path / "run", trackers=())
    first, second = (load_file(path) for path in checkpoints(run / "checkpoints"))
    for name, tensor in start.items():
        if name.endswith("num_batches_tracked"):
            continue
        classifier = not name.startswith("stages.")
        assert torch.equal(first[f"network.{name}"], tensor) != classifier, name
        if name.endswith("weight"):
            assert not torch.equal(second[f"network.{name}"], tensor), name


def test_each_stage_learns_at_a_share_of_the_next_ones_rate():
    made = network()
    scales = {}
    for group in make_optimizer(scaled_parameters(made, RECIPE.layer_decay), RECIPE).param_groups:
        for parameter in group["params"]:
            scales[id(parameter)] = group["scale"]
    assert len(scales) == len(list(made.parameters()))
    stages = list(made.stages)
    for name, parameter in made.named_parameters():
        part, stage, *_ = name.split(".")
        expected = 0.5 ** (len(stages) - stages.index(stage)) if part == "stages" else 1
        assert scales[id(parameter)] == pytest.approx(expected), name


def test_frozen_batch_norm_keeps_statistics_and_normalises_by_them(tmp_path):
    made = alive(network())
    start = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    norm, seen = made.stages["conv1"].norm, []
    norm.register_forward_hook(lambda layer, inputs, output: seen.append((inputs[0].detach().clone(), output.detach().clone())))
    recipe = replace(RECIPE, epochs=1, freeze_epochs=0, batch_norm="frozen", precision="fp32")
    run = train(made, IMAGES, recipe, tmp_path / "run", trackers=())
    x, y = seen[0]  # of the first step, in training
    mean, variance, scale, shift = (
        start[f"stages.conv1.norm.{name}"].view(-1, 1, 1) for name in ("running_mean", "running_var", "weight", "bias")
    )
    torch.testing.assert_close(y, (x - mean) / (variance + norm.eps).sqrt() * scale + shift, rtol=1e-4, atol=1e-4)
    (state,) = (load_file(path) for path in checkpoints(run / "checkpoints"))
    for name, tensor in start.items():
        frozen = ".norm." in name and not name.startswith("auxiliary.")  # heads are fresh
        assert torch.equal(state[f"network.{name}"], tensor) == frozen, name


def test_frozen_batch_norm_needs_no_second_image():
    made = network()
    assert needs_two(made, 3, 8, 8)
    assert not needs_two(made, 3, 8, 8, frozen=batch_norms(made))


@pytest.mark.parametrize(
    ("model", "overrides", "words"),
    [("googlenet_bn", [], "--weights"), ("googlenet", ["batch_norm=frozen"], "has no batch norm")],
)
def test_batch_norm_is_frozen_only_where_weights_bring_it(tmp_path, model, overrides, words):
    with pytest.raises(GodeeperError, match=words):
        workflows.train(tmp_path / "run", model, "digits", recipe="finetune", overrides=overrides)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_resuming_across_the_change_is_bit_equal(tmp_path):
    whole = train(network(), IMAGES, RECIPE, tmp_path / "whole", trackers=())

    def stop(network):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(network(), IMAGES, RECIPE, tmp_path / "run", evaluate=stop, trackers=())
    train(network(), IMAGES, RECIPE, tmp_path / "run", resume=True, trackers=())
    expected, found = (load_file(run / "model.safetensors") for run in (whole, tmp_path / "run"))
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
