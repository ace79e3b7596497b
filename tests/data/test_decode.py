import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from godeeper import BadImage, GodeeperError
from godeeper.data import decode as module
from godeeper.data.decode import decode, decode_for

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
ORIENTATION = 0x0112


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixels(image):
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def asymmetric(width=48, height=32):
    """Blocks of 16 pixels, so that JPEG keeps them: every mirroring and turning of it differs."""
    blocks = [[RED, GREEN, BLUE], [WHITE, BLACK, (255, 255, 0)]]
    return np.array(blocks, np.uint8).repeat(height // 2, 0).repeat(width // 3, 1)


def png(width, height, depth, colour, rows, *chunks):
    """A PNG file by hand: header, further (name, data) chunks, pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    middle = b"".join(chunk(*one) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def message(image, **options):
    with pytest.raises(BadImage) as error:
        decode(image, **options)
    assert isinstance(error.value, GodeeperError)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "kind", "options", "tolerance"),
    [
        ("a.jpg", "JPEG", {"quality": 95, "subsampling": 0}, 4),
        ("a.jpg", "JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 4),
        ("a.png", "PNG", {}, 0),
        ("a.webp", "WEBP", {"lossless": True}, 0),
        ("a.gif", "GIF", {}, 0),
        ("a.bmp", "BMP", {}, 0),
        ("a.tif", "TIFF", {}, 0),
        ("a.tif", "TIFF", {"compression": "tiff_lzw"}, 0),
        ("a.ppm", "PPM", {}, 0),
    ],
)
@pytest.mark.parametrize("given", ["path", "string", "bytes"])
def test_the_usual_formats(tmp_path, name, kind, options, tolerance, given):
    file = tmp_path / name
    file.write_bytes(encoded(Image.fromarray(asymmetric()), kind, **options))
    image = decode({"path": file, "string": str(file), "bytes": file.read_bytes()}[given])
    assert image.size == (48, 32)
    assert abs(pixels(image) - asymmetric()).max() <= tolerance


@pytest.mark.parametrize(("kind", "name"), [("JPEG", "a.png"), ("PNG", "a.jpg"), ("WEBP", "a.gif"), ("GIF", "noending")])
def test_the_content_decides_not_the_name(tmp_path, kind, name):
    (tmp_path / name).write_bytes(encoded(Image.new("RGB", (8, 8), WHITE), kind))
    assert pixels(decode(tmp_path / name)).min() >= 254


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_image_is_damaged(tmp_path, kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    file = tmp_path / "holiday.jpg"
    file.write_bytes(data)
    assert decode(file).size == (64, 64)
    file.write_bytes(data[: int(len(data) * share)])
    text = message(file)
    assert text.startswith(f"{file}: ")
    assert "damaged" in text or "not an image" in text  # a TIFF file ends with its header


def test_a_damaged_png_is_named_as_such(tmp_path):
    data = bytearray(encoded(Image.fromarray(asymmetric()), "PNG"))
    data[data.index(b"IDAT") + 10] ^= 0xFF
    (tmp_path / "flipped.png").write_bytes(data)
    assert "flipped.png: damaged" in message(tmp_path / "flipped.png")


def encapsulated_postscript():
    return encoded(Image.new("RGB", (8, 8)), "EPS")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"this is not an image, whatever its name says\n" * 20, "not an image"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', "not an image"),
        ("drawing.eps", encapsulated_postscript(), "not an image"),
        ("eps-within.jpg", encapsulated_postscript(), "not an image"),
        ("icon.png", encoded(Image.new("RGB", (16, 16)), "ICO"), "not an image"),
        ("paper.pdf", b"%PDF-1.4\n1 0 obj\n", "not an image"),
        ("magic.jpg", b"\xff\xd8\xff", "not an image"),
        ("zeros.png", bytes(1000), "not an image"),
    ],
    ids=["empty", "text", "svg", "eps", "eps named jpg", "ico", "pdf", "three bytes", "zeros"],
)
def test_what_is_no_image_is_refused_with_file_and_reason(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    text = message(tmp_path / name)
    assert str(tmp_path / name) in text
    assert reason in text


def test_the_refusal_lists_the_formats(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encapsulated_postscript())
    assert all(kind in message(tmp_path / "a.jpg") for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"))


def test_a_line_break_in_the_name_does_not_break_the_message(tmp_path):
    assert "holi" in message(tmp_path / "holi\nday.jpg")
    (tmp_path / "holi\nday.jpg").write_bytes(b"no image")
    assert "not an image" in message(tmp_path / "holi\nday.jpg")


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    assert message(tmp_path / "gone.jpg") == f"{tmp_path / 'gone.jpg'}: No such file or directory"
    assert message(tmp_path) == f"{tmp_path}: Is a directory"


def test_an_impossible_path_is_refused():
    assert "null" in message("a\0b.jpg")


@pytest.mark.parametrize(
    "content", [b"", b"no image", encoded(Image.fromarray(asymmetric()), "JPEG")[:300]], ids=["empty", "text", "cut"]
)
def test_errors_call_bytes_by_the_name_given(content):
    assert message(content, name="upload 7").startswith("upload 7: ")
    assert message(content).startswith(f"{len(content)} bytes: ")


@pytest.mark.parametrize(
    ("ink", "colour"),
    [
        ((0, 0, 0, 0), WHITE),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 255, 0, 0), (255, 0, 255)),
        ((0, 0, 255, 0), (255, 255, 0)),
        ((0, 0, 0, 255), BLACK),
        ((0, 0, 0, 128), (127, 127, 127)),
        ((0, 255, 255, 0), RED),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_ink_gives_its_colour(ink, colour, kind):
    data = encoded(Image.new("CMYK", (16, 16), ink), kind)
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.mode == "CMYK"
    assert abs(pixels(decode(data)) - colour).max() <= 4


def grey16_png(values):
    values = np.asarray(values)
    return png(len(values[0]), len(values), 16, 0, [row.astype(">u2").tobytes() for row in values])


def test_16_bit_grey_is_scaled():
    image = pixels(decode(grey16_png([[0, 32768, 65535]])))
    assert image.tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_keeps_all_256_levels(kind):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    image = pixels(decode(encoded(Image.fromarray(levels * 257), kind)))  # 255 * 257 = 65535
    assert (image == levels[..., None]).all()


def test_16_bit_grey_of_the_other_byte_order():
    values = np.array([[0, 256, 32768, 65535]], ">u2")
    image = Image.frombytes("I;16B", (4, 1), values.tobytes())
    assert pixels(decode(encoded(image, "TIFF")))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_16_bit_grey_with_a_transparent_value_shows_white_there():
    data = png(3, 1, 16, 0, [struct.pack(">3H", 0, 32768, 65535)], (b"tRNS", struct.pack(">H", 32768)))
    assert pixels(decode(data))[0, :, 0].tolist() == [0, 255, 255]


def test_16_bit_colour_and_grey_with_alpha():
    colour = png(2, 1, 16, 2, [struct.pack(">6H", 65535, 32768, 0, 0, 257, 65535)])
    assert pixels(decode(colour)).tolist() == [[[255, 128, 0], [0, 1, 255]]]
    alpha = png(2, 1, 16, 4, [struct.pack(">4H", 0, 65535, 0, 0)])
    assert pixels(decode(alpha)).tolist() == [[list(BLACK), list(WHITE)]]


def test_pixels_without_a_range_are_refused():
    text = message(encoded(Image.new("F", (4, 4), 0.5), "TIFF"), name="depth.tif")
    assert text.startswith("depth.tif: ")
    assert "32-bit" in text


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("1", [0, 255], [BLACK, WHITE]),
        ("L", [0, 77], [BLACK, (77, 77, 77)]),
        ("LA", [(100, 255), (100, 0)], [(100, 100, 100), WHITE]),
        ("LA", [(0, 128), (200, 51)], [(127, 127, 127), (244, 244, 244)]),  # 255 * 127 / 255; 200 * 0.2 + 255 * 0.8
        ("RGBA", [(255, 0, 0, 255), (1, 2, 3, 0)], [RED, WHITE]),
        ("RGBA", [(0, 0, 0, 128), (100, 50, 200, 51)], [(127, 127, 127), (224, 214, 244)]),
    ],
)
def test_modes_and_transparency_over_white(mode, values, expected):
    image = Image.new(mode, (2, 1))
    image.putpixel((0, 0), values[0])
    image.putpixel((1, 0), values[1])
    data = encoded(image, "PNG")
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.mode == mode
    assert abs(pixels(decode(data)) - [expected]).max() <= 1


def test_a_palette_with_a_half_and_a_fully_transparent_colour():
    image = Image.new("P", (4, 1))
    image.putpalette([*RED, *GREEN, *BLACK, *BLUE])
    for x in range(4):
        image.putpixel((x, 0), x)
    plain = encoded(image, "PNG")
    assert pixels(decode(plain)).tolist() == [[list(RED), list(GREEN), list(BLACK), list(BLUE)]]
    data = encoded(image, "PNG", transparency=bytes([255, 0, 51, 255]))
    assert abs(pixels(decode(data)) - [[RED, WHITE, (204, 204, 204), BLUE]]).max() <= 1
    assert pixels(decode(encoded(image, "GIF", transparency=1)))[0, 1].tolist() == list(WHITE)


@pytest.mark.parametrize(
    ("colour", "row", "transparent", "expected"),
    [
        (0, [10, 20], struct.pack(">H", 20), [(10, 10, 10), WHITE]),
        (2, [10, 20, 30, 40, 50, 60], struct.pack(">3H", 40, 50, 60), [(10, 20, 30), WHITE]),
    ],
    ids=["grey", "colour"],
)
def test_one_colour_declared_transparent(colour, row, transparent, expected):
    data = png(2, 1, 8, colour, [bytes(row)], (b"tRNS", transparent))
    assert pixels(decode(data)).tolist() == [[list(one) for one in expected]]


STORED = {  # by the Exif standard: which side of the upright image the first row and the first column are
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright.swapaxes(0, 1)[::-1],  # right, top
    7: lambda upright: upright.swapaxes(0, 1)[::-1, ::-1],  # right, bottom
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],  # left, bottom
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [("PNG", {}, 0), ("TIFF", {}, 0), ("WEBP", {"lossless": True}, 0), ("JPEG", {"quality": 95, "subsampling": 0}, 4)],
)
def test_exif_orientation_is_applied_once(orientation, kind, options, tolerance):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](asymmetric())))
    data = encoded(stored, kind, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as reread:
        assert reread.getexif()[ORIENTATION] == orientation
    image = decode(data)
    assert image.size == (48, 32)
    assert abs(pixels(image) - asymmetric()).max() <= tolerance
    assert image.getexif().get(ORIENTATION, 1) == 1
    assert decode(encoded(image, "PNG", exif=image.info.get("exif", b""))).tobytes() == image.tobytes()


def test_the_eight_stored_images_differ():
    assert len({(turn(asymmetric()).shape, turn(asymmetric()).tobytes()) for turn in STORED.values()}) == 8


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_exif_orientation_in_other_modes(mode):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    stored = np.ascontiguousarray(STORED[6](upright))
    image = Image.fromarray(stored.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(stored).convert(mode)
    data = encoded(image, "PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as reread:
        assert reread.mode == mode
    assert (pixels(decode(data)) == upright[..., None]).all()


@pytest.mark.parametrize(
    "exif",
    [b"garbage", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 20, bytes(50)],
    ids=["text", "offset beyond the end", "too many entries", "zeros"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_does_not_stop_decoding(exif, kind):
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(asymmetric()), kind, exif=b"Exif\0\0" + exif, **options)
    assert exif in data
    assert abs(pixels(decode(data)) - asymmetric()).max() <= 4


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_a_senseless_orientation_is_ignored(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert (pixels(decode(encoded(Image.fromarray(asymmetric()), "PNG", exif=exif))) == asymmetric()).all()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation(kind):
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(first, kind, save_all=True, append_images=[second], **options)
    with Image.open(io.BytesIO(data)) as stored:
        assert getattr(stored, "n_frames", 1) == 2
    assert (pixels(decode(data)) == RED).all()


def test_the_first_image_of_a_phone_s_multi_image_jpeg():
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.format == "MPO"
    assert abs(pixels(decode(data)) - RED).max() <= 4


@pytest.mark.parametrize("width_height", [(1, 1), (1, 3000), (3000, 1)])
def test_thin_images(width_height):
    image = decode(encoded(Image.new("RGB", width_height, GREEN), "PNG"))
    assert image.size == width_height
    assert (pixels(image) == GREEN).all()


def test_the_pixel_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 100)
    (tmp_path / "large.png").write_bytes(encoded(Image.new("RGB", (101, 1)), "PNG"))
    text = message(tmp_path / "large.png")
    assert "large.png: 101x1 pixels" in text
    assert "limit of 100" in text
    assert decode(encoded(Image.new("RGB", (100, 1)), "PNG")).size == (100, 1)


@pytest.mark.parametrize("width_height", [(10_001, 10_000), (60_000, 60_000), (2_000_000_000, 2_000_000_000)])
def test_a_bomb_is_refused_by_its_header(width_height):
    data = png(*width_height, 8, 2, [b""])  # there are no pixels to decode: "damaged", had it been tried
    assert "limit of 100,000,000" in message(data)
    assert "damaged" in message(png(100, 100, 8, 2, [b""]))


def test_a_gif_frame_larger_than_its_screen_is_held_to_the_limit(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 1000)
    data = bytearray(encoded(Image.new("P", (40, 40)), "GIF"))
    data[6:10] = struct.pack("<HH", 2, 2)  # the screen's size; the frame's stays
    assert "limit" in message(bytes(data))


def rle_bmp():
    """A BMP file of 8 bits whose two pixels are a run."""
    head = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 8, 1, 0, 0, 0, 0, 0) + b"\0" * 1024
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(head)) + head + b"\2\1\0\1"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P1 1 1 1", "PPM in plain text"),
        (b"P2 1 1 255 7", "PPM in plain text"),
        (b"P3 1 1 255 1 2 3", "PPM in plain text"),
        (b"P6 1 1 1023 123456", "PPM of unusual depth"),
        (rle_bmp(), "BMP with RLE compression"),
    ],
)
def test_what_pillow_decodes_in_python_is_refused(data, reason):
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()  # the file is sound
    assert f"{reason} is not read, which would be slow: save it as PNG" in message(data)


def test_binary_ppm_is_read():
    assert pixels(decode(b"P6 1 1 255 abc")).tolist() == [[[97, 98, 99]]]
    assert pixels(decode(b"P5 1 1 65535 \xff\xff")).tolist() == [[[255] * 3]]


def test_a_jpeg_of_very_many_scans_is_refused():
    data = encoded(Image.new("RGB", (8, 8), RED), "JPEG", progressive=True)
    assert abs(pixels(decode(data)) - RED).max() <= 4
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert "more than 100 scans" in message(data[:-2] + 100 * scan + data[-2:])


def test_the_image_outlives_its_file(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(encoded(Image.fromarray(asymmetric()), "PNG"))
    image = decode(file)
    file.unlink()
    image.putpixel((0, 0), (1, 2, 3))
    assert image.resize((3, 2), Image.Resampling.NEAREST).getpixel((2, 1)) == (255, 255, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_for_training_has_the_same_pixels(tmp_path, orientation, mode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 256, (41, 63, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(tmp_path / "a.jpg", exif=exif)
    asked = []
    decoded = decode_for(lambda width, height: asked.append((width, height)) or 1.9, tmp_path / "a.jpg")
    expected = decode(tmp_path / "a.jpg")
    assert asked == [expected.size]
    if not isinstance(decoded, Image.Image):
        assert mode != "CMYK"
        decoded = Image.fromarray(decoded.permute(1, 2, 0).contiguous().numpy())
    assert decoded.size == expected.size
    assert decoded.tobytes() == expected.tobytes()


@pytest.mark.parametrize("cut", [20, 300, 900, -2])
def test_a_torn_jpeg_is_torn_for_training_too(tmp_path, cut):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (41, 63, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()[:cut]
    try:
        expected = decode(data, "a.jpg").tobytes()
    except BadImage as error:
        with pytest.raises(BadImage, match=re.escape(str(error))):
            decode_for(lambda width, height: 1, data, "a.jpg")
    else:
        assert decode_for(lambda width, height: 1, data, "a.jpg").tobytes() == expected
