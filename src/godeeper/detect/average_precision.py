"""Average precision as Pascal VOC and ILSVRC count it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, Literal

import numpy as np

from ..data.annotations import Doubles, Flags, Floats, Objects
from .detections import Detections
from .iou import box_iou

IOU_THRESHOLD = 0.5  # "at least": arXiv 1409.4842, Section 8
Rule = Literal["voc", "ilsvrc"]


@dataclass(frozen=True)
class ClassScore:
    """One class: objects (without difficult ones), detections, average precision in percent, and its precision-recall curve.

    `average_precision` is nan where there are no objects. The curve has a point for each detection, by falling score, in 0..1;
    detections of difficult objects have none.
    """

    name: str
    objects: int
    detections: int
    average_precision: float
    recall: Doubles
    precision: Doubles

    @property
    def final_recall(self) -> float:
        """The share of the objects that was found at all, in percent."""
        return 100 * float(self.recall[-1]) if len(self.recall) else 0.0


@dataclass(frozen=True)
class DetectionScores:
    """Detections scored by one rule, class by class."""

    rule: Rule
    images: int
    classes: tuple[ClassScore, ...]

    @property
    def mean_average_precision(self) -> float:
        """mAP in percent: the mean over the classes that have objects; nan where none has."""
        values = [score.average_precision for score in self.classes if not isnan(score.average_precision)]
        return sum(values) / len(values) if values else nan

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, without the curves; None in place of nan."""
        classes = [
            {
                "class": score.name, "objects": score.objects, "detections": score.detections,
                "average_precision": _none_for_nan(score.average_precision), "recall": score.final_recall,
            }
            for score in self.classes
        ]  # fmt: skip
        return {
            "rule": self.rule, "map": _none_for_nan(self.mean_average_precision), "images": self.images, "classes": classes,
        }  # fmt: skip


def score_detections(
    detections: Sequence[Detections], objects: Sequence[Objects], classes: Sequence[str], rule: Rule = "voc"
) -> DetectionScores:
    """Scores the detections in each image against its objects; images without objects count too.

    A detection is a true positive if its IoU with an object of its class, in its image, is at least 0.5, and no detection of
    higher score matches that object. VOC compares a detection with the object of highest IoU, matched already or not; ILSVRC
    with the best of those not matched yet, and asks less of small objects, w * h / ((w + 10) * (h + 10)) (arXiv 1409.0575,
    Section 4.3). A detection of a difficult object is ignored. Average precision is the area under the curve of precision,
    made to fall, over recall. Of detections with equal scores, the one in the earlier image comes first.
    """
    match = _match_voc if rule == "voc" else _match_ilsvrc
    scores = (_score_class(label, name, detections, objects, match) for label, name in enumerate(classes))
    return DetectionScores(rule, len(objects), tuple(scores))


TRUE_POSITIVE, FALSE_POSITIVE, IGNORED = 1, 0, -1
Match = Callable[[Floats, Floats, Flags], list[int]]


def _score_class(label: int, name: str, detections: Sequence[Detections], objects: Sequence[Objects], match: Match) -> ClassScore:
    scores, outcomes, count = [], [], 0
    for detected, annotated in zip(detections, objects, strict=True):
        of_class, truth = detected.labels == label, annotated.labels == label
        count += int((truth & ~annotated.difficult).sum())
        if not of_class.any():  # as in most images, where there are many classes
            continue
        order = np.argsort(-detected.scores[of_class], kind="stable")
        scores.append(detected.scores[of_class][order])
        outcomes += match(detected.boxes[of_class][order], annotated.boxes[truth], annotated.difficult[truth])
    all_scores = np.concatenate([*scores, np.zeros(0, np.float32)])
    by_score = np.array(outcomes, np.int64)[np.argsort(-all_scores, kind="stable")]
    counted = by_score[by_score != IGNORED]
    true_positives = np.cumsum(counted)
    precision = true_positives / np.arange(1, len(counted) + 1)
    recall = true_positives / count if count else np.zeros(len(counted))
    area = 100 * _area_under_curve(recall, precision) if count else nan
    return ClassScore(name, count, len(all_scores), area, recall, precision)


def _area_under_curve(recall: Doubles, precision: Doubles) -> float:
    """The area under precision over recall, each precision raised to the best at any greater recall."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _match_voc(boxes: Floats, truth: Floats, difficult: Flags) -> list[int]:
    """Boxes (N, 4) of one image and class, by falling score, and its objects (M, 4) -> an outcome for each box."""
    overlaps = box_iou(boxes, truth)
    matched: set[int] = set()
    outcomes = []
    for row in overlaps:
        best = int(row.argmax()) if len(row) else -1
        if best < 0 or row[best] < IOU_THRESHOLD:
            outcomes.append(FALSE_POSITIVE)
        elif difficult[best]:
            outcomes.append(IGNORED)
        else:
            outcomes.append(FALSE_POSITIVE if best in matched else TRUE_POSITIVE)
            matched.add(best)
    return outcomes


def _match_ilsvrc(boxes: Floats, truth: Floats, difficult: Flags) -> list[int]:
    """As `_match_voc`, by ILSVRC's rule."""
    overlaps = box_iou(boxes, truth)
    sides = (truth[:, 2:] - truth[:, :2]).astype(np.float64)
    threshold = np.minimum(IOU_THRESHOLD, sides.prod(-1) / (sides + 10).prod(-1))
    unmatched = np.ones(len(truth), np.bool_)
    outcomes = []
    for row in overlaps:
        fits = unmatched & (row >= threshold)
        if not fits.any():
            outcomes.append(FALSE_POSITIVE)
            continue
        best = int(np.where(fits, row, -1.0).argmax())
        outcomes.append(IGNORED if difficult[best] else TRUE_POSITIVE)
        unmatched[best] = difficult[best]  # any number of detections of a difficult object are ignored
    return outcomes


def _none_for_nan(value: float) -> float | None:
    return None if isnan(value) else value
