"""The whole of GoogLeNet in plain PyTorch: nothing of godeeper is needed, copy what you like.
纯 PyTorch 写的整个 GoogLeNet：不依赖 godeeper，随意拷用。

    python examples/plain_googlenet.py

"Going deeper with convolutions" (arXiv 1409.4842), Table 1, Figure 3 and Section 5.
It prints the shape after each stage, and takes one training step.  运行后打印每个阶段的形状，并走一步训练。
"""

import torch
from torch import Tensor, nn


def conv(inputs: int, filters: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution and its ReLU; half the filter of zeros around the input.  卷积加 ReLU，四周补半个卷积核宽的零。"""
    return nn.Sequential(nn.Conv2d(inputs, filters, kernel, stride, padding=kernel // 2), nn.ReLU())


def halve() -> nn.MaxPool2d:
    """The max pool between stages: (N, C, H, W) -> (N, C, H / 2, W / 2).  阶段之间的最大池化，网格减半。"""
    return nn.MaxPool2d(3, stride=2, padding=1)


def lrn() -> nn.LocalResponseNorm:
    """Figure 3 has it, Table 1 has not; its constants are not printed.  图 3 有、表 1 没有；常数论文没有给出。"""
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1)


class Inception(nn.Module):
    """Figure 2(b); after the inputs, the arguments are Table 1's columns.  图 2(b)；inputs 之后的参数就是表 1 的各列。"""

    def __init__(self, inputs: int, c1: int, r3: int, c3: int, r5: int, c5: int, proj: int) -> None:
        super().__init__()
        self.branch1x1 = conv(inputs, c1, 1)  # (N, c1, H, W)
        self.branch3x3 = nn.Sequential(conv(inputs, r3, 1), conv(r3, c3, 3))  # (N, c3, H, W)
        self.branch5x5 = nn.Sequential(conv(inputs, r5, 1), conv(r5, c5, 5))  # (N, c5, H, W)
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(inputs, proj, 1))  # (N, proj, H, W)

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        branches = [self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)]
        return torch.cat(branches, dim=1)  # (N, c1 + c3 + c5 + proj, H, W)


class AuxiliaryHead(nn.Sequential):
    """A small classifier on 14x14, for training only (Section 5).  14x14 上的辅助分类器，只在训练时用。"""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__(  # (N, inputs, 14, 14)
            nn.AvgPool2d(5, stride=3),  # (N, inputs, 4, 4)
            conv(inputs, 128, 1),  # (N, 128, 4, 4)
            nn.Flatten(),  # (N, 2048)
            nn.Linear(128 * 4 * 4, 1024),  # (N, 1024)
            nn.ReLU(),
            nn.Dropout(0.7),
            nn.Linear(1024, classes),  # (N, classes)
        )


class GoogLeNet(nn.Module):
    """Images (N, 3, 224, 224), normalised -> logits (N, classes); in training those of both heads, too.
    输入归一化的图片；评估时返回 logits，训练时还返回两个辅助分类器的 logits。
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.to_4a = nn.Sequential(  # (N, 3, 224, 224)
            conv(3, 64, 7, stride=2),  # (N, 64, 112, 112)
            halve(),  # (N, 64, 56, 56)
            lrn(),
            conv(64, 64, 1),
            conv(64, 192, 3),  # (N, 192, 56, 56)
            lrn(),
            halve(),  # (N, 192, 28, 28)
            Inception(192, 64, 96, 128, 16, 32, 32),  # 3a (N, 256, 28, 28)
            Inception(256, 128, 128, 192, 32, 96, 64),  # 3b (N, 480, 28, 28)
            halve(),  # (N, 480, 14, 14)
            Inception(480, 192, 96, 208, 16, 48, 64),  # 4a (N, 512, 14, 14)
        )
        self.to_4d = nn.Sequential(
            Inception(512, 160, 112, 224, 24, 64, 64),  # 4b (N, 512, 14, 14)
            Inception(512, 128, 128, 256, 24, 64, 64),  # 4c (N, 512, 14, 14)
            Inception(512, 112, 144, 288, 32, 64, 64),  # 4d (N, 528, 14, 14)
        )
        self.to_5b = nn.Sequential(
            Inception(528, 256, 160, 320, 32, 128, 128),  # 4e (N, 832, 14, 14)
            halve(),  # (N, 832, 7, 7)
            Inception(832, 256, 160, 320, 32, 128, 128),  # 5a (N, 832, 7, 7)
            Inception(832, 384, 192, 384, 48, 128, 128),  # 5b (N, 1024, 7, 7)
        )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),  # (N, 1024, 1, 1)  the 7x7 average pool  即 7x7 平均池化
            nn.Flatten(),  # (N, 1024)
            nn.Dropout(0.4),
            nn.Linear(1024, classes),  # (N, classes)
        )
        self.aux1 = AuxiliaryHead(512, classes)
        self.aux2 = AuxiliaryHead(528, classes)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        on_4a = self.to_4a(x)
        on_4d = self.to_4d(on_4a)
        logits: Tensor = self.head(self.to_5b(on_4d))
        return (logits, self.aux1(on_4a), self.aux2(on_4d)) if self.training else logits


def initialise(layer: nn.Module) -> None:
    """He's start: with PyTorch's own, 22 layers without batch norm let the signal fade.
    He 初始化：没有批归一化，PyTorch 的默认初始化会让信号逐层衰减。
    """
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    if isinstance(layer, nn.Linear) and layer.out_features != 1024:  # a classifier starts near equal probabilities
        nn.init.normal_(layer.weight, std=0.01)  # 分类层：各类的初始概率大致相等


def main() -> None:
    """The shape after each stage; one training step on noise.  每个阶段的形状；用噪声走一步训练。"""
    torch.manual_seed(0)
    network = GoogLeNet()
    images, labels = torch.randn(2, 3, 224, 224), torch.tensor([0, 1])  # noise, in place of a batch  用噪声代替一批图片

    x = images
    for layer in [*network.to_4a, *network.to_4d, *network.to_5b, *network.head]:
        x = layer(x)
        print(f"{type(layer).__name__:18} {tuple(x.shape)}")
    heads = sum(p.numel() for head in (network.aux1, network.aux2) for p in head.parameters())
    print(f"parameters / 参数量: {sum(p.numel() for p in network.parameters()) - heads:,}, heads / 辅助分类器: {heads:,}")

    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    main_logits, *auxiliary = network.train()(images)
    loss = loss_of(main_logits, labels) + 0.3 * sum(loss_of(logits, labels) for logits in auxiliary)  # Section 5
    loss.backward()
    optimizer.step()
    print(f"loss / 损失: {loss.item():.2f}")  # about 1.6 x log(1000)  约为 1.6 × log(1000)


if __name__ == "__main__":
    main()
