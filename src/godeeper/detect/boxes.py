"""How much boxes overlap."""

from __future__ import annotations

import numpy as np

from ..data.objects import Doubles, Floats


def areas(boxes: Floats | Doubles) -> Doubles:
    """Of boxes (N, 4), in square pixels: (N,)."""
    boxes = boxes.astype(np.float64)  # of whole images, float32 has them no longer exactly
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def jaccard(a: Floats, b: Floats) -> Doubles:
    """The Jaccard overlap, intersection over union, of each of boxes (N, 4) with each of (M, 4): (N, M), in 0..1."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    shared: Doubles = sides.clip(min=0).astype(np.float64).prod(-1)
    union = areas(a)[:, None] + areas(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
