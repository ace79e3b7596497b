"""Pascal VOC's folders: Annotations/*.xml, JPEGImages/, and lists of stems in ImageSets/Main."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ..errors import GodeeperError, unknown
from .annotations import AnnotatedBox, AnnotatedImage, map_all, read_annotation
from .decode import SUFFIXES

LISTS = Path("ImageSets/Main")
PER_CLASS = re.compile(r"\S+_(train|val|trainval|test)")  # VOC's lists of one class each, which are no splits
FLAGGED = re.compile(r"\s+-?[01]$")  # what such a list says of each of its images
SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_voc(folder: Path) -> bool:
    """Whether the folder has Pascal VOC's layout."""
    return (folder / "Annotations").is_dir() and (folder / LISTS).is_dir()


def read_voc(folder: Path, split: str, known: Sequence[str] | None = None) -> tuple[tuple[str, ...], list[AnnotatedImage]]:
    """The classes, and the annotated images of a split in its order.

    The classes are the known ones, or else, so that each split has the same, the names in all annotations of the folder.
    """
    annotations = _by_stem(folder / "Annotations", {".xml"})
    stems = _stems(folder, split, annotations)
    images = _by_stem(folder / "JPEGImages", SUFFIXES)

    def read(stem: str) -> AnnotatedImage:
        if stem not in annotations:
            raise GodeeperError(
                f"{str(_list(folder, split))!r} lists {stem!r}, which has no annotation"
                f" {str(folder / 'Annotations' / f'{stem}.xml')!r}: add it, or take {stem!r} off the list"
            )
        return _annotated_image(annotations[stem], images.get(stem, folder / "JPEGImages" / f"{stem}.jpg"))

    annotated = map_all(stems, read)
    if known is not None:
        return tuple(known), annotated
    others = map_all(sorted(annotations.keys() - set(stems)), read)
    return tuple(sorted({box.name for image in (*annotated, *others) for box in image.boxes})), annotated


def _list(folder: Path, split: str) -> Path:
    return folder / LISTS / f"{split}.txt"


def _stems(folder: Path, split: str, known: Collection[str]) -> list[str]:
    splits = [path.stem for path in (folder / LISTS).glob("*.txt")]
    if not splits:
        raise GodeeperError(f"{str(folder / LISTS)!r} holds no lists: write train.txt there, the name of an image a line")
    if split not in splits:
        raise unknown(f"split of {str(folder)!r}", split, [name for name in splits if not PER_CLASS.fullmatch(name)] or splits)
    file = _list(folder, split)
    lines = read_annotation(file).decode("utf-8-sig", errors="replace").splitlines()
    names = [line.strip() for line in lines if line.strip()]
    stems = [name if name in known else FLAGGED.sub("", name) for name in names]
    times = Counter(stems)

    def check(stem: str) -> str:
        if "/" in stem or "\\" in stem or stem.startswith("."):
            raise GodeeperError(f"{str(file)!r} lists {stem!r}, which is not the name of an image without its ending")
        if times[stem] > 1:
            raise GodeeperError(f"{str(file)!r} lists {stem!r} {times[stem]} times: each image counts once")
        return stem

    map_all(times, check)
    return stems


def _by_stem(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    if not folder.is_dir():
        raise GodeeperError(f"there is no folder {str(folder)!r}: Pascal VOC's images lie there")
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in suffixes and files.setdefault(file.stem, file) != file:
            raise GodeeperError(f"{str(files[file.stem])!r} and {str(file)!r} are of one name: keep one of the two")
    return files


def _annotated_image(file: Path, image: Path) -> AnnotatedImage:
    root = _parsed(file)
    sides = [root.findtext(f"size/{side}") or "0" for side in ("width", "height")]
    try:
        width, height = map(float, sides)
    except ValueError:
        raise GodeeperError(f"{str(file)!r}: its size, {sides[0]!r} by {sides[1]!r}, is not of numbers: correct it") from None
    boxes = [_annotated_box(entry, file) for entry in root.iter("object")]
    return AnnotatedImage(image, repr(str(file)), boxes, (width, height) if width and height else None)


class _Builder(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise GodeeperError("declares a document type, which no annotation needs: take that out")  # before any entity is read


def _parsed(file: Path) -> ElementTree.Element:
    try:
        root: ElementTree.Element = ElementTree.fromstring(read_annotation(file), ElementTree.XMLParser(target=_Builder()))
    except GodeeperError as error:
        raise GodeeperError(f"{str(file)!r} {error}") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # of encodings as well
        raise GodeeperError(f"{str(file)!r} is not XML, or is damaged: {error}") from None
    if root.tag != "annotation":
        raise GodeeperError(f"{str(file)!r} is no annotation of Pascal VOC's: it is of <{root.tag}>, not <annotation>")
    return root


def _annotated_box(entry: ElementTree.Element, file: Path) -> AnnotatedBox:
    name = (entry.findtext("name") or "").strip()
    if not name:
        raise GodeeperError(f"{str(file)!r}: an object has no name: give it one, or take it out")
    edges = [(entry.findtext(f"bndbox/{side}") or "").strip() for side in SIDES]
    quoted = ", ".join(f"{side} {value or 'missing'}" for side, value in zip(SIDES, edges, strict=True))
    try:
        xmin, ymin, xmax, ymax = map(float, edges)
    except ValueError:
        raise GodeeperError(
            f"{str(file)!r}: the box of a {name!r}, {quoted!r}, is not of numbers: correct it or take it out"
        ) from None
    difficult = (entry.findtext("difficult") or "").strip().lower() in ("1", "true")
    return AnnotatedBox(name, (xmin - 1, ymin - 1, xmax, ymax), difficult, quoted)  # counted from 1, the last pixel included
