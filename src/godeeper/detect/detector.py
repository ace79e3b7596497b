"""What every detector has in common, and running one over a dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PIL import Image
from torch import distributed as dist

from ..data.annotations import DetectionDataset
from ..errors import BadImage
from ..ranks import fail_together, rank_and_ranks
from .detections import Detections


class Detector(Protocol):
    """Finds objects, one image at a time, so that the result depends on that image alone."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What it finds, in label order."""
        ...

    def find(self, image: Image.Image) -> Detections:
        """The objects of an RGB image."""
        ...


@dataclass(frozen=True)
class DetectionResults:
    """The detections in a dataset's images.

    `indices` are the images' positions in the dataset, one for each of `detections`; `skipped` names the images that could not
    be decoded, with the reason.
    """

    indices: list[int]
    detections: list[Detections]
    skipped: list[str]


def find_all(
    detector: Detector,
    images: DetectionDataset,
    *,
    skip_bad: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> DetectionResults:
    """Runs a detector on each image once, shared by all processes; every process gets all results, in the dataset's order.

    BadImage for an image that cannot be decoded, unless `skip_bad`. What one process raises, all raise.
    """
    rank, ranks = rank_and_ranks()
    own: dict[int, Detections | str] = {}
    with fail_together() as stop_where_failed:
        for index in range(rank, len(images), ranks):
            stop_where_failed()
            try:
                own[index] = detector.find(images.image(index))
            except BadImage as error:
                if not skip_bad:
                    raise BadImage(f"{error} (--skip-bad leaves such images out, and counts them)") from None
                own[index] = str(error)
            if progress is not None:
                progress(min(len(own) * ranks, len(images)), len(images))
    of_ranks: list[dict[int, Detections | str]] = [own] * ranks
    if ranks > 1:
        dist.all_gather_object(of_ranks, own)
    by_index = {index: result for results in of_ranks for index, result in results.items()}
    skipped = [result for _, result in sorted(by_index.items()) if isinstance(result, str)]
    detections = {index: result for index, result in sorted(by_index.items()) if not isinstance(result, str)}
    return DetectionResults(list(detections), list(detections.values()), skipped)
