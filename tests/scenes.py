"""Annotated images that several tests share: squares and discs on a noisy ground, as a Pascal VOC folder."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("disc", "square")
COLOURS = {"disc": (200, 40, 40), "square": (40, 60, 200)}


def scene(number, size=(96, 72), most=3):
    """An image, and its objects: (class, left, top, right, bottom), right and bottom excluded, disjoint."""
    random = np.random.default_rng(number)
    width, height = size
    image = Image.fromarray(random.integers(150, 230, (height, width, 3), dtype=np.uint8))
    draw, objects = ImageDraw.Draw(image), []
    for _ in range(random.integers(1, most + 1)):
        side = int(random.integers(16, 32))
        left, top = int(random.integers(0, width - side)), int(random.integers(0, height - side))
        if any(left < r and l < left + side and top < b and t < top + side for _, l, t, r, b in objects):  # noqa: E741
            continue
        name = CLASSES[int(random.integers(2))]
        shape = draw.ellipse if name == "disc" else draw.rectangle
        shape((left, top, left + side - 1, top + side - 1), fill=COLOURS[name])
        objects.append((name, left, top, left + side, top + side))
    return image, objects


def voc_folder(folder: Path, splits=None, **options):
    """Writes `splits`, {name: numbers of scenes}, as a Pascal VOC folder, and returns it."""
    splits = splits or {"train": range(8), "val": range(8, 12), "test": range(12, 16)}
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for split, numbers in splits.items():
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text("".join(f"scene{number:03}\n" for number in numbers))
        for number in numbers:
            image, objects = scene(number, **options)
            image.save(folder / "JPEGImages" / f"scene{number:03}.jpg", quality=95)
            write_annotation(folder / "Annotations" / f"scene{number:03}.xml", image.size, objects)
    return folder


def write_annotation(file: Path, size, objects, difficult=()):
    """Writes objects as Pascal VOC does: pixels counted from 1, right and bottom included; `difficult` are indices."""
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{file.stem}.jpg"
    sizes = ElementTree.SubElement(root, "size")
    for name, value in zip(("width", "height", "depth"), (*size, 3), strict=True):
        ElementTree.SubElement(sizes, name).text = str(value)
    for index, (name, left, top, right, bottom) in enumerate(objects):
        entry = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(entry, "name").text = name
        ElementTree.SubElement(entry, "difficult").text = str(int(index in difficult))
        box = ElementTree.SubElement(entry, "bndbox")
        for side, value in zip(("xmin", "ymin", "xmax", "ymax"), (left + 1, top + 1, right, bottom), strict=True):
            ElementTree.SubElement(box, side).text = str(value)
    ElementTree.ElementTree(root).write(file)
