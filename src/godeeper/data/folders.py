"""Class folders: one folder a class, with or without folders for training and for testing above them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import GodeeperError, unknown
from .dataset import DataSplits, FileDataset, PathList, Split, check_tested
from .decode import SUFFIXES
from .holdout import check_divisible, hold_out, holdout_note
from .walk import LeftOutFiles, is_broken, is_folder, list_images, suffix_of, visible

# What the folders of the splits are called, in any case; also as one word of several, as in seg_train, test_set and 测试 (10%).
SPLIT_NAMES = {
    "train": ("train", "training", "trainset", "trainingset", "trainval", "训练", "训练集"),
    "val": ("val", "valid", "validation", "valset", "validationset", "验证", "验证集"),
    "test": ("test", "testing", "testset", "testingset", "测试", "测试集"),
}


def open_folder(folder: Path, known: tuple[str, ...] | None, split: Split = "all") -> DataSplits:
    """The images of a folder; `known` is the label order of a trained network.

    Of folders for training and testing, only the latter is listed where `split` is "test". What is left out of a folder is
    counted in a warning. GodeeperError where a layout may mean two things.
    """
    left_out = LeftOutFiles()
    root = _unpacked(folder, known)
    pair = _split_folders(root, known, split)
    splits = _held_out(root, known, left_out) if pair is None else _separate(root, pair, known, split, left_out)
    left_out.log(root)
    return splits


def _held_out(folder: Path, known: tuple[str, ...] | None, left_out: LeftOutFiles) -> DataSplits:
    """One folder a class, of each of which a share is held out for testing."""
    classes = known or _classes(folder)
    names, labels = _class_images(folder, classes, left_out)
    if known is None:
        check_divisible(classes, labels, str(folder))
    into_train, into_test = hold_out(labels, _relative(names, folder))

    def subset(indices: list[int]) -> FileDataset:
        return FileDataset(PathList([names[index] for index in indices]), [labels[index] for index in indices])

    return DataSplits(classes, subset(into_train), subset(into_test), holdout_note())


def _relative(names: Iterable[str], folder: Path) -> list[str]:
    """Names of files below a folder, from there, with /."""
    start = len(os.path.join(folder, ""))  # as the walk joins names, also of "."
    return [name[start:].replace(os.sep, "/") for name in names]


def _separate(
    folder: Path, pair: tuple[Path | None, Path], known: tuple[str, ...] | None, split: Split, left_out: LeftOutFiles
) -> DataSplits:
    """Folders for training and for testing, the classes in each."""
    train, test = pair
    left_out.folders.update(name for name in _names_of_folders(folder, left_out) if _split_of(name) is None)
    classes = known or _classes(_unpacked(train or test, known))
    train_images = FileDataset([], []) if train is None or split == "test" else _images_of_split(train, classes, known, left_out)
    test_images = _images_of_split(test, classes, known, left_out)
    if known is None:
        check_tested(classes, test_images.labels, f"{test.name}/ of {str(folder)!r}")
    note = f"folder {test.name}/" if train is None else f"folders {train.name}/ and {test.name}/"
    return DataSplits(classes, train_images, test_images, note)


def _images_of_split(folder: Path, classes: Sequence[str], known: tuple[str, ...] | None, left_out: LeftOutFiles) -> FileDataset:
    names, labels = _class_images(_unpacked(folder, known), classes, left_out)
    return FileDataset(PathList(names), labels)


def _unpacked(folder: Path, known: tuple[str, ...] | None) -> Path:
    """The folder that holds the classes or splits: archives are often unpacked into one of their own, archive/archive/."""
    while True:
        entries = visible(folder)
        folders = [entry for entry in entries if is_folder(entry)]
        if len(folders) != 1 or folders[0].name in (known or ()) or _has_images(entries):
            return folder
        (only,) = folders
        below = visible(only.path)
        if (_split_of(only.name) and only.name != folder.name) or _has_images(below) or not any(map(is_folder, below)):
            return folder
        folder /= only.name


def _has_images(entries: Iterable[os.DirEntry[str]]) -> bool:
    return any(suffix_of(entry.name) in SUFFIXES and not is_folder(entry) for entry in entries)


def _split_of(name: str) -> str | None:
    """Which split a folder of that name holds: "train", "val" or "test"."""
    words = re.split(r"[\W\d_]+", name.lower())
    return next((split for split, names in SPLIT_NAMES.items() if any(word in names for word in words)), None)


def _split_folders(folder: Path, known: tuple[str, ...] | None, split: Split) -> tuple[Path | None, Path] | None:
    """The folders for training and for testing; None where the folders are classes. GodeeperError where they may be either.

    With `split` "test", there need be none for training.
    """
    names = _names_of_folders(folder)
    with_classes = [name for name in names if _split_of(name) and _has_folders(folder / name)]
    train, val, test = (_only([name for name in with_classes if _split_of(name) == each], folder) for each in SPLIT_NAMES)
    held_out = val or test
    if train and held_out:
        return folder / train, folder / held_out
    if held_out and _is_plain(held_out) and held_out not in (known or ()) and all(map(_split_of, names)):
        if split == "test":
            return None, folder / held_out
        if names == [held_out]:
            raise GodeeperError(
                f"{str(folder)!r} has {held_out}/ but no train/ with classes: add one, or give {str(folder / held_out)!r}"
            )
    if train and _is_plain(train):
        raise GodeeperError(
            f"{str(folder)!r} has {train}/ but neither val/ nor test/ with classes: add one, or give {str(folder / train)!r}"
        )
    if len(names) > 1 and all(map(_split_of, names)) and len({_split_of(name) for name in names}) > 1:
        layout = ", ".join(f"{name}/" for name in names)
        what = "no split to train on" if with_classes else "no class folders in them"
        raise GodeeperError(
            f"{str(folder)!r} holds {layout}, which are splits of a dataset, but {what}: make it train/CLASS/ and val/CLASS/,"
            " or rename the folders if they are classes"
        )
    return None


def _only(names: list[str], folder: Path) -> str | None:
    """The one folder of a split: of several, the one that is called so and no more. GodeeperError where that leaves two."""
    plain = [name for name in names if _is_plain(name)] or names
    if len(plain) > 1:
        listed = " and ".join(f"{name}/" for name in plain)
        raise GodeeperError(f"{str(folder)!r} has {listed}, which may be the same split: leave one of them there")
    return plain[0] if plain else None


def _is_plain(name: str) -> bool:
    """Whether a split is called so and no more."""
    return any(name.lower() in names for names in SPLIT_NAMES.values())


def _has_folders(folder: Path) -> bool:
    return any(is_folder(entry) for entry in visible(folder))


def _names_of_folders(folder: Path, left_out: LeftOutFiles | None = None) -> list[str]:
    return [entry.name for entry in visible(folder, left_out) if is_folder(entry)]


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(_names_of_folders(folder))
    if not names:
        raise _no_classes(folder)
    if len(names) == 1:
        raise GodeeperError(f"{str(folder)!r} has one class only, {names[0]!r}: at least two are needed")
    return names


def _no_classes(folder: Path) -> GodeeperError:
    return GodeeperError(f"{str(folder)!r} has no classes: put the images of each class in a folder of its own there")


def _class_images(folder: Path, classes: Sequence[str], left_out: LeftOutFiles) -> tuple[list[str], list[int]]:
    """The names of the images below each class's folder, and their labels."""
    label_of = {name: label for label, name in enumerate(classes)}
    files: list[str] = []
    labels: list[int] = []
    for entry in visible(folder, left_out):
        if is_folder(entry):
            if entry.name not in label_of:
                raise unknown(f"class in {str(folder)!r}", entry.name, classes)
            images = _images_of_class(entry, folder, left_out)
            files += images
            labels += [label_of[entry.name]] * len(images)
        elif suffix_of(entry.name) in SUFFIXES:
            left_out.stray += 1
        elif is_broken(entry):
            raise GodeeperError(f"{entry.path!r} is a link that leads nowhere: mend it, or remove it if it is no class")
    if not files:
        raise _no_classes(folder)
    return files, labels


def _images_of_class(entry: os.DirEntry[str], folder: Path, left_out: LeftOutFiles) -> list[str]:
    of_class = LeftOutFiles()
    images = list_images(entry.path, of_class)
    if not images:
        others = f", but {of_class.line()}" if of_class.line() else ""
        raise GodeeperError(f"class {entry.name!r} of {str(folder)!r} holds no images ({', '.join(sorted(SUFFIXES))}){others}")
    left_out.add(of_class)
    return images
