"""A small network of ten classes, and images good and bad."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import create_model
from godeeper.preprocess import Preprocess

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.fixture(scope="session")
def ten_things():
    """Untrained, but its predictions differ between images."""
    torch.manual_seed(2)
    network = create_model("googlenet_bn", num_classes=10, width=0.125, small=True).eval()
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.3)
    network.classes, network.preprocess = NAMES, Preprocess.of(32)
    return network


def _bomb():
    """A PNG of a few kilobytes that claims to be 60,000 pixels wide and high."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(60_001))), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """By what they are: a photograph, and files that people upload by mistake or by malice."""
    folder = tmp_path_factory.mktemp("uploads")
    random = np.random.default_rng(0)
    photograph = Image.fromarray(random.integers(0, 255, (60, 90, 3), dtype=np.uint8)).resize(
        (360, 240), Image.Resampling.BICUBIC
    )
    frames = [Image.new("RGB", (48, 48), colour) for colour in ("red", "green", "blue")]
    animation = io.BytesIO()
    frames[0].save(animation, "GIF", save_all=True, append_images=frames[1:])
    single = io.BytesIO()
    Image.new("RGB", (1, 1), "white").save(single, "PNG")
    contents = {"text.jpg": b"no image at all\n" * 50, "bomb.png": _bomb(), "animation.gif": animation.getvalue()}
    for name, content in {**contents, "single.png": single.getvalue(), "huge.jpg": b"\xff\xd8\xff" + bytes(20_000_001)}.items():
        (folder / name).write_bytes(content)
    photograph.save(folder / "photograph.jpg")
    return {file.stem: file for file in folder.iterdir()}
