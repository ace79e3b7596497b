"""What is tested after each epoch of a training run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import isnan

from ..data.annotations import DetectionDataset, Floats, Objects
from ..data.dataset import ImageDataset
from ..detect.average_precision import score_detections
from ..detect.detector import Detector, find_all
from ..detect.multibox import MultiBox
from ..detect.proposals import coverage
from ..errors import BadImage
from ..evaluate.classify import evaluate
from ..models.network import Network, device_of


def errors_on(images: ImageDataset, workers: int) -> Callable[[Network], dict[str, float]]:
    """Top-1 and top-5 error (%) of a network on the images; those that cannot be decoded are counted, as a long run goes on."""

    def errors(network: Network) -> dict[str, float]:
        result = evaluate(
            network, images, network.preprocess, workers=workers, skip_bad=True, device=device_of(network)
        )  # fmt: skip
        return {"top1_error": result.top1_error, "top5_error": result.top5_error, "test_skipped": len(result.skipped)}

    return errors


def mean_average_precision_on(images: DetectionDataset) -> Callable[[Detector], dict[str, float]]:
    """The mAP (%) of a detector, by VOC's rule; without it where the images have no objects."""

    def score(detector: Detector) -> dict[str, float]:
        results = find_all(detector, images, skip_bad=True)
        objects = [images.objects[index] for index in results.indices]
        value = score_detections(results.detections, objects, images.classes).mean_average_precision
        return _unless_nan("map", value) | {"test_skipped": len(results.skipped)}

    return score


def coverage_on(images: DetectionDataset) -> Callable[[MultiBox], dict[str, float]]:
    """The share of the objects (%) that the proposals cover; without it where the images have no objects."""

    def cover(multibox: MultiBox) -> dict[str, float]:
        proposals: list[Floats] = []
        objects: list[Objects] = []
        for index, annotated in enumerate(images.objects):
            with suppress(BadImage):
                proposals.append(multibox.propose(images.image(index)))
                objects.append(annotated)
        skipped = len(images) - len(proposals)
        return _unless_nan("coverage", coverage(proposals, objects).percent) | {"test_skipped": skipped}

    return cover


def _unless_nan(name: str, value: float) -> dict[str, float]:
    return {} if isnan(value) else {name: value}
