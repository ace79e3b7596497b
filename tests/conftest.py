"""What several tests share: a small network on disk, and the folder of real images where there is one."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import create_model
from godeeper.models.weights import save_weights
from godeeper.preprocess import Preprocess

os.environ.setdefault("HF_HOME", tempfile.mkdtemp(prefix="godeeper-hf-"))  # before `datasets` is imported: no test writes at home
os.environ.setdefault("GODEEPER_CACHE", tempfile.mkdtemp(prefix="godeeper-cache-"))


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small googlenet_bn for three classes and 32 pixels, batch-norm statistics away from their start."""
    torch.manual_seed(1)
    network = create_model("googlenet_bn", num_classes=3, width=0.25, small=True)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.05)  # so that predictions differ between images
    network.classes = ("cat", "dog", "金鱼")
    network.preprocess = Preprocess.of(32)
    file = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(network, file)
    return file


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    """A class folder of random 40x30 images, cat/ and dog/ in train/ and val/."""
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("val", 4)):
        for name in ("cat", "dog"):
            folder = tmp_path / "images" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.fromarray(random.integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    return tmp_path / "images"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images that GODEEPER_SHARED names."""
    folder = Path(os.environ.get("GODEEPER_SHARED", ""))
    if "GODEEPER_SHARED" not in os.environ or not folder.is_dir():
        pytest.skip("GODEEPER_SHARED does not name the folder of real images")
    return folder
