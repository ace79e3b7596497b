"""Files of very many pieces, each of which Pillow reads in Python: refused after a bounded number, whatever the format."""

import io
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from godeeper import BadImage, decode
from godeeper.data.decode import image_size

MANY = 60_000


def jpeg():
    with io.BytesIO() as file:
        Image.new("RGB", (8, 8), "red").save(file, "JPEG")
        return file.getvalue()


def png(*chunks):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\1\2\3"))
    return PngImagePlugin._MAGIC + header + b"".join(chunk(*each) for each in chunks) + pixels + chunk(b"IEND", b"")


def tiff(strips):
    """One row a strip, all strips the same bytes."""
    tags = [
        (256, 4, 1, 10), (257, 4, 1, strips), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, strips, 150),
        (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, strips, 150 + 4 * strips),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0").ljust(150, b"\0")
    return head + struct.pack("<I", 8) * strips + struct.pack("<I", 10) * strips


GIF = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
FRAME = b"\x2c\0\0\0\0\1\0\1\0\0\x02\x02\x44\x01\0;"
SLOW = {
    "JPEG comments": lambda: jpeg()[:2] + b"\xff\xfe\0\x02" * MANY + jpeg()[2:],
    "JPEG fill bytes": lambda: jpeg()[:2] + b"\xff" * MANY + jpeg()[2:],
    "JPEG EXIF in pieces": lambda: jpeg()[:2] + b"\xff\xe1\0\x09Exif\0\0a" * MANY + jpeg()[2:],
    "PNG texts": lambda: png(*[(b"tEXt", b"k%d\0v" % index) for index in range(MANY)]),
    "GIF extensions": lambda: GIF + b"\x21\xf9\x04\0\0\0\0\0" * MANY + FRAME,
    "GIF comment": lambda: GIF + b"\x21\xfe" + b"\1a" * MANY + b"\0" + FRAME,
    "PPM comment": lambda: b"P6 #" + b"x" * MANY + b"\n1 1 255\n\1\2\3",
}


@pytest.mark.parametrize("make", SLOW.values(), ids=SLOW)
def test_very_many_pieces_are_not_read(make, tmp_path):
    with pytest.raises(BadImage, match="very many small pieces") as refused:
        decode(make())
    assert refused.value.code == "slow-format"
    (tmp_path / "slow.jpg").write_bytes(make())
    with pytest.raises(BadImage, match=r"slow\.jpg.* very many small pieces"):
        image_size(tmp_path / "slow.jpg")


def test_a_tiff_of_very_many_strips_is_not_read():
    assert decode(tiff(1000)).size == (10, 1000)
    with pytest.raises(BadImage, match="more than 200,000 strips") as refused:
        decode(tiff(200_001))
    assert refused.value.code == "slow-format"


def test_some_hundred_pieces_are_ordinary():
    assert decode(jpeg()[:2] + b"\xff\xfe\0\x04ab" * 500 + jpeg()[2:]).size == (8, 8)
    assert decode(png(*[(b"tEXt", b"k%d\0v" % index) for index in range(2000)])).getpixel((0, 0)) == (1, 2, 3)
