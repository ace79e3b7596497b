"""Class folders: one folder a class, with or without `train/` and `val/` above them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import GodeeperError, unknown
from .sources import FileDataset, Source, check_tested
from .split import check_divisible, split, split_note

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}


def open_folder(folder: Path, known: tuple[str, ...] | None) -> Source:
    """The images of a folder; `known` is the label order of a trained network."""
    train = folder / "train"
    tests = [folder / name for name in ("val", "test") if (folder / name).is_dir()]
    if train.is_dir() and any(entry.is_dir() for entry in train.iterdir()):  # with classes in it; else it is a class itself
        if not tests:
            raise GodeeperError(f"{str(folder)!r} has train/ but neither val/ nor test/: add one, or give {str(train)!r}")
        classes = known or _classes(train)
        test = tests[0]
        parts = _class_images(train, classes), _class_images(test, classes)
        if known is None:
            check_tested(classes, parts[1].labels, f"{test.name}/ of {str(folder)!r}")
        return Source(classes, *parts, f"folders train/ and {test.name}/")
    classes = known or _classes(folder)
    everything = _class_images(folder, classes)
    if known is None:
        check_divisible(classes, everything.labels, str(folder))

    def pick(chosen: list[int]) -> FileDataset:
        return FileDataset([everything.files[i] for i in chosen], [everything.labels[i] for i in chosen])

    into_train, into_test = split(everything.labels, [path.relative_to(folder).as_posix() for path in everything.files])
    return Source(classes, pick(into_train), pick(into_test), split_note())


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")))
    if not names:
        raise GodeeperError(f"{str(folder)!r} has no classes: put the images of each class in a folder of its own there")
    if len(names) == 1:
        raise GodeeperError(f"{str(folder)!r} has one class only, {names[0]!r}: at least two are needed")
    return names


def _class_images(folder: Path, classes: Sequence[str]) -> FileDataset:
    label_of = {name: label for label, name in enumerate(classes)}
    files: list[Path] = []
    labels: list[int] = []
    for entry in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        if entry.name not in label_of:
            raise unknown(f"class in {str(folder)!r}", entry.name, classes)
        found = image_files(entry)
        if not found:
            raise GodeeperError(f"class {entry.name!r} of {str(folder)!r} holds no images ({', '.join(sorted(SUFFIXES))})")
        files += found
        labels += [label_of[entry.name]] * len(found)
    if not files:
        raise GodeeperError(f"{str(folder)!r} has no classes: put the images of each class in a folder of its own there")
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
