"""The validation set of ILSVRC 2012 as released, `ilsvrc:IMAGES,KIT`: its images, its development kit, its blacklist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import GodeeperError
from .dataset import DataSplits, FileDataset, ImageDataset
from .ilsvrc_kit import NUMBER, VALIDATION_IMAGES, all_synsets, kit_labels, lines, synsets
from .walk import is_folder, visible

BLACKLISTED = 1_762  # lines of the 2014 kit's list; arXiv 1602.07261, Section 5, says "about 1700"

RELEASED = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")
NUMBERED = re.compile(r"ILSVRC2012_val_(\d{8})\.\w+")  # re-encoded or converted, it is the same image


def open_ilsvrc(data: str, known: tuple[str, ...] | None) -> DataSplits:
    """The validation images of ILSVRC 2012, all of them for testing; `known` is the label order of a trained network.

    `ilsvrc:IMAGES,KIT`: the flat folder of ILSVRC2012_val_00000001.JPEG and so on, and the development kit's folder or its
    ground truth file. `ilsvrc:IMAGES`: one folder a synset; a kit given as well is held against them. Not all 50,000 need be
    there: `split_note` says how many are. GodeeperError, with the remedy, for names, labels or an order of synsets that are
    not the challenge's, for an image without a label or there twice, for what is missing, and for other classes in `known`.
    """
    folder, kit = _paths(data)
    files, folder_labels = _images(folder)
    if kit is not None:
        labels = kit_labels(kit, files)
        _check_agreement(folder_labels, labels, files, kit)
    elif folder_labels:
        labels = folder_labels
    else:
        raise GodeeperError(
            f"{str(folder)!r} holds the images without their labels: name the development kit too, 'ilsvrc:{folder},KIT',"
            " KIT being the folder ILSVRC2012_devkit_t12 or the ground truth file in it"
        )
    classes = _classes(known)
    label_of = {synset: label for label, synset in enumerate(classes)}
    numbers = sorted(files)
    test = FileDataset([files[number] for number in numbers], [label_of[labels[number]] for number in numbers])
    return DataSplits(classes, FileDataset([], []), test, _note(len(numbers)))


def without_blacklisted(images: ImageDataset, file: Path) -> tuple[FileDataset, int]:
    """The images whose number a file does not list, and how many were left out: the kit's blacklist, a number a line.

    GodeeperError for a file that is not there, or with a line that is no number of a validation image or is there twice; for
    images without numbers; and where every image would be left out.
    """
    listed = _blacklist(file)
    numbered = [_numbered(images, index) for index in range(len(images))]
    kept = [index for index, (_, number) in enumerate(numbered) if number not in listed]
    if not kept:
        raise GodeeperError(f"without those that {str(file)!r} lists, none of the {len(images)} images remains to evaluate on")
    left = FileDataset([numbered[index][0] for index in kept], [images.labels[index] for index in kept])
    return left, len(images) - len(kept)


def _paths(data: str) -> tuple[Path, Path | None]:
    """The folder of images, and the kit where one is named."""
    name, kit = data.removeprefix("ilsvrc:"), None
    if "," in name and not Path(name).is_dir():  # a folder's own name may have a comma
        name, _, kit = name.rpartition(",")
    if not name or kit == "":
        raise GodeeperError(f"{data!r} is not of the form ilsvrc:IMAGES or ilsvrc:IMAGES,KIT")
    folder = Path(name)
    if folder.is_file():
        raise GodeeperError(f"{name!r} is a file: unpack it, and give the folder that holds the validation images")
    if not folder.is_dir():
        raise GodeeperError(f"there is no folder {name!r}: give the one that holds the validation images of ILSVRC 2012")
    if kit and not Path(kit).exists():
        raise GodeeperError(f"there is no kit {kit!r}: give the folder ILSVRC2012_devkit_t12 or the ground truth file in it")
    return folder, Path(kit) if kit else None


def _images(folder: Path) -> tuple[dict[int, Path], dict[int, str]]:
    """The images by number, and by number the synsets whose folders they are in: none in a flat folder."""
    folders, others = _entries(folder)
    if folders and any(RELEASED.fullmatch(name) for name in others):
        raise GodeeperError(f"{str(folder)!r} holds images and also the folder {folders[0]!r}: have the one or the other there")
    if folders and others:
        raise GodeeperError(f"{str(folder)!r} holds {others[0]!r} beside its class folders: take it out of there")
    files: dict[int, Path] = {}
    labels: dict[int, str] = {}
    for name in folders:
        if name not in all_synsets():
            raise GodeeperError(
                f"{str(folder / name)!r} is no class of ILSVRC 2012: give the folder that holds one folder a synset, such as"
                " n01440764, or the flat folder of images"
            )
        inside = _by_number(folder / name)
        for number in sorted(inside.keys() & files.keys()):
            raise GodeeperError(f"image {number} is there twice, as {str(files[number])!r} and {str(inside[number])!r}: keep one")
        files |= inside
        labels |= dict.fromkeys(inside, name)
    if not folders:
        files = _by_number(folder)
    if not files:
        raise GodeeperError(f"{str(folder)!r} holds no images: ILSVRC2012_val_00000001.JPEG and so on belong there")
    return files, labels


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the folders and of all else that is visible in a folder, sorted."""
    entries = visible(folder)
    return [entry.name for entry in entries if is_folder(entry)], [entry.name for entry in entries if not is_folder(entry)]


