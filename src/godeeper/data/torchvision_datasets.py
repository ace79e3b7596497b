"""The datasets that torchvision knows by name, and ImageNet's folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from ..errors import GodeeperError, message_lines
from ..packages import install_command
from .dataset import DataSplits, FileDataset, ImageDataset, Split, check_classes
from .decode import RawImage
from .download import data_root
from .folders import open_folder

TORCHVISION_DATASETS = (
    "cifar10", "cifar100", "dtd", "fashion_mnist", "flowers102", "food101", "imagenet", "kmnist", "mnist", "oxford_iiit_pet",
    "stl10",
)  # fmt: skip


@dataclass(frozen=True)
class TorchvisionDataset(ImageDataset):
    """The images of a torchvision dataset that lies in memory."""

    dataset: Any
    labels: Sequence[int]
    prefix: str

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        return f"{self.prefix}[{index}]"

    def raw(self, index: int) -> RawImage:
        image: Image.Image = self.dataset[index][0]
        return image.convert("RGB")


def open_torchvision(name: str, known: tuple[str, ...] | None, download: bool, split: Split = "all") -> DataSplits:
    """The dataset of that name below `data_root()`, its test part alone where `split` is "test".

    GodeeperError, naming --download, where it is missing.
    """
    if name == "imagenet":
        return _imagenet(known, split)
    root = str(data_root())
    splits = []
    for make in _makers(name)[1:] if split == "test" else _makers(name):
        try:
            splits.append(make(root, download=download))
        except ImportError as error:
            raise GodeeperError(f"{name} needs {error.name}: {install_command('demo')}") from None
        except Exception as error:  # no network, a full disk, a file cut short: torchvision raises what comes
            if download:
                reason = " ".join(message_lines(error))
                raise GodeeperError(f"{name} cannot be downloaded into {root!r}: {reason}") from None
            raise GodeeperError(
                f"{name} is not in {root!r}, or is damaged: --download fetches it (GODEEPER_DATA names another folder)"
            ) from None
    classes = tuple(str(label) for label in splits[0].classes)
    check_classes(classes, known, name)
    test = _images(splits[-1], f"{name}/test")
    train = FileDataset([], []) if split == "test" else _images(splits[0], f"{name}/train")
    return DataSplits(classes, train, test, f"torchvision's {name}: its training and its test part")


def _makers(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What makes the training and the test dataset.

    torchvision unpickles CIFAR's files, but only after it has held them against the MD5 of the published ones.
    """
    from torchvision import datasets

    by_flag = {
        "cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "kmnist": datasets.KMNIST, "mnist": datasets.MNIST,
        "fashion_mnist": datasets.FashionMNIST,
    }  # fmt: skip
    by_name = {
        "stl10": (datasets.STL10, "train"), "food101": (datasets.Food101, "train"), "dtd": (datasets.DTD, "train"),
        "flowers102": (datasets.Flowers102, "train"), "oxford_iiit_pet": (datasets.OxfordIIITPet, "trainval"),
    }  # fmt: skip
    if name in by_flag:
        return partial(by_flag[name], train=True), partial(by_flag[name], train=False)
    kind, training = by_name[name]
    return partial(kind, split=training), partial(kind, split="test")


def _images(dataset: Any, prefix: str) -> ImageDataset:
    """A torchvision dataset's images; those in files go through our own decoder."""
    files = getattr(dataset, "_image_files", None) or getattr(dataset, "_images", None)
    return FileDataset(files, _labels(dataset)) if files else TorchvisionDataset(dataset, _labels(dataset), prefix)


def _labels(dataset: Any) -> list[int]:
    """A torchvision dataset's labels, without opening its images."""
    field = next(name for name in ("targets", "labels", "_labels") if hasattr(dataset, name))  # each has one of them
    return [int(label) for label in getattr(dataset, field)]


def _imagenet(known: tuple[str, ...] | None, split: Split) -> DataSplits:
    folder = data_root() / "imagenet"
    if not (folder / "train").is_dir() or not (folder / "val").is_dir():
        raise GodeeperError(
            f"ImageNet is not in {str(folder)!r}: put its train/ and val/ there, one folder a synset (image-net.org gives it to "
            "who has an account; GODEEPER_DATA names another folder)"
        )
    return open_folder(folder, known, split)
