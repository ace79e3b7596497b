"""The objects that a detector finds in an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.annotations import Floats, Labels


@dataclass(frozen=True)
class Detections:
    """The objects found in one image, by falling score.

    `boxes` (N, 4) as in `data.annotations.Objects`: left, top, right, bottom in pixels of the upright image; `labels` (N,) index
    the detector's classes; `scores` (N,) lie in 0..1.
    """

    boxes: Floats
    labels: Labels
    scores: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    def at_least(self, score: float) -> Detections:
        """Those with a score of at least `score`."""
        keep = self.scores >= score
        return Detections(self.boxes[keep], self.labels[keep], self.scores[keep])

    def fault(self, classes: int, size: tuple[int, int]) -> str:
        """What no detector of so many classes finds in an image of that width and height, in words; "" for nothing.

        Weights that are damaged, and the graph of a file, may give anything.
        """
        count = len(self.boxes) if self.boxes.ndim else 0
        alike = self.boxes.shape == (count, 4) and self.labels.shape == self.scores.shape == (count,)
        if not alike or self.labels.dtype != np.int64:
            shapes = f"{self.boxes.shape}, {self.labels.shape} and {self.scores.shape}"
            return f"boxes, labels ({self.labels.dtype}) and scores of shapes {shapes}"
        inside = (self.boxes >= -1) & (self.boxes <= np.array((*size, *size)) + 1)  # also false where one is not a number
        sound = {
            "boxes outside of the image": inside,
            "classes that it does not name": (self.labels >= 0) & (self.labels < classes),
            "scores that are not within 0 and 1": (self.scores >= 0) & (self.scores <= 1),
        }
        return next((fault for fault, each in sound.items() if not each.all()), "")