def _by_number(folder: Path) -> dict[int, Path]:
    """What a folder holds, by the number in its name; GodeeperError for a name that the release does not have."""
    files: dict[int, Path] = {}
    folders, others = _entries(folder)
    for name in (*folders, *others):
        match = RELEASED.fullmatch(name)
        number = int(match[1]) if match else 0
        if not 1 <= number <= VALIDATION_IMAGES:
            raise GodeeperError(
                f"{str(folder / name)!r} is not named as a validation image is, ILSVRC2012_val_00000001.JPEG to"
                f" ILSVRC2012_val_{VALIDATION_IMAGES:08}.JPEG: take it out of there"
            )
        files[number] = folder / name
    return files


def _check_agreement(folder_labels: dict[int, str], labels: dict[int, str], files: dict[int, Path], kit: Path) -> None:
    """GodeeperError for an image that lies in the folder of another synset than the kit's."""
    for number, synset in sorted(folder_labels.items()):
        if synset != labels[number]:
            raise GodeeperError(
                f"{str(files[number])!r} is of {labels[number]} by the ground truth of {str(kit)!r}: it lies in the wrong folder,"
                " or the kit is another set's"
            )


def _classes(known: tuple[str, ...] | None) -> tuple[str, ...]:
    """The label order; GodeeperError, with the difference, where a network's classes are not the 1000 synsets."""
    own = synsets()
    if known is None or sorted(known) == list(own):
        return known or own
    missing = sorted(all_synsets() - set(known))
    extra = [name for name in known if name not in all_synsets()]
    difference = [f"{what}: {_few(names)}" for what, names in (("lacks", missing), ("has in their place", extra)) if names]
    raise GodeeperError(
        f"the network's {len(known)} classes are not the 1000 synsets of ILSVRC 2012;"
        f" it {'; it '.join(difference) or 'has one of them twice'}"
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" ... ({len(names)} in all)" if len(names) > 4 else "")


def _note(count: int) -> str:
    if count == VALIDATION_IMAGES:
        return "ILSVRC 2012, validation"
    return f"ILSVRC 2012, {count:,} of the {VALIDATION_IMAGES:,} validation images: figures are not the papers'"


def _blacklist(file: Path) -> set[int]:
    listed: set[int] = set()
    for number, line in enumerate(lines(file), 1):
        if not NUMBER.fullmatch(line) or not 1 <= int(line) <= VALIDATION_IMAGES:
            raise GodeeperError(
                f"{str(file)!r}, line {number}: {line[:60]!r} is no number of a validation image, 1 to {VALIDATION_IMAGES}"
            )
        if int(line) in listed:
            raise GodeeperError(f"{str(file)!r}, line {number}: image {line} is listed twice; take the kit's own file")
        listed.add(int(line))
    return listed


def _numbered(images: ImageDataset, index: int) -> tuple[Path, int]:
    """An image's file and the number in its name."""
    file = images.raw(index)
    match = NUMBERED.fullmatch(file.name) if isinstance(file, Path) else None
    if match is None:
        raise GodeeperError(
            f"{images.name(index)!r} has no number to look for in a blacklist: only files named as ILSVRC 2012's validation"
            " images are, ILSVRC2012_val_00000001.JPEG, have one"
        )
    assert isinstance(file, Path)
    return file, int(match[1])
