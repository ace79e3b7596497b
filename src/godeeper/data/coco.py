"""COCO's annotations: a json of images, boxes and categories."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path, PureWindowsPath
from typing import Any, NoReturn

from ..errors import GodeeperError, unknown
from .objects import Annotated, Drawn, content, for_each

EXPORTED = "_annotations.coco.json"  # beside the images of a split, as annotation tools write it
BOXES = "instances_"  # beside COCO's captions and key points of the same images


def holds_coco(folder: Path) -> bool:
    """Whether the folder is laid out as COCO's."""
    return any((folder / "annotations").glob("*.json")) or any(folder.glob(f"*/{EXPORTED}"))


def read_coco(folder: Path, split: str) -> tuple[tuple[str, ...], list[Annotated]]:
    """The categories in the order of their numbers, and the annotated images of a split, in the file's order."""
    file, places = _file(folder, split)
    document = _parsed(file)
    names = _by_id(document, "categories", "name", file)
    listed = _by_id(document, "images", "file_name", file)
    _check_once([str(category["name"]) for category in names.values()], "categories", file)
    images = dict(zip(listed, for_each(listed.values(), lambda record: _image(record, places, file)), strict=True))
    _check_once([str(image) for image in images.values()], "images", file)

    def drawn(entry: tuple[str, dict[str, Any]]) -> tuple[Any, Drawn]:
        return _drawn(*entry, names, listed)

    objects: dict[Any, list[Drawn]] = {number: [] for number in listed}
    for number, one in for_each(_entries(document, "annotations", file), drawn):
        objects[number].append(one)

    def annotated(number: Any) -> Annotated:
        where = f"{str(file)!r} ({listed[number]['file_name']!r})"
        return Annotated(images[number], where, objects[number], _size(listed[number], where))

    order = sorted(names, key=lambda number: (isinstance(number, str), number))
    return tuple(names[number]["name"] for number in order), for_each(listed, annotated)


def _file(folder: Path, split: str) -> tuple[Path, list[Path]]:
    """The json of a split, and where its images may lie."""
    exported = {path.parent.name: path for path in sorted(folder.glob(f"*/{EXPORTED}"))}
    if split in exported:
        return exported[split], [folder / split]
    files = sorted((folder / "annotations").glob("*.json"))
    files = [path for path in files if path.stem.startswith(BOXES)] or files
    by_name = {path.stem.removeprefix(BOXES): path for path in files}
    name = split.removeprefix(BOXES)
    word = re.compile(rf"(?<![a-z]){re.escape(name)}(?![a-z])", re.IGNORECASE)  # val is in val2017, and not in trainval
    found = [name] if name in by_name else [each for each in by_name if name and word.search(each)]
    if not found:
        raise unknown(f"split of {str(folder)!r}", split, [*by_name, *exported])
    if len(found) > 1:
        raise GodeeperError(f"the split {split!r} of {str(folder)!r} may be any of {', '.join(found)}: give its whole name")
    own = dict.fromkeys((found[0], name))
    return by_name[found[0]], [
        *(folder / each for each in own),
        *(folder / "images" / each for each in own),
        folder / "images",
        folder,
    ]


def _parsed(file: Path) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number")

    try:
        document = json.loads(content(file), parse_constant=refuse)
    except RecursionError:
        raise GodeeperError(f"{str(file)!r} is not of COCO's form: its lists lie too deep in each other") from None
    except ValueError as error:
        raise GodeeperError(f"{str(file)!r} is not JSON, or is damaged: {error}") from None
    if not isinstance(document, dict):
        raise GodeeperError(f"{str(file)!r} is not of COCO's form: it holds no images, annotations and categories")
    return document


def _entries(document: dict[str, Any], part: str, file: Path) -> list[tuple[str, dict[str, Any]]]:
    """The entries of a part of the document, each with the words that say where it is."""
    entries = document.get(part)
    if not isinstance(entries, list):
        raise GodeeperError(f"{str(file)!r} is not of COCO's form: it holds no list of {part}")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise GodeeperError(f"{str(file)!r}: {part}[{index}] is not an object of JSON")
    return [(f"{str(file)!r}: {part}[{index}]", entry) for index, entry in enumerate(entries)]


def _by_id(document: dict[str, Any], part: str, text: str, file: Path) -> dict[Any, dict[str, Any]]:
    """The entries of a part by their numbers, each of which has a text of that name."""
    found: dict[Any, dict[str, Any]] = {}
    for where, entry in _entries(document, part, file):
        number = _id(entry, "id", where)
        if not isinstance(entry.get(text), str) or not entry[text]:
            raise GodeeperError(f"{where} has no {text}: give it one")
        if number in found:
            raise GodeeperError(f"{where} has the id {number!r}, as another of the {part} has: give each its own")
        found[number] = entry
    return found


def _id(entry: dict[str, Any], name: str, where: str) -> int | str:
    number = entry.get(name)
    if not isinstance(number, int | str):
        raise GodeeperError(f"{where} has no {name}, a whole number: give it one")
    return number


def _check_once(texts: list[str], what: str, file: Path) -> None:
    twice = [text for text, times in Counter(texts).items() if times > 1]
    if twice:
        more = f" (and {len(twice) - 1:,} more)" if len(twice) > 1 else ""
        raise GodeeperError(f"{str(file)!r} lists {twice[0]!r} twice among its {what}: each counts once{more}")


def _drawn(where: str, entry: dict[str, Any], names: dict[Any, dict[str, Any]], listed: Collection[Any]) -> tuple[Any, Drawn]:
    """The number of its image, and the object."""
    record, category = _id(entry, "image_id", where), _id(entry, "category_id", where)
    if record not in listed:
        raise GodeeperError(f"{where} is of the image {record!r}, which is not listed: list it, or take the annotation out")
    if category not in names:
        raise GodeeperError(f"{where} is of the category {category!r}, which is not listed: list it, or take the annotation out")
    box = entry.get("bbox")
    try:
        if not isinstance(box, list) or any(type(value) not in (int, float) for value in box):
            raise ValueError
        left, top, width, height = map(float, box)
    except (ValueError, OverflowError):
        raise GodeeperError(
            f"{where} has the box {str(box)[:60]}, which is not four numbers x, y, width, height: correct it or take it out"
        ) from None
    written = f"{box} in {where.rpartition(' ')[2]}"
    return record, Drawn(names[category]["name"], (left, top, left + width, top + height), entry.get("iscrowd") == 1, written)


def _image(record: dict[str, Any], places: list[Path], file: Path) -> Path:
    """Where an image is; where it might be, if it is nowhere."""
    path = PureWindowsPath(record["file_name"])  # which takes both kinds of slashes, and knows drives
    if path.anchor or ".." in path.parts or not path.name:
        raise GodeeperError(f"{str(file)!r} lists {record['file_name']!r}, which is not the name of an image below its folder")
    candidates = [place.joinpath(*path.parts) for place in places]
    return next((candidate for candidate in candidates if os.path.isfile(candidate)), candidates[0])


def _size(record: dict[str, Any], where: str) -> tuple[float, float] | None:
    width, height = (record.get(side) or 0 for side in ("width", "height"))
    if any(not isinstance(side, int | float) or not 0 <= side < 1e9 for side in (width, height)):
        raise GodeeperError(f"{where}: its size, {str(width)[:40]} by {str(height)[:40]}, is no size in pixels: correct it")
    return (width, height) if width and height else None
