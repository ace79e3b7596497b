"""Images for evaluation, decoded, resized and cut into crops by other processes, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import BadImage
from ..preprocess import Resize
from .crops import crop_boxes
from .dataset import ImageDataset
from .pixels import cut_crops
from .workers import WorkerLoader


@dataclass(frozen=True)
class CropBatch:
    """N images, cut into crops.

    `indices` of the images in their dataset; `labels` (N,); `crops`: for each way of resizing, uint8 (N, crops, 3, size, size);
    `bad`: the index of each image that could not be decoded, and why.
    """

    indices: list[int]
    labels: Tensor
    crops: dict[Resize, Tensor]
    bad: list[tuple[int, str]]

    def pin_memory(self) -> CropBatch:
        """The same batch in page-locked memory, as the loader asks of types of our own."""
        return replace(self, crops={resize: crops.pin_memory() for resize, crops in self.crops.items()})


CropSample = tuple[int, list[Tensor]] | tuple[int, str]  # an image's index, and its crops for each way of resizing, or why none


class _CropDataset(Dataset[CropSample]):
    def __init__(self, images: ImageDataset, resizes: Sequence[Resize], crops: int) -> None:
        self.images, self.resizes, self.crops = images, resizes, crops

    def __getitem__(self, index: int) -> CropSample:
        try:
            image = self.images.image(index)
        except BadImage as error:
            return index, str(error)
        return index, [cut_crops(image, crop_boxes(*image.size, resize, self.crops), resize) for resize in self.resizes]

    def collate(self, samples: Sequence[CropSample]) -> CropBatch:
        good = [(index, crops) for index, crops in samples if not isinstance(crops, str)]
        bad = [(index, reason) for index, reason in samples if isinstance(reason, str)]
        labels = torch.tensor([self.images.labels[index] for index, _ in good], dtype=torch.long)
        stacked = {
            resize: _stack([crops[number] for _, crops in good], self.crops, resize.size)
            for number, resize in enumerate(self.resizes)
        }
        return CropBatch([index for index, _ in good], labels, stacked, bad)


def _stack(images: Sequence[Tensor], crops: int, size: int) -> Tensor:
    """(crops, 3, size, size) each -> (N, crops, 3, size, size), with channels last in memory as they come."""
    if not images:
        return torch.empty((0, crops, 3, size, size), dtype=torch.uint8)
    return torch.stack([image.permute(0, 2, 3, 1) for image in images]).permute(0, 1, 4, 2, 3)


def crop_loader(
    images: ImageDataset,
    indices: Sequence[int],
    resizes: Sequence[Resize],
    crops: int,
    batch_size: int,
    workers: int = 0,
) -> WorkerLoader:
    """The images at `indices`, in order, `batch_size` at a time as a `CropBatch`: decoded once, cut for each way of resizing."""
    dataset = _CropDataset(images, list(dict.fromkeys(resizes)), crops)
    workers = min(workers, -(-len(indices) // batch_size))
    return WorkerLoader(dataset, workers, sampler=indices, batch_size=batch_size, collate_fn=dataset.collate)
