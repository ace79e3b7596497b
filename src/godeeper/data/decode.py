"""Bytes -> one RGB image, upright; or BadImage with the reason."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError, features

from ..errors import BadImage, GodeeperError
from ..files import open_regular, read_file
from ..packages import ignore_warnings
from .counted_reads import CountedBytes, CountedFile
from .native_codecs import silence_libtiff, torchvision_jpeg

if TYPE_CHECKING:
    from torch import Tensor


def _optional_formats() -> dict[str, tuple[str, ...]]:
    """What Pillow reads here and not everywhere, and the endings: AVIF by how it was built, HEIC by the package pillow-heif."""
    formats: dict[str, tuple[str, ...]] = {"AVIF": (".avif",)} if features.check("avif") else {}
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
        formats["HEIF"] = (".heic", ".heif")
    except ModuleNotFoundError:
        pass
    except Exception as error:  # a release that does not fit this Pillow
        logger.warning("HEIC cannot be read: pillow-heif does not start (%r)", error)
    return formats


logger = logging.getLogger("godeeper")
silence_libtiff()
_OPTIONAL = _optional_formats()
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", *_OPTIONAL)
SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
    *(suffix for suffixes in _OPTIONAL.values() for suffix in suffixes),
}  # fmt: skip
LARGEST_FILE = 1_000_000_000  # bytes: 100 million pixels, uncompressed, with 16 bits and alpha, are 800 million
MAX_PIXELS = 100_000_000  # of 4 bytes, which is what Pillow takes for one of RGB; checked by the header, before any is decoded
DECODER_BYTES = {"WEBP": 16, "AVIF": 16, "HEIF": 16, "TIFF": 12}  # a pixel at most while it is decoded; of the others 4
PROGRESSIVE_BYTES = 10  # of a JPEG whose coefficients are all held
CONVERTED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # held beside the RGB ones; of the others 4
MAX_SCANS = 100  # of a JPEG: ordinary ones have ten, and one of 20 MB may have a million, each over all pixels
MAX_TILES = 200_000  # that Pillow decodes one by one
STRIP_PIXELS = 1_000_000  # converted to RGB at a time
BACKGROUND = (255, 255, 255)  # what shows through transparent pixels
ORIENTATION = ExifTags.Base.Orientation
ORIENTATIONS = range(2, 9)  # those that are not upright
TURNED = (5, 6, 7, 8)  # the orientations that swap width and height
TURNING = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # what in a PNG can tell one; to ask Pillow decodes the pixels

ImageInput = str | Path | bytes | Image.Image | NDArray[np.uint8]  # a file, its bytes, a PIL image, or uint8 (H, W, 3) in RGB
RawImage = Path | bytes | Image.Image  # what an image is decoded from; or the image, RGB
Shrink = Callable[[int, int], float]  # upright width and height -> how many times smaller will do


def decode(image: str | Path | bytes, name: str | None = None, *, max_pixels: int | None = None) -> Image.Image:
    """One RGB image, upright, of a file or of its bytes; `name` is what errors call it.

    The content decides the format, not the file's name. EXIF orientation is applied; transparent pixels are put over white;
    16-bit grey is scaled to 8; of an animation, the first frame counts. It takes 4 bytes of memory a pixel of `MAX_PIXELS` at
    most, and a constant. BadImage, naming file and reason, for what is not there, is not one of `FORMATS`, is damaged, is
    written so that it would be decoded in Python, has more pixels than `max_pixels`, or would take more memory.
    """
    with _opened(image, name, max_pixels) as (opened, _):
        opened.load()
        return _rgb(_upright(opened))


def decode_as_stored(image: str | Path | bytes, name: str | None = None) -> Image.Image:
    """One RGB image by Pillow's own `convert("RGB")`, as most scripts read it and FID's libraries do.

    The camera's orientation and transparency are ignored, which `decode` heeds. BadImage as for `decode`.
    """
    with _opened(image, name) as (opened, _):
        return opened.convert("RGB")


def check_list(images: object) -> None:
    """GodeeperError for a single image in the place of a list of them."""
    if isinstance(images, str | bytes | Path | Image.Image) or (isinstance(images, np.ndarray) and images.ndim == 3):
        raise GodeeperError("give the images as a list, even a single one")


def as_image(image: ImageInput, name: str | None = None) -> Image.Image:
    """One RGB image, upright, of what people have: a path, a file's bytes, a PIL image, or an array (H, W, 3), uint8, in RGB.

    PIL images are treated as files are: EXIF orientation is applied, transparent pixels are put over white, 16-bit grey is
    scaled to 8. `name` is what errors call the image. BadImage as for `decode`; GodeeperError, code `not-an-image-input`, for
    anything else.
    """
    if isinstance(image, str | Path | bytes):
        return decode(image, name)
    if isinstance(image, Image.Image):
        return _from_pil(image, _one_line(name or "the image"))
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
        return Image.fromarray(np.ascontiguousarray(image))
    given = f"an array {image.shape} of {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
    raise GodeeperError(
        f"an image is a path, a file's bytes, a PIL image or an array (H, W, 3) of uint8, not {given}", code="not-an-image-input"
    )


def image_size(file: Path) -> tuple[int, int]:
    """Width and height of the image that `decode` gives, from the file's header alone; BadImage where that cannot be read."""
    name = _one_line(str(file))
    with _readable(name):
        stream = CountedFile(open_regular(file).detach())
    with stream, _image(stream, name) as opened:
        if opened.format == "TIFF":  # whose header Pillow gives upright
            return opened.size
        if opened.format == "PNG":
            content = read_file(file, LARGEST_FILE)
            if not any(mark in content for mark in TURNING):
                return opened.size
        return (opened.height, opened.width) if _orientation(opened) in TURNED else opened.size


