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
from .annotations import AnnotatedBox, AnnotatedImage, map_all, read_annotation

EXPORTED = "_annotations.coco.json"  # beside the images of a split, as annotation tools write it
BOXES = "instances_"  # beside COCO's captions and key points of the same images


def is_coco(folder: Path) -> bool:
    """Whether the folder has COCO's layout."""
    return any((folder / "annotations").glob("*.json")) or any(folder.glob(f"*/{EXPORTED}"))


def read_coco(folder: Path, split: str) -> tuple[tuple[str, ...], list[AnnotatedImage]]:
    """The categories in the order of their numbers, and the annotated images of a split, in the file's order."""
    file, folders = _file(folder, split)
    content = _parsed(file)
    categories = _by_id(content, "categories", "name", file)
    images = _by_id(content, "images", "file_name", file)
    _check_once([str(category["name"]) for category in categories.values()], "categories", file)
    paths = dict(zip(images, map_all(images.values(), lambda entry: _path(entry, folders, file)), strict=True))
    _check_once([str(path) for path in paths.values()], "images", file)

    def read_box(entry: tuple[str, dict[str, Any]]) -> tuple[Any, AnnotatedBox]:
        return _annotated_box(*entry, categories, images)

    boxes: dict[Any, list[AnnotatedBox]] = {number: [] for number in images}
    for number, box in map_all(_entries(content, "annotations", file), read_box):
        boxes[number].append(box)

    def annotated(number: Any) -> AnnotatedImage:
        where = f"{str(file)!r} ({images[number]['file_name']!r})"
        return AnnotatedImage(paths[number], where, boxes[number], _size(images[number], where))

    order = sorted(categories, key=lambda number: (isinstance(number, str), number))
    return tuple(categories[number]["name"] for number in order), map_all(images, annotated)


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
    matches = [name] if name in by_name else [each for each in by_name if name and word.search(each)]
    if not matches:
        raise unknown(f"split of {str(folder)!r}", split, [*by_name, *exported])
    if len(matches) > 1:
        raise GodeeperError(f"the split {split!r} of {str(folder)!r} may be any of {', '.join(matches)}: give its whole name")
    subfolders = dict.fromkeys((matches[0], name))
    return by_name[matches[0]], [
        *(folder / each for each in subfolders),
        *(folder / "images" / each for each in subfolders),
        folder / "images",
        folder,
    ]


def _parsed(file: Path) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number")

    try:
        content = json.loads(read_annotation(file), parse_constant=refuse)
    except RecursionError:
        raise GodeeperError(f"{str(file)!r} is not of COCO's form: its lists lie too deep in each other") from None
    except ValueError as error:
        raise GodeeperError(f"{str(file)!r} is not JSON, or is damaged: {error}") from None
    if not isinstance(content, dict):
        raise GodeeperError(f"{str(file)!r} is not of COCO's form: it holds no images, annotations and categories")
    return content


def _entries(content: dict[str, Any], key: str, file: Path) -> list[tuple[str, dict[str, Any]]]:
    """The entries of a list of the file, each with the words that say where it is."""
    entries = content.get(key)
    if not isinstance(entries, list):
        raise GodeeperError(f"{str(file)!r} is not of COCO's form: it holds no list of {key}")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise GodeeperError(f"{str(file)!r}: {key}[{index}] is not an object of JSON")
    return [(f"{str(file)!r}: {key}[{index}]", entry) for index, entry in enumerate(entries)]


def _by_id(content: dict[str, Any], key: str, text: str, file: Path) -> dict[Any, dict[str, Any]]:
    """The entries of a list by their ids; each has a text of that name."""
    by_id: dict[Any, dict[str, Any]] = {}
    for where, entry in _entries(content, key, file):
        number = _id(entry, "id", where)
        if not isinstance(entry.get(text), str) or not entry[text]:
            raise GodeeperError(f"{where} has no {text}: give it one")
        if number in by_id:
            raise GodeeperError(f"{where} has the id {number!r}, as another of the {key} has: give each its own")
        by_id[number] = entry
    return by_id


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


def _annotated_box(
    where: str, entry: dict[str, Any], categories: dict[Any, dict[str, Any]], images: Collection[Any]
) -> tuple[Any, AnnotatedBox]:
    """The id of its image, and the object."""
    image, category = _id(entry, "image_id", where), _id(entry, "category_id", where)
    if image not in images:
        raise GodeeperError(f"{where} is of the image {image!r}, which is not listed: list it, or take the annotation out")
    if category not in categories:
        raise GodeeperError(f"{where} is of the category {category!r}, which is not listed: list it, or take the annotation out")
    bbox = entry.get("bbox")
    try:
        if not isinstance(bbox, list) or any(type(value) not in (int, float) for value in bbox):
            raise ValueError
        left, top, width, height = map(float, bbox)
    except (ValueError, OverflowError):
        raise GodeeperError(
            f"{where} has the box {str(bbox)[:60]}, which is not four numbers x, y, width, height: correct it or take it out"
        ) from None
    box, quoted = (left, top, left + width, top + height), f"{bbox} in {where.rpartition(' ')[2]}"
    return image, AnnotatedBox(categories[category]["name"], box, entry.get("iscrowd") == 1, quoted)


def _path(entry: dict[str, Any], folders: list[Path], file: Path) -> Path:
    """Where an image is; where it might be, if it is nowhere."""
    path = PureWindowsPath(entry["file_name"])  # which takes both kinds of slashes, and knows drives
    if path.anchor or ".." in path.parts or not path.name:
        raise GodeeperError(f"{str(file)!r} lists {entry['file_name']!r}, which is not the name of an image below its folder")
    candidates = [folder.joinpath(*path.parts) for folder in folders]
    return next((candidate for candidate in candidates if os.path.isfile(candidate)), candidates[0])


def _size(entry: dict[str, Any], where: str) -> tuple[float, float] | None:
    width, height = (entry.get(side) or 0 for side in ("width", "height"))
    if any(not isinstance(side, int | float) or not 0 <= side < 1e9 for side in (width, height)):
        raise GodeeperError(f"{where}: its size, {str(width)[:40]} by {str(height)[:40]}, is no size in pixels: correct it")
    return (width, height) if width and height else None
