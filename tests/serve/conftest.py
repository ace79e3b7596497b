"""One network and one server for all tests here."""

import pytest
import torch
from serve_client import CLASSES, Server

from godeeper import create_model
from godeeper.models.load import save
from godeeper.preprocess import Preprocess


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    torch.manual_seed(3)
    network = create_model("googlenet_bn", num_classes=10, width=0.25, small=True)
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.05)  # so that predictions differ between images
    network.classes, network.preprocess = CLASSES, Preprocess.of(32)
    file = tmp_path_factory.mktemp("served") / "small.safetensors"
    save(network, file)
    return file


@pytest.fixture(scope="session")
def server(weights):
    server = Server(weights)
    yield server
    server.stop()