def decode_for(shrink: Shrink, image: str | Path | bytes, name: str | None = None) -> Image.Image | Tensor:
    """`decode` for training: a JPEG at a half, a quarter or an eighth of its size, where `shrink` says that this will do.

    At full size, its pixels come as torchvision decodes them, uint8 (3, H, W): the same values in less time.
    """
    with _opened(image, name) as (opened, data):
        if opened.format == "JPEG":
            pixels = _jpeg(opened, data, shrink)
            if pixels is not None:
                return pixels
        opened.load()
        return _rgb(_upright(opened))


def _one_line(name: str) -> str:
    return name if name.isprintable() else repr(name)  # a message is one line, whatever the file is called


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    """What goes wrong in getting at a file becomes a BadImage."""
    try:
        yield
    except OSError as error:
        raise BadImage(f"{name}: {error.strerror or error}", code="unreadable-file") from None
    except ValueError as error:  # a name that no file can have
        raise BadImage(f"{name}: {error}", code="unreadable-file") from None


@contextlib.contextmanager
def _opened(image: str | Path | bytes, name: str | None, max_pixels: int | None = None) -> Iterator[tuple[Image.Image, bytes]]:
    """The image with its header read and checked, and its content; what goes wrong within becomes a BadImage."""
    name = _one_line(name or (f"{len(image)} bytes" if isinstance(image, bytes) else str(image)))
    with _readable(name):
        data = image if isinstance(image, bytes) else read_file(image, LARGEST_FILE)
    with _image(CountedBytes(data), name, max_pixels) as opened:
        _check_codec(opened, data)
        yield opened, data


def _from_pil(image: Image.Image, name: str) -> Image.Image:
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds for damaged data
        raise BadImage(f"{name}: damaged: {error}", code="damaged-image") from None
    if min(image.size) < 1:
        raise BadImage(f"{name}: {image.width}x{image.height} has no pixels", code="no-pixels")
    try:
        _check_mode(image)
    except BadImage as error:
        raise BadImage(f"{name}: {error}", code=error.code) from None
    return _rgb(_upright(image.copy()))


def _sample_formats(image: Image.Image) -> tuple[int, ...]:
    """What a TIFF says of its numbers: 1 unsigned, 2 signed, 3 floating-point."""
    formats: tuple[int, ...] = getattr(image, "tag_v2", {}).get(TiffImagePlugin.SAMPLEFORMAT, ())
    return formats


def _check_mode(image: Image.Image) -> None:
    if image.format == "TIFF" and 2 in _sample_formats(image):
        raise BadImage("signed pixels have no agreed range: save it unsigned, with 8 or 16 bits", code="signed-pixels")
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):  # Pillow's 16-bit PPM is "I", 0..65535
        raise BadImage("32-bit pixels have no agreed range: save it with 8 or 16 bits", code="32-bit-pixels")


def _check_codec(opened: Image.Image, data: bytes) -> None:
    """BadImage for what takes minutes: what Pillow decodes in Python, pixel by pixel, and a JPEG of very many scans."""
    tiles = opened.tile if isinstance(opened, ImageFile.ImageFile) else []
    if any(tile[0] in Image.DECODERS for tile in tiles):  # the registry of those written in Python
        kind = {"ppm_plain": "in plain text", "bmp_rle": "with RLE compression"}.get(tiles[0][0], "of unusual depth")
        raise BadImage(f"a {opened.format} {kind} is not read, which would be slow: save it as PNG", code="slow-format")
    if len(tiles) > MAX_TILES:
        raise BadImage(f"a {opened.format} of more than {MAX_TILES:,} strips is not read: save it as PNG", code="slow-format")
    if opened.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > MAX_SCANS:
        raise BadImage(f"a JPEG of more than {MAX_SCANS} scans is not read, which would be slow", code="slow-format")


