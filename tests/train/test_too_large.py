"""Networks that memory does not hold are refused before they are built, and no run is left."""

from dataclasses import replace

import pytest

import godeeper
from godeeper import GodeeperError, workflows
from godeeper.models.spec import ModelSpec
from godeeper.notation import Conv
from godeeper.papers.registry import definition
from godeeper.train import checks


def built(*arguments, **options):
    pytest.fail("it was built")


def test_no_network_of_more_parameters_than_can_be_loaded_is_built(monkeypatch):
    monkeypatch.setattr("godeeper.models.registry.Network", built)
    with pytest.raises(GodeeperError, match=r"'vgg16' has [\d,]+ parameters: a file may ask for 2,000,000,000 at most"):
        godeeper.create_model("vgg16", width=16)
    table = replace(definition("googlenet"), stages={"a": (Conv(100_000, 1), Conv(100_000, 1))}, auxiliary={}, stem=())
    with pytest.raises(GodeeperError, match="parameters"):
        godeeper.create_model(table)


def test_no_training_that_memory_cannot_hold_begins(tmp_path, monkeypatch):
    monkeypatch.setattr("godeeper.workflows.starting_network.create_model", built)
    monkeypatch.setattr(checks, "machine_memory", lambda: 5 * 10**8)
    wide = replace(definition("googlenet"), stages={"a": (Conv(100_000, 1, 4), Conv(1_000, 1))}, auxiliary={}, stem=())
    with pytest.raises(GodeeperError, match=r"'googlenet' takes 0.8 GB at least, this machine has 0.5 GB: take fewer"):
        workflows.train(tmp_path / "run", ModelSpec.of(wide), "digits")
    assert not (tmp_path / "run").exists()


def test_a_batch_that_memory_cannot_hold_is_refused(monkeypatch):
    monkeypatch.setattr(checks.torch.accelerator, "is_available", lambda: False)
    described = godeeper.describe("googlenet")  # its first stage makes 64 x 112 x 112 numbers of an image
    monkeypatch.setattr(checks, "machine_memory", lambda: 8 * described.parameters + 2 * 64 * 112 * 112)
    checks.check_training_memory(described)
    with pytest.raises(GodeeperError, match="smaller batch_size or image_size"):
        checks.check_training_memory(described, images=1)
