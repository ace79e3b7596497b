"""How good detections are: average precision as Pascal VOC, ILSVRC and COCO count it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from typing import Any, Literal

import numpy as np

from ..data.objects import Doubles, Flags, Floats, Objects
from ..packages import require
from .boxes import jaccard
from .detections import Detections

JACCARD = 0.5  # "at least": arXiv 1409.4842, Section 8
Rule = Literal["voc", "ilsvrc"]


@dataclass(frozen=True)
class ClassScore:
    """One class: its objects (difficult ones apart), detections, average precision in percent, and the curve it is the area of.

    `average_precision` is not a number where there are no objects. The curve's points are one a detection, the surest first, in
    0..1; detections of difficult objects have none.
    """

    name: str
    objects: int
    detections: int
    average_precision: float
    recall: Doubles
    precision: Doubles

    @property
    def recall_reached(self) -> float:
        """The share of the objects that was found, in percent."""
        return 100 * float(self.recall[-1]) if len(self.recall) else 0.0


@dataclass(frozen=True)
class Scores:
    """Detections scored by one rule: a line a class."""

    rule: Rule
    images: int
    classes: tuple[ClassScore, ...]

    @property
    def mean_average_precision(self) -> float:
        """mAP in percent: the mean over the classes that have objects; not a number where none has."""
        values = [one.average_precision for one in self.classes if not isnan(one.average_precision)]
        return sum(values) / len(values) if values else nan

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, without the curves; None for what is not a number."""
        rows = [
            {
                "class": one.name, "objects": one.objects, "detections": one.detections,
                "average_precision": _plain(one.average_precision), "recall": one.recall_reached,
            }
            for one in self.classes
        ]  # fmt: skip
        return {"rule": self.rule, "map": _plain(self.mean_average_precision), "images": self.images, "classes": rows}


def score(detections: Sequence[Detections], objects: Sequence[Objects], classes: Sequence[str], rule: Rule = "voc") -> Scores:
    """Scores what was found in each image against its objects, images without any among them.

    A detection is right if it overlaps an object of its class, in its image, by a Jaccard overlap of at least 0.5, and no surer
    one has taken that object. VOC compares a detection with the object that it overlaps most, taken or not; ILSVRC with the one
    not yet taken, and asks less overlap with small objects: w * h / ((w + 10) * (h + 10)) (arXiv 1409.0575, Section 4.3). A
    detection of a difficult object is neither right nor wrong. Average precision is the area under the curve of precision, made
    to fall, against recall. Of equally sure detections the one of the earlier image goes first.
    """
    matched = _matches_voc if rule == "voc" else _matches_ilsvrc
    return Scores(
        rule, len(objects), tuple(_of_class(label, name, detections, objects, matched) for label, name in enumerate(classes))
    )  # fmt: skip


RIGHT, WRONG, NEITHER = 1, 0, -1
Matches = Callable[[Floats, Floats, Flags], list[int]]


def _of_class(
    label: int, name: str, detections: Sequence[Detections], objects: Sequence[Objects], matches: Matches
) -> ClassScore:
    sure, verdicts, count = [], [], 0
    for found, there in zip(detections, objects, strict=True):
        mine, theirs = found.labels == label, there.labels == label
        count += int((theirs & ~there.difficult).sum())
        if not mine.any():  # as in most images, where there are many classes
            continue
        order = np.argsort(-found.scores[mine], kind="stable")
        sure.append(found.scores[mine][order])
        verdicts += matches(found.boxes[mine][order], there.boxes[theirs], there.difficult[theirs])
    scores = np.concatenate([*sure, np.zeros(0, np.float32)])
    in_order = np.array(verdicts, np.int64)[np.argsort(-scores, kind="stable")]
    right = in_order[in_order != NEITHER]
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    recall = hits / count if count else np.zeros(len(right))
    return ClassScore(name, count, len(scores), 100 * _area(recall, precision) if count else nan, recall, precision)


def _area(recall: Doubles, precision: Doubles) -> float:
    """The area under precision against recall, every precision raised to the best at any greater recall."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _matches_voc(boxes: Floats, there: Floats, difficult: Flags) -> list[int]:
    """A verdict on each box of one image and class, the surest first."""
    overlaps = jaccard(boxes, there)
    taken: set[int] = set()
    verdicts = []
    for row in overlaps:
        best = int(row.argmax()) if len(row) else -1
        if best < 0 or row[best] < JACCARD:
            verdicts.append(WRONG)
        elif difficult[best]:
            verdicts.append(NEITHER)
        else:
            verdicts.append(WRONG if best in taken else RIGHT)
            taken.add(best)
    return verdicts


def _matches_ilsvrc(boxes: Floats, there: Floats, difficult: Flags) -> list[int]:
    overlaps = jaccard(boxes, there)
    sides = (there[:, 2:] - there[:, :2]).astype(np.float64)
    asked = np.minimum(JACCARD, sides.prod(-1) / (sides + 10).prod(-1))
    free = np.ones(len(there), np.bool_)
    verdicts = []
    for row in overlaps:
        fits = free & (row >= asked)
        if not fits.any():
            verdicts.append(WRONG)
            continue
        best = int(np.where(fits, row, -1.0).argmax())
        verdicts.append(NEITHER if difficult[best] else RIGHT)
        free[best] = difficult[best]  # any number of detections of a difficult object are passed over
    return verdicts


def _plain(value: float) -> float | None:
    return None if isnan(value) else value


@dataclass(frozen=True)
class CocoScores:
    """COCO's figures, in percent; None where there is nothing to count.

    The means are over Jaccard overlaps from 0.50 to 0.95; small objects have fewer than 32 x 32 square pixels, large ones more
    than 96 x 96; the average recall is at 100 detections an image.
    """

    map: float | None
    map_50: float | None
    map_75: float | None
    map_small: float | None
    map_medium: float | None
    map_large: float | None
    average_recall: float | None

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)


def coco_scores(detections: Sequence[Detections], objects: Sequence[Objects], classes: Sequence[str]) -> CocoScores:
    """COCO's figures, by faster-coco-eval; difficult objects are its crowds. GodeeperError where that is not installed."""
    library = require("faster_coco_eval", "detect")
    truth = _annotated(library, classes, objects, "iscrowd", [one.difficult.astype(int) for one in objects])
    found = _annotated(library, classes, detections, "score", [one.scores for one in detections])
    evaluation = library.COCOeval_faster(truth, found, iouType="bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    stats = evaluation.stats
    return CocoScores(*(None if stats[place] < 0 else 100 * float(stats[place]) for place in (0, 1, 2, 3, 4, 5, 8)))


def _annotated(
    library: Any, classes: Sequence[str], images: Sequence[Objects | Detections], name: str, values: Sequence[Any]
) -> Any:
    """Boxes as the library wants them, each with its value under that name."""
    annotations: list[dict[str, Any]] = []
    for number, (one, its) in enumerate(zip(images, values, strict=True), 1):
        for (left, top, right, bottom), label, value in zip(one.boxes.tolist(), one.labels.tolist(), its.tolist(), strict=True):
            width, height = right - left, bottom - top
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "bbox": [left, top, width, height],
                "area": width * height, "iscrowd": 0, name: value,
            })  # fmt: skip
    result = library.COCO()
    result.dataset = {
        "images": [{"id": number} for number in range(1, len(images) + 1)],
        "categories": [{"id": label + 1, "name": of} for label, of in enumerate(classes)],
        "annotations": annotations,
    }
    result.createIndex()
    return result
