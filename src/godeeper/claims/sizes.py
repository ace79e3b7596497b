"""The scales that most claims share: an eighth as wide on a part of CIFAR-10; full width on all of it; the papers' own."""

from __future__ import annotations

from .claim import Scale, Words


def cpu(minutes: int, train: int, test: int, epochs: int, seeds: int = 3, recipe: str = "cifar10") -> Scale:
    """An eighth of the width, on the first `train` and `test` images of CIFAR-10; `minutes` were measured."""
    cost = Words(f"about {minutes} minutes on two cores", f"双核约 {minutes} 分钟")
    return Scale("cifar10", cost, recipe, 64, train, test, epochs, 0.125, seeds)


def gpu(runs: int, seeds: int = 3, recipe: str = "cifar10") -> Scale:
    """CIFAR-10 at full width."""
    cost = Words(f"{runs} runs of 30 epochs at full width", f"{runs} 次全宽度训练，各 30 轮")
    return Scale("cifar10", cost, recipe, epochs=30, seeds=seeds)


def imagenet(runs: int, epochs: int, hours: int, seeds: int = 3, recipe: str = "standard") -> Scale:
    """ImageNet at full size; `hours` are reckoned: six operations a multiply-add and image, on 1,281,167 images."""
    cost = Words(
        f"{runs} runs of {epochs} epochs: {hours} hours of an H100 at 20 % of its peak, reckoned",
        f"{runs} 次训练，各 {epochs} 轮：按 H100 峰值的 20 % 推算，{hours} 小时",
    )
    return Scale("imagenet", cost, recipe, epochs=epochs, seeds=seeds, small=False)
