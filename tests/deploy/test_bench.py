"""The table of engines and precisions."""

import json

import pytest

from godeeper.cli.main import status
from godeeper.deploy import bench
from godeeper.models.peers import peer_of
from godeeper.models.registry import create_model


@pytest.mark.slow
def test_every_engine_and_precision_has_a_line(weights_file, capsys, monkeypatch):
    monkeypatch.setattr(bench, "TURNS", 1)
    monkeypatch.setattr(bench, "SECONDS", 0.02)
    assert status(["bench", str(weights_file), "--batch-size", "2", "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    kinds = {(line["engine"], line["precision"]) for line in lines}
    assert {("eager", "fp32"), ("torch", "fp32"), ("torch", "bf16"), ("openvino", "int8"), ("onnxruntime", "int8")} <= kinds
    assert all(line["milliseconds"] > 0 and line["batch"] == 2 for line in lines)
    shifts = {(line["engine"], line["precision"]): line["largest_shift"] for line in lines}
    assert shifts["openvino", "fp32"] < 1e-5 < shifts["openvino", "int8"] < 0.5
    assert 0 < shifts["torch", "bf16"] < 0.1


@pytest.mark.slow
def test_peers_are_of_the_same_size():
    ours = create_model("googlenet_torchvision", num_classes=10)
    name, theirs = peer_of(ours)
    assert name == "torchvision googlenet"
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())


def test_networks_of_another_size_have_no_peer():
    assert peer_of(create_model("googlenet_torchvision", num_classes=10, width=0.25)) is None
    assert peer_of(create_model("zfnet", num_classes=10)) is None
