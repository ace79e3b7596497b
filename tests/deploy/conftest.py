"""What several tests of the exporters share, made once."""

from dataclasses import replace

import pytest
import torch
from made_images import made_images
from small_table import STAGES

from godeeper import create_model
from godeeper.deploy.export import export
from godeeper.models.load import save
from godeeper.preprocess import Preprocess
from networks import alive


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory):
    """In the place of the shared one: two modules only, which ExecuTorch lowers in seconds. A table that no registry knows."""
    torch.manual_seed(1)
    full = create_model("googlenet_bn", num_classes=3, width=0.25, small=True).definition
    network = alive(create_model(replace(full, stages={name: full.stages[name] for name in STAGES}, auxiliary={})))
    network.classes, network.preprocess = ("cat", "dog", "金鱼"), Preprocess.of(32)
    file = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save(network, file)
    return file


@pytest.fixture(scope="session")
def sixty_images(tmp_path_factory):
    """A folder of sixty images."""
    folder = tmp_path_factory.mktemp("images")
    for number, image in enumerate(made_images(60, seed=1)):
        image.save(folder / f"{number:02}.png")
    return folder


class Exported(dict):
    """The report of a file of each format, all named net; each is made when it is first asked for."""

    def __init__(self, weights, folder):
        self.weights, self.folder = weights, folder

    def __missing__(self, suffix):
        self[suffix] = export(self.weights, self.folder / f"net{suffix}")
        return self[suffix]


@pytest.fixture(scope="session")
def exported(weights_file, tmp_path_factory):
    return Exported(weights_file, tmp_path_factory.mktemp("exported"))
