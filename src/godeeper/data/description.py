"""What data are, in a few digests: what is resumed, compared or kept is held against them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from .annotations import DetectionDataset
from .dataset import ImageDataset, ImageStream, stored_size

DIGITS = 8  # of a digest


def describe_data(images: ImageDataset | ImageStream | DetectionDataset, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """How many images there are, and digests of their labels (or objects), their names and their sizes, in order; as JSON.

    Labels are numbers, or the names of `classes`. Names are without folders, so that data may be moved; sizes are those of files
    in bytes, or checksums of images in memory. Of a stream, only the number of images is known before it has been read.
    """
    if isinstance(images, ImageStream):
        return {"images": len(images)}
    indices = range(len(images))
    names = (os.path.basename(images.name(index)) for index in indices)
    if isinstance(images, DetectionDataset):
        contents, sizes = {"objects": _objects(images)}, map(stored_size, images.files)
    else:
        labels = images.labels if classes is None else [classes[label] for label in images.labels]
        contents, sizes = {"labels": _digest(" ", labels)}, map(images.size_or_checksum, indices)
    return {"images": len(images), **contents, "names": _digest("\0", names), "sizes": _digest(" ", sizes)}


def differences(then: object, now: Mapping[str, Any]) -> str:
    """What differs between two descriptions, in words; "" where nothing does.

    `then` is a text in runs that were begun before names and sizes were described.
    """
    if not isinstance(then, Mapping):
        return "" if then == description_text(now) else f"{then} then, {description_text(now)} now"
    changed = [name for name in now if then.get(name) != now[name]]
    counts = [f"{then.get('images')} images then, {now['images']} now"] if "images" in changed else []
    others = [name for name in changed if name != "images"]
    return "; ".join([*counts, *([f"other {' and '.join(others)}"] if others else [])])


def description_text(description: Mapping[str, Any]) -> str:
    """A description for people: how many images, and the digest of their labels or objects."""
    contents = [f" ({what} {description[what]})" for what in ("labels", "objects") if what in description]
    return f"{description['images']} images{''.join(contents)}"


def _digest(separator: str, items: Iterable[object]) -> str:
    return sha256(separator.join(map(str, items)).encode(errors="surrogateescape")).hexdigest()[:DIGITS]


def _objects(images: DetectionDataset) -> str:
    digest = sha256(repr(images.classes).encode())
    for file, objects in zip(images.files, images.objects, strict=True):
        digest.update(f"{file.name!r} {objects.boxes.tolist()} {objects.labels.tolist()} {objects.difficult.tolist()}".encode())
    return digest.hexdigest()[:DIGITS]
