"""Average precision as COCO counts it, by faster-coco-eval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..data.annotations import Objects
from ..packages import require
from .detections import Detections


@dataclass(frozen=True)
class CocoScores:
    """COCO's figures in percent; None where there is nothing to count.

    The means are over IoU thresholds from 0.50 to 0.95; small objects have an area below 32 x 32 pixels, large ones above
    96 x 96, by the annotation's area where it gives one; the average recall is that of 100 detections an image.
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


STATS = (0, 1, 2, 3, 4, 5, 8)  # positions of those figures in COCO's list of twelve


def coco_scores(detections: Sequence[Detections], objects: Sequence[Objects], classes: Sequence[str]) -> CocoScores:
    """Scores the detections in each image; difficult objects are COCO's crowds. GodeeperError without faster-coco-eval."""
    library = require("faster_coco_eval", "detect")
    truth = _dataset(library, classes, objects, [_crowds_and_areas(annotated) for annotated in objects])
    detected = _dataset(library, classes, detections, [{"score": detected.scores} for detected in detections])
    evaluation = library.COCOeval_faster(truth, detected, iouType="bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    values = [evaluation.stats[index] for index in STATS]
    return CocoScores(*(None if value < 0 else 100 * float(value) for value in values))


def _crowds_and_areas(annotated: Objects) -> dict[str, Any]:
    crowds = {"iscrowd": annotated.difficult.astype(int)}
    return crowds if annotated.areas is None else crowds | {"area": annotated.areas}


def _dataset(
    library: Any, classes: Sequence[str], images: Sequence[Objects | Detections], fields: Sequence[Mapping[str, Any]]
) -> Any:
    """Boxes as the library's own kind of dataset; `fields` are arrays (N,) of each image's boxes, by their names there."""
    annotations: list[dict[str, Any]] = []
    for number, (image, of_image) in enumerate(zip(images, fields, strict=True), 1):
        for row, ((left, top, right, bottom), label) in enumerate(zip(image.boxes.tolist(), image.labels.tolist(), strict=True)):
            width, height = right - left, bottom - top
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "bbox": [left, top, width, height],
                "area": width * height, "iscrowd": 0, **{name: values[row].item() for name, values in of_image.items()},
            })  # fmt: skip
    result = library.COCO()
    result.dataset = {
        "images": [{"id": number} for number in range(1, len(images) + 1)],
        "categories": [{"id": label + 1, "name": name} for label, name in enumerate(classes)],
        "annotations": annotations,
    }
    result.createIndex()
    return result