def _check_pixels(image: Image.Image, max_pixels: int | None, turned: bool = False) -> None:
    """BadImage for more pixels than `max_pixels`, or than 4 bytes a pixel of MAX_PIXELS are enough for."""
    progressive = image.format in ("JPEG", "MPO") and "progressive" in image.info
    held = PROGRESSIVE_BYTES if progressive else DECODER_BYTES.get(image.format or "", 4)
    if turned or image.mode != "RGB" or "transparency" in image.info:
        held += 4 if turned else CONVERTED_BYTES.get(image.mode, 4)
    affordable = 4 * MAX_PIXELS // held
    limit = affordable if max_pixels is None else min(max_pixels, affordable)
    if image.width * image.height > limit:
        kind = f" for {image.format} in {image.mode}" if limit == affordable < MAX_PIXELS else ""
        reason = f"{image.width}x{image.height} pixels are more than the limit of {limit:,}{kind}"
        raise BadImage(reason, code="too-many-pixels")


@contextlib.contextmanager
def _image(stream: CountedBytes | CountedFile, name: str, max_pixels: int | None = None) -> Iterator[Image.Image]:
    """The image with its header read and checked; what goes wrong within becomes a BadImage, named."""
    if not stream.read(1):
        raise BadImage(f"{name}: the file is empty", code="empty-file")
    stream.seek(0)
    try:
        ignore_warnings()
        with Image.open(stream, formats=FORMATS) as opened:
            _check_pixels(opened, max_pixels)
            _check_mode(opened)
            stream.begin_pixels()
            yield opened
    except BadImage as error:
        raise BadImage(f"{name}: {error}", code=error.code) from None
    except MemoryError:  # an image that memory does not hold is sound
        raise
    except UnidentifiedImageError:
        raise BadImage(f"{name}: not an image in one of {', '.join(FORMATS)}", code="not-an-image") from None
    except Image.DecompressionBombError:
        limit = min(max_pixels or MAX_PIXELS, MAX_PIXELS)
        raise BadImage(f"{name}: more pixels than the limit of {limit:,}", code="too-many-pixels") from None
    except Exception as error:  # Pillow's decoders raise many kinds for damaged data
        raise BadImage(f"{name}: damaged: {error}", code="damaged-image") from None


def _jpeg(opened: Image.Image, data: bytes, shrink: Shrink) -> Tensor | None:
    """The pixels of a JPEG, upright, (3, H, W); None where Pillow is to decode it, then set to the size that will do."""
    width, height = opened.size
    orientation = _orientation(opened)
    turned = orientation in TURNED
    times = shrink(height, width) if turned else shrink(width, height)
    if times >= 2:
        opened.draft(None, (math.ceil(width / times), math.ceil(height / times)))
        return None
    if opened.mode not in ("RGB", "L"):
        return None
    pixels = torchvision_jpeg(data)
    if pixels is None:
        return None
    pixels = pixels.transpose(1, 2) if turned else pixels
    flips = {2: (2,), 3: (1, 2), 4: (1,), 6: (2,), 7: (1, 2), 8: (1,)}.get(orientation)
    return pixels.flip(flips) if flips else pixels


def _orientation(opened: Image.Image) -> int:
    try:
        orientation: int = opened.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data says nothing about the orientation
        orientation = 1
    return orientation


def _upright(opened: Image.Image) -> Image.Image:
    if isinstance(opened, ImageFile.ImageFile) and _orientation(opened) in ORIENTATIONS:
        _check_pixels(opened, None, turned=True)
    with contextlib.suppress(Exception):  # damaged EXIF data says nothing about the orientation; the pixels are there
        ImageOps.exif_transpose(opened, in_place=True)
    return opened


def _rgb(opened: Image.Image) -> Image.Image:
    """The image in RGB, converted in strips, so that there is only one more of its size."""
    if opened.mode == "RGB" and "transparency" not in opened.info:
        return opened
    if opened.width * opened.height <= STRIP_PIXELS:
        return _rgb_strip(opened)
    result, rows = Image.new("RGB", opened.size), max(1, STRIP_PIXELS // opened.width)
    for top in range(0, opened.height, rows):
        strip = opened.crop((0, top, opened.width, min(top + rows, opened.height)))
        result.paste(_rgb_strip(strip), (0, top))
    return result


def _rgb_strip(opened: Image.Image) -> Image.Image:
    if opened.mode.startswith("I"):
        return _from_16_bits(opened)
    if opened.mode in ("LA", "La", "PA", "RGBa", "RGBA") or "transparency" in opened.info:
        opened = opened.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", opened.size, BACKGROUND), opened).convert("RGB")
    return opened.convert("RGB")


def _from_16_bits(opened: Image.Image) -> Image.Image:
    values = np.asarray(opened)  # (H, W), 0..65535
    grey = Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    transparent = opened.info.get("transparency")
    if transparent is not None:
        grey.paste(BACKGROUND, mask=Image.fromarray(values == transparent))
    return grey
