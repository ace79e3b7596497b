"""One small image of each format and mode that is read."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, features

MAX_PIXELS = 1_000_000  # what images may have here
TURNED = Image.Exif()
TURNED[0x0112] = 6
MODES = {  # of each format, and how they are written
    "JPEG": [("RGB", {}), ("L", {}), ("CMYK", {}), ("RGB", {"progressive": True}), ("RGB", {"exif": TURNED})],
    "PNG": [
        ("RGB", {}),
        ("RGBA", {}),
        ("P", {"transparency": 0}),
        ("I;16", {}),
        ("LA", {}),
        ("1", {}),
        ("RGB", {"exif": TURNED}),
    ],
    "WEBP": [("RGB", {}), ("RGBA", {"lossless": True})],
    "TIFF": [("RGB", {}), ("RGB", {"compression": "tiff_lzw"}), ("L", {"compression": "jpeg"}), ("I;16", {})],
    "GIF": [("P", {})],
    "BMP": [("RGB", {}), ("1", {})],
    "PPM": [("RGB", {}), ("1", {})],
    **({"AVIF": [("RGB", {})]} if features.check("avif") else {}),
}


def encoded(mode: str, kind: str, options: dict[str, Any]) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    image = Image.new(mode, (16, 12), 999) if mode == "I;16" else Image.fromarray(pixels).convert(mode)
    with BytesIO() as file:
        image.save(file, kind, **options)
        return file.getvalue()


def encoded_images() -> list[bytes]:
    return [encoded(mode, kind, options) for kind, modes in MODES.items() for mode, options in modes]


PNG = encoded("RGB", "PNG", {})
