"""Training images with their objects, in batches; everything random depends on (seed, epoch, index) alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from ..data.annotations import DetectionDataset
from ..data.augment import jitter_color
from ..data.batches import Batches
from ..data.workers import WorkerLoader
from ..errors import BadImage

Target = dict[str, Tensor]  # `boxes` (N, 4), float32; `labels` (N,), counted from 1 as 0 is background
Example = tuple[Tensor, Target] | str  # an image, uint8 (3, H, W), and its objects; or why it cannot be decoded


@dataclass(frozen=True)
class ObjectBatch:
    """Images, uint8 (3, H, W) of any sizes; the objects of each; why some images are missing."""

    images: list[Tensor]
    targets: list[Target]
    bad: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def pin_memory(self) -> ObjectBatch:
        """The same batch: `to_device_together` pins what it moves."""
        return self


def collate(examples: Sequence[Example]) -> ObjectBatch:
    """One batch, without the images that could not be decoded."""
    good = [example for example in examples if not isinstance(example, str)]
    bad = tuple(example for example in examples if isinstance(example, str))
    return ObjectBatch([image for image, _ in good], [target for _, target in good], bad)


class ObjectTrainingSet(Dataset[Example]):
    """Augmented images with their objects, by (epoch, index); difficult objects are left out."""

    def __init__(self, images: DetectionDataset, seed: int, hflip: bool, color_jitter: bool) -> None:
        self.images, self.seed, self.hflip, self.color_jitter = images, seed, hflip, color_jitter

    def __getitem__(self, key: tuple[int, int]) -> Example:
        epoch, index = key
        random = Random(f"{self.seed}/{epoch}/{index}")
        try:
            image = self.images.image(index)
        except BadImage as error:
            return str(error)
        objects = self.images.objects[index]
        kept = ~objects.difficult
        boxes, labels = torch.from_numpy(objects.boxes[kept]), torch.from_numpy(objects.labels[kept]) + 1
        if self.hflip and random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            boxes = torch.stack([image.width - boxes[:, 2], boxes[:, 1], image.width - boxes[:, 0], boxes[:, 3]], dim=1)
        if self.color_jitter:
            image = jitter_color(image, random)
        return pixels(image), {"boxes": boxes, "labels": labels}


def pixels(image: Image.Image) -> Tensor:
    """An RGB image as uint8 (3, H, W)."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def to_device_together(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Tensors of one type, of any shapes, on `device`, in one transfer; those of the CPU stay as they are there."""
    if device.type == "cpu" or not tensors:
        return list(tensors)
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    moved = (flat.pin_memory() if device.type == "cuda" else flat).to(device, non_blocking=True)
    return [part.view(tensor.shape) for part, tensor in zip(moved.split([t.numel() for t in tensors]), tensors, strict=True)]


def object_loader(dataset: ObjectTrainingSet, batches: Batches, workers: int = 0) -> WorkerLoader:
    """The `ObjectBatch`es of the epoch that `batches` is set to, decoded by `workers` processes beside this one."""
    return WorkerLoader(dataset, workers, batch_sampler=batches, collate_fn=collate)
