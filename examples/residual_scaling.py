"""Why residuals are scaled: a narrow and a wide stack of Inception-ResNet's blocks, trained for eighty steps on digits.
残差为什么要缩放：一窄一宽两摞 Inception-ResNet 的块，在手写数字上训练八十步。

    python examples/residual_scaling.py [STEPS [SEEDS]]        under five minutes on one core / 单核不到五分钟

arXiv 1602.07261, Section 3.3, saw networks of more than 1000 filters die: their last layer gave only zeros, and a lower rate did
not help; residuals scaled by 0.1 to 0.3 did. Here are two widths, three scales and two rates, and a control, 1.0*: blocks that
are not scaled, but whose last 1x1 starts from weights a tenth as large.
论文第 3.3 节：超过 1000 个卷积核的网络会“死掉”，最后一层只输出零，调低学习率也没用；把残差乘以 0.1 到 0.3 才行。
这里跑两种宽度、三种系数、两种学习率，外加一组对照 1.0*：不缩放，只让块里最后那个 1x1 的起始权重小到十分之一。
"""

import sys
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

import godeeper
from godeeper.data.sources import ImageDataset
from godeeper.models.build import ResidualBlock
from godeeper.models.network import Network
from godeeper.papers.inception_resnet import c
from godeeper.papers.inception_v4 import BATCH_NORM
from godeeper.papers.notation import AvgTo, Conv, Definition, Linear, Stage, times
from godeeper.train.optim import warm_statistics

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 80
seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
WIDTHS, RATES = (256, 1792), (0.045, 0.0045)  # 1792 and 0.045 are the paper's  1792 和 0.045 是论文的
SCALES = {"1.0": (1.0, 1.0), "0.3": (0.3, 1.0), "0.1": (0.1, 1.0), "1.0*": (1.0, 0.1)}  # scale, first weights  系数，起始权重


def tensors(part: ImageDataset) -> tuple[Tensor, Tensor]:
    """All images of a part, (N, 3, 16, 16), and their labels, (N,)."""
    images = [part.image(i) for i in range(len(part))]
    pixels = torch.cat([godeeper.take(one, godeeper.views(one.width, one.height, 16, 1)) for one in images])
    return pixels / 127.5 - 1, torch.tensor(part.labels)


def stack(filters: int, scale: float, start: float) -> Network:
    """Five blocks of Figure 13, `filters` wide, behind three convolutions; their linear 1x1s start at `start` times He's size."""
    blocks = times(5, c(192, 192, scale))
    stages: dict[str, Stage] = {"conv1": Conv(32, 3, 2), "conv2": Conv(64, 3, 2), "conv3": Conv(filters, 3, 2), "C": blocks}
    head: dict[str, Stage] = {"avgpool": AvgTo(1), "linear": Linear(10)}
    network = Network(Definition("stack", "Figures 13 and 20", stages, head, batch_norm=BATCH_NORM, image_size=16))
    for block in network.stages["C"].children():
        assert isinstance(block, ResidualBlock)
        block.linear.weight.data *= start
    return network


@torch.no_grad()
def last_layer(network: Network, images: Tensor) -> tuple[float, float]:
    """The deviation of the last block's output, and the percentage of its channels that are zero everywhere: dead."""
    features, _ = network.train().features(images)  # (N, filters, 2, 2)
    return features.std().item(), 100 * (features.amax((0, 2, 3)) == 0).float().mean().item()


def train(network: Network, rate: float, seed: int) -> tuple[float, ...]:
    """Loss at the end (mean of ten steps) and at its greatest, deviation before and after, dead channels, test error."""
    (x, labels), (test_x, test_labels) = training, testing
    optimizer = godeeper.RMSpropTF(network.parameters(), lr=rate)  # decay 0.9, epsilon 1.0, momentum 0.9
    order, losses = torch.Generator().manual_seed(seed), []
    before, _ = last_layer(network, x[:256])
    for step in range(steps):
        chosen = torch.randint(len(x), (32,), generator=order)
        warm_statistics(network, step)
        loss = F.cross_entropy(network.train()(x[chosen]), labels[chosen], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        error = 100 * (network.eval()(test_x).argmax(1) != test_labels).float().mean().item()
    after, dead = last_layer(network, x[:256])
    return sum(losses[-10:]) / len(losses[-10:]), max(losses), before, after, dead, error


source = godeeper.open_source("digits")
assert isinstance(source.train, ImageDataset)
training, testing = tensors(source.train), tensors(source.test)
cells = "{:>7}  {:>6}  {:>5}" + "  {:>14}" * 6
print(cells.format("filters", "rate", "scale", "loss", "greatest", "deviation", "at the end", "dead, %", "error, %"))
for filters, rate, scale in product(WIDTHS, RATES, SCALES):
    results = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        results.append(train(stack(filters, *SCALES[scale]), rate, seed))
    forms = ("{:.2f}", "{:.1f}", "{:.2f}", "{:.2f}", "{:.0f}", "{:.1f}")
    columns = (" ".join(map(form.format, values)) for form, values in zip(forms, zip(*results, strict=True), strict=True))
    print(cells.format(filters, rate, scale, *columns), flush=True)
