"""COCO's annotations: a json of images, boxes and categories."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from ..errors import GodeeperError, unknown
from ..fields import quoted
from .annotations import AnnotatedBox, AnnotatedImage, LeftOut, is_set, map_sound, read_annotation, split_named
from .walk import without_hidden

EXPORTED = "_annotations.coco.json"  # beside the images of a split, as Roboflow writes it
BOXES = "instances_"  # beside COCO's captions and key points of the same images
LARGEST_AREA = 1e10  # square pixels, where COCO's range of large objects ends
DEEPEST = 100  # folders in an image's name
ROOT = "none"  # the supercategory of Roboflow's first category, which groups the others


def is_coco(folder: Path) -> bool:
    """Whether the folder has COCO's layout, Roboflow's or Label Studio's."""
    return bool(_files(folder) or _exported(folder))


def _exported(folder: Path) -> list[Path]:
    return without_hidden(folder.glob(f"*/{EXPORTED}"), folder)


def _files(folder: Path) -> list[Path]:
    """The jsons that are not beside the images of a split: COCO's and CVAT's; or Label Studio's, which has images/ beside it."""
    return without_hidden((folder / "annotations").glob("*.json"), folder) or (
        without_hidden(folder.glob("*.json"), folder) if (folder / "images").is_dir() else []
    )


def read_coco(folder: Path, split: str, left_out: LeftOut) -> tuple[tuple[str, ...], list[AnnotatedImage]]:
    """The categories in the order of their numbers, and the annotated images of a split, in the file's order.

    What is unsound joins `left_out`, and so do categories that only group others.
    """
    file, folders = _file(folder, split)
    content = _parsed(file)
    images = _by_id(content, "images", "file_name", file)
    entries = _entries(content, "annotations", file)
    categories = _categories(content, entries, file, left_out)
    of_image: dict[Any, list[tuple[str, dict[str, Any]]]] = {number: [] for number in images}
    map_sound(entries, lambda entry: of_image[_image_id(*entry, images)].append(entry), left_out.boxes, lambda _: file)

    def annotated(number: Any) -> AnnotatedImage:
        where = f"{str(file)!r} ({images[number]['file_name']!r})"
        path = _path(images[number], folders, where)
        size = _size(images[number], where)
        boxes = map_sound(
            of_image[number], lambda entry: _annotated_box(*entry, categories), left_out.boxes, lambda _: path
        )  # fmt: skip
        return AnnotatedImage(path, where, boxes, size)

    every = map_sound(images, annotated, left_out.images, lambda number: images[number]["file_name"])
    _check_once([str(image.file) for image in every], "images", file)
    order = sorted(categories, key=lambda number: (isinstance(number, str), number))
    return tuple(categories[number]["name"] for number in order), every


def _file(folder: Path, split: str) -> tuple[Path, list[Path]]:
    """The json of a split, and where its images may lie."""
    exported = {path.parent.name: path for path in _exported(folder)}
    folder_name = split_named(split, exported)
    if folder_name is not None:
        return exported[folder_name], [folder / folder_name]
    files = _files(folder)
    files = [path for path in files if path.stem.startswith(BOXES)] or files
    by_name = {path.stem.removeprefix(BOXES): path for path in files}
    name = split.removeprefix(BOXES)
    word = re.compile(rf"(?<![a-z]){re.escape(name)}(?![a-z])", re.IGNORECASE)  # val is in val2017, and not in trainval
    known = split_named(name, by_name)
    matches = [known] if known is not None else [each for each in by_name if name and word.search(each)]
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
    try:
        content = json.loads(read_annotation(file))  # NaN is read as well: it makes one box unsound, not the file
    except RecursionError:
        raise GodeeperError(f"{str(file)!r} is not of COCO's form: its lists lie too deep in each other") from None
    except ValueError as error:
        raise GodeeperError(f"{str(file)!r} is not JSON, or is damaged: {error}") from None
    if not isinstance(content, dict):
        raise GodeeperError(f"{str(file)!r} is not of COCO's form: it holds no images, annotations and categories")
    return content


