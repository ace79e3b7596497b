"""Areas of boxes, and how much they overlap."""

from __future__ import annotations

import numpy as np

from ..data.annotations import Doubles, Floats


def box_area(boxes: Floats | Doubles) -> Doubles:
    """Boxes (N, 4) as left, top, right, bottom -> their areas in square pixels, (N,)."""
    boxes = boxes.astype(np.float64)  # float32 cannot hold the areas of whole images exactly
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(a: Floats | Doubles, b: Floats | Doubles) -> Doubles:
    """Boxes (N, 4) and (M, 4) -> intersection over union of each pair, (N, M), in 0..1; the papers' "Jaccard overlap".

    Boxes without area overlap nothing.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)  # as in `box_area`: in float32, a box may overlap itself by more than 1
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    intersection: Doubles = sides.clip(min=0).prod(-1)
    union = box_area(a)[:, None] + box_area(b)[None] - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
