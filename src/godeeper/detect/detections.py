"""The objects that a detector finds in an image."""

from __future__ import annotations

from dataclasses import dataclass

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
