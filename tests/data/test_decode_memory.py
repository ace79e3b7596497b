"""Decoding takes 4 bytes a pixel of the limit and a constant, whatever the format: measured, in a process for each."""

import io
import math
import subprocess
import sys

import pytest
from PIL import Image, features

from godeeper import BadImage, decode
from godeeper.data import decode as module

PIXELS = 16_000_000  # the limit in these tests
CONSTANT = 48_000_000  # bytes: the file, the strips, what the allocator keeps
EXIF = Image.Exif()
EXIF[0x0112] = 6
KINDS = {  # mode, format, how it is written, and the bytes that a pixel takes by Pillow's source
    "RGB": ("RGB", "PNG", {}, 4),
    "grey": ("L", "PNG", {}, 5),
    "16 bits": ("I;16", "PNG", {}, 6),
    "RGBA": ("RGBA", "PNG", {}, 8),
    "grey with alpha": ("LA", "PNG", {}, 8),
    "a palette with alpha": ("P", "PNG", {"transparency": 0}, 5),
    "a GIF": ("P", "GIF", {"transparency": 0}, 5),
    "CMYK": ("CMYK", "JPEG", {}, 8),
    "turned": ("RGB", "JPEG", {"exif": EXIF}, 8),
    "progressive": ("RGB", "JPEG", {"progressive": True, "subsampling": 0}, 10),
    "TIFF": ("RGB", "TIFF", {"compression": "tiff_lzw", "strip_size": 4 * PIXELS}, 12),
    "TIFF with alpha": ("RGBA", "TIFF", {"compression": "tiff_lzw", "strip_size": 4 * PIXELS}, 16),
    "WebP": ("RGB", "WEBP", {"method": 0}, 16),
    "WebP with alpha": ("RGBA", "WEBP", {"method": 0, "lossless": True}, 20),
    **({"AVIF": ("RGB", "AVIF", {"speed": 10}, 16)} if features.check("avif") else {}),
}
CHILD = """
import resource, sys
from godeeper.data import decode as module
module.MAX_PIXELS = int(sys.argv[1])
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = module.decode(data)
print(image.mode, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


def encoded(mode, kind, options, pixels):
    side = math.isqrt(pixels)
    with io.BytesIO() as file:
        Image.new(mode, (side, side)).save(file, kind, **options)
        return file.getvalue()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize(("mode", "kind", "options", "held"), KINDS.values(), ids=KINDS)
def test_the_largest_image_of_a_format_fits_the_bound(mode, kind, options, held):
    data = encoded(mode, kind, options, 4 * PIXELS // held)
    found = subprocess.run([sys.executable, "-c", CHILD, str(PIXELS)], input=data, capture_output=True, timeout=120, check=False)
    assert found.returncode == 0, found.stderr
    decoded, peak = found.stdout.split()
    assert decoded == b"RGB"
    assert int(peak) < 4 * PIXELS + CONSTANT


@pytest.mark.parametrize("kind", ["RGBA", "turned", "progressive", "WebP"])
def test_a_larger_one_is_refused(kind, monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 10_000)
    mode, name, options, held = KINDS[kind]
    with pytest.raises(BadImage, match=rf"pixels are more than the limit of {40_000 // held:,} for {name} in {mode}") as refused:
        decode(encoded(mode, name, options, 44_000 // held))
    assert refused.value.code == "too-many-pixels"
    assert decode(encoded(mode, name, options, 40_000 // held)).mode == "RGB"


def test_large_images_are_converted_in_strips(monkeypatch):
    image = Image.linear_gradient("L").resize((30, 40)).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90).resize((30, 40)))
    with io.BytesIO() as file:
        image.save(file, "PNG")
        whole = decode(file.getvalue())
        monkeypatch.setattr(module, "STRIP_PIXELS", 100)
        assert decode(file.getvalue()).tobytes() == whole.tobytes()
