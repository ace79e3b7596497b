"""Files of a megabyte that ask for work beyond it: searches, comparisons of all with all, numbers of thousands of digits."""

import json
from collections.abc import Callable
from typing import Any

from sound_images import PNG
from targets import small_network
from tars import Member, pax, sound_members, tar


def spec(*rows: dict[str, Any]) -> bytes:
    """A table with these rows after its first stage."""
    document = json.loads(json.dumps(small_network().spec.as_dict()))
    document["definition"]["stages"] = {"conv1": list(rows)}
    return json.dumps(document).encode()


def coco(count: int, categories: int, path: str = "a.png") -> bytes:
    images = [{"id": number, "file_name": path} for number in range(count)]
    boxes = [{"id": 1, "image_id": 0, "category_id": number, "bbox": [1, 2, 3, 4]} for number in range(categories)]
    named = [{"id": number, "name": f"c{number}", "supercategory": f"c{number + 1}"} for number in range(categories)]
    return json.dumps({"images": images, "annotations": boxes, "categories": named}).encode()


def voc(objects: int) -> bytes:
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    return f"<annotation>{''.join(f'<object><name>n{n}</name>{box}</object>' for n in range(objects))}</annotation>".encode()


CONV = {"row": "conv", "filters": 8, "kernel": 3, "stride": 1, "padding": "same", "dilation": 1}
POOL = {"row": "max_pool", "kernel": 1, "stride": 1, "padding": "same"}
TRIPLED = {"row": "cat", "branches": [[POOL]] * 3}
STRIDE = POOL | {"stride": 10_000}
MISFIT = {"row": "cat", "branches": [[CONV], [CONV | {"stride": 2}]]}


LARGE: dict[str, tuple[str, Callable[[], bytes]]] = {  # the target that reads it, and the file
    "a table that fits no size": ("spec", lambda: spec(*[CONV] * 2500, MISFIT)),
    "channels that multiply": ("spec", lambda: spec(*[TRIPLED] * 700)),
    "strides that multiply": ("spec", lambda: spec(*[STRIDE] * 1200, CONV)),
    "categories that group each other": ("coco", lambda: coco(1, 40_000)),
    "images that lie nowhere": ("coco", lambda: coco(200, 2, "/".join("a" * 2000))),
    "an image of very many objects": ("voc", lambda: voc(20_000)),
    "very many long names": ("shard", lambda: tar(*[Member(b"x", b"y" * 200, kind=b"L")] * 20_000, *sound_members())),
    "digits in a note": ("shard", lambda: tar(Member(b"x", b"1" * 900_000, kind=b"x"), *sound_members())),
    "very many notes": ("shard", lambda: tar(*[pax(path="a" * 200)] * 5000, Member(b"a.png", PNG))),
}
