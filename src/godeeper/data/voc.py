"""Pascal VOC's folders: Annotations/*.xml, JPEGImages/, and lists of stems in ImageSets/Main; and annotation tools' like them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ..errors import GodeeperError, unknown
from .annotations import AnnotatedBox, AnnotatedImage, Fault, LeftOut, is_set, map_sound, read_annotation, refuse, split_named
from .decode import SUFFIXES
from .walk import without_hidden

ANNOTATIONS, IMAGES, LISTS = "Annotations", "JPEGImages", Path("ImageSets/Main")
UNLISTED = "all"  # the split of a folder without lists, as Label Studio exports it
PER_CLASS = re.compile(r"\S+_(train|val|trainval|test)")  # VOC's lists of one class each, which are no splits
FLAGGED = re.compile(r"\s+-?[01]$")  # what such a list says of each of its images
QUOTED = re.compile(r'"(.*)"')  # how CVAT lists a name with spaces
SIDES = ("xmin", "ymin", "xmax", "ymax")


def is_voc(folder: Path) -> bool:
    """Whether the folder has Pascal VOC's layout."""
    return (folder / ANNOTATIONS).is_dir() and (folder / LISTS).is_dir()


def is_like_voc(folder: Path) -> bool:
    """Whether the folder has VOC's annotations as Label Studio exports them, without lists, or Roboflow, beside the images."""
    return bool(_beside(folder))


def _beside(folder: Path) -> list[Path]:
    """The annotations that lie in folders of their own, beside their images."""
    return without_hidden(folder.glob("*/*.xml"), folder)


@dataclass(frozen=True)
class _Split:
    """The stems of a split's images, the annotations and images there are by their stems, and where missing ones would lie."""

    stems: list[str]
    annotations: dict[str, Path]
    images: dict[str, Path]
    listed_in: Path
    annotation_folder: Path
    image_folder: Path


def read_voc(
    folder: Path, split: str, left_out: LeftOut, known: Sequence[str] | None = None
) -> tuple[tuple[str, ...], list[AnnotatedImage]]:
    """The classes, and the annotated images of a split in its order; what is unsound joins `left_out`.

    The classes are the known ones, or else, so that each split has the same, the names in all annotations of the folder.
    """
    of_split = _listed(folder, split) if (folder / LISTS).is_dir() else _unlisted(folder, split)

    def read(stem: str) -> AnnotatedImage:
        annotation = of_split.annotations.get(stem)
        if annotation is None:
            raise GodeeperError(
                f"{str(of_split.listed_in)!r} lists {stem!r}, which has no annotation"
                f" {str(of_split.annotation_folder / f'{stem}.xml')!r}: add it, or take {stem!r} off the list"
            )
        image = of_split.images.get(stem, of_split.image_folder / f"{stem}.jpg")
        return _annotated_image(annotation, image, left_out.boxes)

    annotated = map_sound(of_split.stems, read, left_out.images, lambda stem: of_split.images.get(stem, stem))
    if known is not None:
        return tuple(known), annotated
    own = {of_split.annotations.get(stem) for stem in of_split.stems}
    faults: list[Fault] = []  # of other splits, which their own opening finds
    rest = [file for file in _all_annotations(folder) if file not in own]
    others = map_sound(rest, lambda file: _annotated_image(file, file, faults), faults, str)
    return tuple(sorted({box.name for image in (*annotated, *others) for box in image.boxes})), annotated


def _all_annotations(folder: Path) -> list[Path]:
    """Those of every split."""
    own = folder / ANNOTATIONS
    return without_hidden(own.rglob("*.xml"), own) if own.is_dir() else _beside(folder)


def _listed(folder: Path, split: str) -> _Split:
    """A split by its list in ImageSets/Main."""
    lists = {path.stem: path for path in without_hidden((folder / LISTS).glob("*.txt"), folder)}
    if not lists:
        raise GodeeperError(f"{str(folder / LISTS)!r} holds no lists: write train.txt there, the name of an image a line")
    name = split_named(split, lists)
    if name is None:
        raise unknown(f"split of {str(folder)!r}", split, [name for name in lists if not PER_CLASS.fullmatch(name)] or lists)
    annotations = _by_stem(folder / ANNOTATIONS, {".xml"})
    images = folder / IMAGES
    stems = _stems(lists[name], annotations)
    return _Split(stems, annotations, _by_stem(images, SUFFIXES), lists[name], folder / ANNOTATIONS, images)


def _unlisted(folder: Path, split: str) -> _Split:
    """A split that is a folder of images and their annotations, or everything in Annotations/."""
    annotations, images = folder / ANNOTATIONS, folder / "images"
    beside = {path.parent.name: path.parent for path in _beside(folder)}
    choices = [UNLISTED] if annotations.is_dir() else sorted(beside)
    name = split_named(split, choices)
    if name is None:
        raise unknown(f"split of {str(folder)!r}", split, choices)
    if not annotations.is_dir():
        annotations = images = beside[name]
    elif not images.is_dir():
        images = folder / IMAGES
    files = _by_stem(annotations, {".xml"})
    return _Split(list(files), files, _by_stem(images, SUFFIXES), annotations, annotations, images)


def _stems(file: Path, known: Collection[str]) -> list[str]:
    """The names in a list, without the flags and quotes that some have."""
    lines = read_annotation(file).decode("utf-8-sig", errors="replace").splitlines()
    names = [line.strip() for line in lines if line.strip()]
    stems = [name if name in known else QUOTED.sub(r"\1", FLAGGED.sub("", name)) for name in names]
    times = Counter(stems)

    def check(stem: str) -> None:
        if "\\" in stem or any(part.startswith(".") or not part for part in stem.split("/")):
            raise GodeeperError(f"{str(file)!r} lists {stem!r}, which is not the name of an image without its ending")
        if times[stem] > 1:
            raise GodeeperError(f"{str(file)!r} lists {stem!r} {times[stem]} times: each image counts once")

    faults: list[Fault] = []
    map_sound(times, check, faults, str)
    refuse(faults)
    return stems


def _by_stem(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """The folder's files by their names without ending; of those in sub-folders, these included: "sub/name"."""
    if not folder.is_dir():
        raise GodeeperError(f"there is no folder {str(folder)!r}: Pascal VOC's images lie there")
    files: dict[str, Path] = {}
    for file in without_hidden(folder.rglob("*"), folder):
        stem = file.relative_to(folder).with_suffix("").as_posix()
        if file.suffix.lower() in suffixes and files.setdefault(stem, file) != file:
            raise GodeeperError(f"{str(files[stem])!r} and {str(file)!r} are of one name: keep one of the two")
    return files


def _annotated_image(file: Path, image: Path, faults: list[Fault]) -> AnnotatedImage:
    """What an annotation says of its image; its unsound boxes join `faults`."""
    root = _parsed(file)
    sides = [root.findtext(f"size/{side}") or "0" for side in ("width", "height")]
    try:
        width, height = map(float, sides)
    except ValueError:
        raise GodeeperError(f"{str(file)!r}: its size, {sides[0]!r} by {sides[1]!r}, is not of numbers: correct it") from None
    boxes = map_sound(root.iter("object"), lambda entry: _annotated_box(entry, file), faults, lambda _: image)
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
    difficult = is_set(entry.findtext("difficult"))
    return AnnotatedBox(name, (xmin - 1, ymin - 1, xmax, ymax), difficult, quoted)  # counted from 1, the last pixel included
