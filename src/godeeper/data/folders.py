"""Class folders: one folder a class, with or without `train/` and `val/` above them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import GodeeperError, unknown
from .dataset import DataSplits, FileDataset, check_tested
from .holdout import check_divisible, hold_out, holdout_note

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}


def open_folder(folder: Path, known: tuple[str, ...] | None) -> DataSplits:
    """The images of a folder; `known` is the label order of a trained network."""
    train = folder / "train"
    if train.is_dir() and any(entry.is_dir() for entry in train.iterdir()):  # with classes in it; else it is a class itself
        return _open_train_and_test(folder, known)
    classes = known or _classes(folder)
    images = _class_images(folder, classes)
    if known is None:
        check_divisible(classes, images.labels, str(folder))

    def subset(indices: list[int]) -> FileDataset:
        return FileDataset([images.files[index] for index in indices], [images.labels[index] for index in indices])

    into_train, into_test = hold_out(images.labels, [path.relative_to(folder).as_posix() for path in images.files])
    return DataSplits(classes, subset(into_train), subset(into_test), holdout_note())


def _open_train_and_test(folder: Path, known: tuple[str, ...] | None) -> DataSplits:
    train = folder / "train"
    test = next((folder / name for name in ("val", "test") if (folder / name).is_dir()), None)
    if test is None:
        raise GodeeperError(f"{str(folder)!r} has train/ but neither val/ nor test/: add one, or give {str(train)!r}")
    classes = known or _classes(train)
    train_images, test_images = _class_images(train, classes), _class_images(test, classes)
    if known is None:
        check_tested(classes, test_images.labels, f"{test.name}/ of {str(folder)!r}")
    return DataSplits(classes, train_images, test_images, f"folders train/ and {test.name}/")


def _class_folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(entry.name for entry in _class_folders(folder))
    if not names:
        raise _no_classes(folder)
    if len(names) == 1:
        raise GodeeperError(f"{str(folder)!r} has one class only, {names[0]!r}: at least two are needed")
    return names


def _no_classes(folder: Path) -> GodeeperError:
    return GodeeperError(f"{str(folder)!r} has no classes: put the images of each class in a folder of its own there")


def _class_images(folder: Path, classes: Sequence[str]) -> FileDataset:
    label_of = {name: label for label, name in enumerate(classes)}
    files: list[Path] = []
    labels: list[int] = []
    for entry in _class_folders(folder):
        if entry.name not in label_of:
            raise unknown(f"class in {str(folder)!r}", entry.name, classes)
        images = image_files(entry)
        if not images:
            raise GodeeperError(f"class {entry.name!r} of {str(folder)!r} holds no images ({', '.join(sorted(SUFFIXES))})")
        files += images
        labels += [label_of[entry.name]] * len(images)
    if not files:
        raise _no_classes(folder)
    return FileDataset(files, labels)


def image_files(folder: Path) -> list[Path]:
    """The files below `folder` that are named like images, sorted; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not path.is_dir()  # a link that leads nowhere stays, to be reported like any other bad image
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
