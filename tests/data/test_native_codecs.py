"""What stands beside Pillow: torchvision's JPEG decoder, tried once; libtiff, silent; and the filters of warnings, left alone."""

import contextlib
import io
import struct
import threading
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import BadImage, decode
from godeeper.data import native_codecs
from godeeper.data.decode import decode_for
from godeeper.models.weights.foreign import read_pickled
from godeeper.packages import IGNORED


def encoded(kind: str, size: int = 24, **options: object) -> bytes:
    pixels = np.random.default_rng(3).integers(0, 255, (size, size, 3), dtype=np.uint8)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, kind, **options)
        return file.getvalue()


def fail(error):
    def decode_jpeg(_: bytes):
        raise error

    return decode_jpeg


@pytest.fixture
def probed_anew():
    native_codecs.jpeg_is_fast.cache_clear()
    yield
    native_codecs.jpeg_is_fast.cache_clear()


@pytest.mark.usefixtures("probed_anew")
@pytest.mark.parametrize(
    "decoder",
    [
        fail(AttributeError("module 'torchvision.io' has no attribute 'decode_jpeg'")),
        fail(ImportError("libjpeg.so: cannot open shared object file")),
        fail(RuntimeError("decode_jpeg: torchvision not compiled with libjpeg support")),
        fail(DeprecationWarning("decode_jpeg is gone")),
        lambda _: torch.zeros(3, 16, 16, dtype=torch.uint8),
    ],
)
def test_without_torchvisions_decoder_every_jpeg_is_still_read_and_it_is_said_once(decoder, monkeypatch, caplog):
    monkeypatch.setattr(native_codecs, "_decode_jpeg", decoder)
    data = encoded("JPEG")
    for _ in range(2):
        image = decode_for(lambda *_: 1, data)
        assert np.array_equal(np.asarray(image), np.asarray(decode(data)))
    (record,) = caplog.records
    assert "torchvision does not decode JPEG" in record.message


@pytest.mark.usefixtures("probed_anew")
def test_torchvision_decodes_a_good_jpeg_here(caplog):
    assert native_codecs.jpeg_is_fast()
    assert caplog.records == []


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_libtiff_writes_nothing_itself(compression, capfd):
    data = encoded("TIFF", 64, compression=compression)
    for damaged in (data[:300] + bytes(64) + data[364:], data[: len(data) // 2] + data[-200:], data[:-20]):
        with contextlib.suppress(BadImage):
            decode(damaged)
    assert capfd.readouterr().err == ""


def tiff(bits: int, sample_format: int) -> bytes:
    """A grey TIFF of 2 x 2 pixels, by hand."""
    pixels = bytes(4 * bits // 8)
    tags = [
        (256, 2),
        (257, 2),
        (258, bits),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, 2),
        (279, len(pixels)),
        (339, sample_format),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("bits", "sample_format", "reason"),
    [
        (8, 2, "signed pixels"),
        (16, 2, "signed pixels"),
        (32, 2, "signed pixels"),
        (32, 3, "32-bit pixels"),
        (32, 1, "32-bit pixels"),
    ],
)
def test_a_tiff_of_other_numbers_is_called_what_it_is(bits, sample_format, reason):
    with pytest.raises(BadImage, match=reason):
        decode(tiff(bits, sample_format))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_of_unsigned_numbers_is_read(bits):
    assert decode(tiff(bits, 1)).size == (2, 2)


@pytest.mark.parametrize("what", ["images", "weights"])
def test_reading_in_threads_leaves_the_filters_of_warnings_as_they_are(what, tmp_path):
    """catch_warnings restores what another thread has set meanwhile: two threads in step leave everything ignored."""
    data, file = encoded("PNG", 8), tmp_path / "a.pth"
    torch.save({"a": torch.zeros(2)}, file, pickle_protocol=3)  # of which torch warns
    warnings.simplefilter("error")
    before = [entry for entry in warnings.filters if entry != IGNORED]
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for _ in range(200 if what == "images" else 20):
            decode(data) if what == "images" else read_pickled(file)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry for entry in warnings.filters if entry != IGNORED] == before
    with pytest.raises(UserWarning, match="mine"):
        warnings.warn("mine", stacklevel=1)


def test_what_pillow_warns_of_is_no_reason_to_refuse_an_image():
    damaged = encoded("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")  # five entries, and none there
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        Image.open(io.BytesIO(damaged)).getexif().get(274)
    warnings.simplefilter("error")
    assert decode(damaged).size == (24, 24)
