"""What people have as images: each gives the same pixels as the file that holds it."""

import io
import pickle
import re

import numpy as np
import pytest
from PIL import Image

from godeeper import BadImage, GodeeperError
from godeeper.data.decode import ORIENTATION, as_image, decode

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def stored(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


ALPHA = RANDOM.integers(0, 256, (20, 30, 4), dtype=np.uint8)
FILES = {
    "rgb": stored(Image.fromarray(RGB), "PNG"),
    "turned jpeg": stored(Image.fromarray(RGB), "JPEG", exif=turned(6)),
    "turned png": stored(Image.fromarray(RGB), "PNG", exif=turned(8)),
    "alpha": stored(Image.fromarray(ALPHA), "PNG"),
    "grey": stored(Image.fromarray(RGB[..., 0]), "PNG"),
    "grey with alpha": stored(Image.fromarray(ALPHA).convert("LA"), "PNG"),
    "16 bits": stored(Image.fromarray(RANDOM.integers(0, 65536, (20, 30), dtype=np.uint16)), "PNG"),
    "cmyk": stored(Image.fromarray(RGB).convert("CMYK"), "JPEG"),
    "palette": stored(Image.fromarray(RGB).quantize(16), "PNG", transparency=3),
}


@pytest.mark.parametrize("name", FILES)
def test_a_pil_image_gives_what_its_file_gives(name, tmp_path):
    expected = np.asarray(decode(FILES[name]))
    (tmp_path / "image").write_bytes(FILES[name])
    opened = Image.open(io.BytesIO(FILES[name]))
    size, mode = opened.size, opened.mode
    for image in (FILES[name], tmp_path / "image", str(tmp_path / "image"), opened):
        taken = as_image(image)
        assert taken.mode == "RGB"
        assert (np.asarray(taken) == expected).all()
    assert (opened.size, opened.mode) == (size, mode)  # the caller's image is left as it was


def test_an_array_is_its_pixels():
    for array in (RGB, RGB[::-1, ::2], RGB[..., ::-1]):
        assert (np.asarray(as_image(array)) == array).all()


@pytest.mark.parametrize(
    ("value", "given"),
    [
        (RGB.astype(np.float32), "an array (20, 30, 3) of float32"),
        (RGB.transpose(2, 0, 1), "an array (3, 20, 30) of uint8"),
        (RGB[..., 0], "an array (20, 30) of uint8"),
        (RGB[:0], "an array (0, 30, 3) of uint8"),
        (ALPHA, "an array (20, 30, 4) of uint8"),
        (RGB.tolist(), "list"),
        (None, "NoneType"),
    ],
)
def test_anything_else_is_named(value, given):
    with pytest.raises(GodeeperError, match=f"not {re.escape(given)}$") as refused:
        as_image(value)
    assert refused.value.code == "not-an-image-input"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (Image.open(io.BytesIO(stored(Image.fromarray(RGB), "JPEG")[:-100])), "damaged-image"),
        (Image.new("RGB", (0, 4)), "no-pixels"),
        (Image.new("F", (4, 4)), "32-bit-pixels"),
        (Image.new("I", (4, 4)), "32-bit-pixels"),
        (b"", "empty-file"),
        (b"text", "not-an-image"),
        (FILES["alpha"][:100], "damaged-image"),
    ],
)
def test_bad_images_have_a_reason_and_a_code(image, code):
    with pytest.raises(BadImage, match=r"^mine: ") as refused:
        as_image(image, "mine")
    assert refused.value.code == code


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(BadImage, match=r"^/nowhere.png: ") as refused:
        as_image("/nowhere.png")
    assert refused.value.code == "unreadable-file"


def test_too_many_pixels(monkeypatch):
    monkeypatch.setattr("godeeper.data.decode.MAX_PIXELS", 599)
    with pytest.raises(BadImage, match="30x20 pixels are more than the limit of 599") as refused:
        as_image(FILES["rgb"])
    assert refused.value.code == "too-many-pixels"


def test_an_errors_code_survives_a_worker_process():
    error = pickle.loads(pickle.dumps(BadImage("a.png: the file is empty", code="empty-file")))
    assert (type(error), str(error), error.code) == (BadImage, "a.png: the file is empty", "empty-file")
    assert GodeeperError("no code").code == ""
