"""Mixed images: mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from torch import Tensor

from .recipe import Recipe


@dataclass(frozen=True)
class Mixed:
    """Images (N, C, H, W) of which `lam` belongs to `labels` (N,) and the rest to `other_labels` (N,)."""

    images: Tensor
    labels: Tensor
    other_labels: Tensor
    lam: float


def mix(images: Tensor, labels: Tensor, recipe: Recipe, step: int) -> Mixed:
    """Mixes each image with the one half a batch further on, by a `lam` drawn for the step; unmixed where the recipe has none.

    Half a batch, as the order is random already: then processes that share a batch evenly mix the pairs that one alone would.
    """
    random = Random(f"{recipe.seed}/mix/{step}")
    cut = random.random() < 0.5 if recipe.mixup and recipe.cutmix else recipe.cutmix > 0
    alpha = recipe.cutmix if cut else recipe.mixup
    half = len(labels) // 2
    if not alpha or not half:
        return Mixed(images, labels, labels, 1.0)
    lam = random.betavariate(alpha, alpha)
    others = images.roll(half, 0)
    if not cut:
        return Mixed(others.lerp(images, lam), labels, labels.roll(half), lam)
    height, width = images.shape[-2:]
    left, top, right, bottom = _cut_box(width, height, 1 - lam, random)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
    cut_share = (right - left) * (bottom - top) / (width * height)
    return Mixed(mixed, labels, labels.roll(half), 1 - cut_share)


def _cut_box(width: int, height: int, fraction: float, random: Random) -> tuple[int, int, int, int]:
    """A box of that fraction of the image, of the image's shape, about a random centre, cut off at the edges."""
    x, y = random.randrange(width), random.randrange(height)
    half_width, half_height = round(width * math.sqrt(fraction) / 2), round(height * math.sqrt(fraction) / 2)
    return max(0, x - half_width), max(0, y - half_height), min(width, x + half_width), min(height, y + half_height)
