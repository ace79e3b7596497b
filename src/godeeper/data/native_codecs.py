"""Native decoders beside Pillow's face: torchvision's of JPEG, tried before it is trusted, and libtiff, made silent."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, _imaging

from ..packages import ignore_warnings

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger("godeeper")


def torchvision_jpeg(data: bytes) -> Tensor | None:
    """The pixels of a JPEG as torchvision decodes them, uint8 (3, H, W), not turned upright; None where Pillow is to decode it.

    That is so for whatever torchvision does not take, and for all images where it fails on one that is known to be good.
    """
    if not jpeg_is_fast():
        return None
    try:
        return _decode_jpeg(data)
    except Exception:  # damaged, or of a kind that it does not know: Pillow says how, or makes do
        return None


@cache
def jpeg_is_fast() -> bool:
    """Whether torchvision decodes a good JPEG, to the pixels that Pillow gives; tried once, and a warning where it does not."""
    gradient = np.linspace(0, 255, 16 * 16 * 3).astype(np.uint8).reshape(16, 16, 3)
    with io.BytesIO() as file:
        Image.fromarray(gradient).save(file, "JPEG", quality=90)
        data = file.getvalue()
    ignore_warnings()
    try:
        pixels = _decode_jpeg(data).permute(1, 2, 0).numpy()  # (H, W, 3)
        expected = np.asarray(Image.open(io.BytesIO(data)))
        if np.abs(pixels.astype(int) - expected).max() > 4:  # libraries of JPEG differ in rounding
            raise ValueError("other pixels than Pillow's")
    except Exception as error:  # gone, moved, or built without JPEG
        logger.warning("torchvision does not decode JPEG (%r): Pillow does, and takes longer", error)
        return False
    return True


def _decode_jpeg(data: bytes) -> Tensor:
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    pixels: Tensor = decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=ImageReadMode.RGB)
    return pixels


def silence_libtiff() -> None:
    """Keeps libtiff, which Pillow brings, from writing to stderr itself; that it failed, Pillow says."""
    with contextlib.suppress(OSError, AttributeError):  # of a Pillow that is built otherwise
        library = ctypes.CDLL(_imaging.__file__)  # a name is looked for in what it is linked with, too
        library.TIFFSetWarningHandler(None)
        library.TIFFSetErrorHandler(None)