def _categories(
    content: dict[str, Any], entries: list[tuple[str, dict[str, Any]]], file: Path, left_out: LeftOut
) -> dict[Any, dict[str, Any]]:
    """The categories by their ids, without those that only group others, which join `left_out`."""
    categories = _by_id(content, "categories", "name", file)
    used = {number for _, entry in entries if isinstance(number := entry.get("category_id"), int | str)}
    parents = Counter(parent for category in categories.values() if isinstance(parent := category.get("supercategory"), str))

    def groups(number: Any) -> bool:
        """Whether other categories name it as theirs, or it alone, as Roboflow has it, is below none; and no object is of it."""
        name, parent = categories[number]["name"], categories[number].get("supercategory")
        is_parent = parents[name] > (parent == name)
        return number not in used and (is_parent or (parent == ROOT and parents[ROOT] == 1 < len(categories)))

    kept = {number: category for number, category in categories.items() if not groups(number)}
    left_out.categories += [categories[number]["name"] for number in categories if number not in kept]
    _check_once([category["name"] for category in kept.values()], "categories", file)
    return kept


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


def _image_id(where: str, entry: dict[str, Any], images: Collection[Any]) -> int | str:
    """The id of an annotation's image."""
    image = _id(entry, "image_id", where)
    if image not in images:
        raise GodeeperError(f"{where} is of the image {image!r}, which is not listed: list it, or take the annotation out")
    return image


def _annotated_box(where: str, entry: dict[str, Any], categories: Mapping[Any, dict[str, Any]]) -> AnnotatedBox:
    category = _id(entry, "category_id", where)
    if category not in categories:
        raise GodeeperError(f"{where} is of the category {category!r}, which is not listed: list it, or take the annotation out")
    bbox = entry.get("bbox")
    try:
        if not isinstance(bbox, list) or any(type(value) not in (int, float) for value in bbox):
            raise ValueError
        left, top, width, height = map(float, bbox)
    except (ValueError, OverflowError):
        raise GodeeperError(
            f"{where} has the box {quoted(bbox)}, which is not four numbers x, y, width, height: correct it or take it out"
        ) from None
    box, words = (left, top, left + width, top + height), f"{bbox} in {where.rpartition(' ')[2]}"
    difficult = is_set(entry.get("iscrowd")) or is_set(entry.get("ignore"))
    return AnnotatedBox(categories[category]["name"], box, difficult, words, _outline_area(entry))


def _outline_area(entry: dict[str, Any]) -> float | None:
    """COCO's area of the object's outline, less than its box's; None where it is not given."""
    value = entry.get("area")
    return float(value) if isinstance(value, int | float) and 0 <= value < LARGEST_AREA else None


def _path(entry: dict[str, Any], folders: list[Path], where: str) -> Path:
    """Where an image is; where it might be, if it is nowhere.

    Annotation tools name images by absolute paths, or by paths from where they themselves lie: then the image counts that lies
    below one of the folders under the longest end of that path. Nothing outside them is looked at.
    """
    path = PureWindowsPath(entry["file_name"])  # which takes both kinds of slashes, and knows drives
    parts = [part for part in path.parts if part not in (path.anchor, "..")]
    if not 0 < len(parts) <= DEEPEST:  # each is looked for below each of the folders
        raise GodeeperError(f"{where}: its image's name is not that of a file: correct it")
    candidates = [folder.joinpath(*parts[start:]) for start in range(len(parts)) for folder in folders]
    return next((candidate for candidate in candidates if os.path.isfile(candidate)), candidates[0])


def _size(entry: dict[str, Any], where: str) -> tuple[float, float] | None:
    width, height = (entry.get(side) or 0 for side in ("width", "height"))
    if any(not isinstance(side, int | float) or not 0 <= side < 1e9 for side in (width, height)):
        raise GodeeperError(f"{where}: its size, {quoted(width)} by {quoted(height)}, is no size in pixels: correct it")
    return (width, height) if width and height else None
