"""Images for evaluation, decoded and resized by other processes, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..errors import BadImage
from ..preprocess import Preprocess
from .dataset import ImageDataset
from .views import layout, resample
from .workers import leave_signals_to_main_process


@dataclass(frozen=True)
class Resized:
    """An image's place in its set, its label, width and height, and its sheets for each preprocessing, (H, W, 3) in bytes."""

    index: int
    label: int
    size: tuple[int, int]
    sheets: list[list[Tensor]]


@dataclass(frozen=True)
class ResizedBatch:
    """Images whose sheets lie in one row of bytes, so that a batch travels as one tensor; what could not be decoded."""

    pixels: Tensor
    images: list[tuple[int, int, tuple[int, int]]]  # index, label, width and height
    bad: list[tuple[int, str]]  # index, and why
    preprocesses: tuple[Preprocess, ...]
    scheme: int

    def pin_memory(self) -> ResizedBatch:
        """The same batch in page-locked memory, as the loader asks of types of our own."""
        return replace(self, pixels=self.pixels.pin_memory())

    def __iter__(self) -> Iterator[Resized]:
        start = 0
        for index, label, size in self.images:
            drawn: list[list[Tensor]] = []
            for preprocess in self.preprocesses:
                drawn.append([])
                for sheet in layout(size, preprocess, self.scheme)[0]:
                    width, height = sheet.out
                    drawn[-1].append(self.pixels[start : start + height * width * 3].view(height, width, 3))
                    start += height * width * 3
            yield Resized(index, label, size, drawn)


Sample = Resized | tuple[int, str]


class _ResizedSet(Dataset[Sample]):
    def __init__(self, images: ImageDataset, preprocesses: tuple[Preprocess, ...], scheme: int) -> None:
        self.images, self.preprocesses, self.scheme = images, preprocesses, scheme

    def __getitem__(self, index: int) -> Sample:
        try:
            image = self.images.image(index)
        except BadImage as error:
            return index, str(error)
        drawn = [resample(image, layout(image.size, one, self.scheme)[0], one.resize.interpolation) for one in self.preprocesses]
        return Resized(index, self.images.labels[index], image.size, drawn)

    def collate(self, samples: Sequence[Sample]) -> ResizedBatch:
        good = [sample for sample in samples if isinstance(sample, Resized)]
        bad = [sample for sample in samples if not isinstance(sample, Resized)]
        flat = [sheet.flatten() for one in good for drawn in one.sheets for sheet in drawn]
        pixels = torch.cat(flat) if flat else torch.empty(0, dtype=torch.uint8)
        return ResizedBatch(pixels, [(one.index, one.label, one.size) for one in good], bad, self.preprocesses, self.scheme)


def view_loader(
    images: ImageDataset,
    indices: Sequence[int],
    preprocesses: Sequence[Preprocess],
    scheme: int,
    batch_size: int,
    workers: int = 0,
) -> DataLoader[Sample]:
    """The images at `indices`, in order, `batch_size` at a time: decoded once, and resized as each preprocessing asks."""
    dataset = _ResizedSet(images, tuple(preprocesses), scheme)
    return DataLoader(
        dataset,
        sampler=indices,
        batch_size=batch_size,
        num_workers=min(workers, -(-len(indices) // batch_size)),
        collate_fn=dataset.collate,
        worker_init_fn=leave_signals_to_main_process,
        pin_memory=torch.cuda.is_available(),
    )
