"""Files of eight bits: smaller, near the network, and refused where they are not."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image
from small_table import STAGES

from godeeper import GodeeperError, Predictor, create_model, load
from godeeper.cli.main import status
from godeeper.deploy.export import export
from godeeper.deploy.export_metadata import read_metadata
from godeeper.models.load import save
from godeeper.preprocess import Preprocess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def eight_bits(tmp_path_factory, sixty_images):
    """A network of 300 classes near one another, its weights, and its files of eight bits: .onnx and .xml."""
    torch.manual_seed(5)
    full = create_model("googlenet_bn", num_classes=300, width=0.25, small=True).definition
    network = create_model(replace(full, stages={name: full.stages[name] for name in STAGES}, auxiliary={}))
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.02)
    network.preprocess = Preprocess.of(32)
    into = tmp_path_factory.mktemp("eight")
    save(network, into / "net.safetensors")
    reports = {
        ending: export(into / "net.safetensors", into / f"net.{ending}", precision="int8", images=sixty_images, max_drop=100)
        for ending in ("onnx", "xml")
    }
    return into / "net.safetensors", reports


def test_eight_bits_are_smaller_and_near(eight_bits, sixty_images):
    file, reports = eight_bits
    network, fp32 = load(file), Predictor(file, "torch")
    full = 4 * sum(parameter.numel() for parameter in network.parameters())
    weights = {"onnx": reports["onnx"].file.stat().st_size, "xml": reports["xml"].file.with_suffix(".bin").stat().st_size}
    for ending, report in reports.items():
        assert weights[ending] < full / 3
        assert report.check["images"] == 30  # every second one is held out
        assert 0 < report.check["same_top1"] < 30
        assert read_metadata(report.file).precision == "int8"
        assert read_metadata(report.file).check == report.check
        held_out = [Image.open(file) for file in sorted(sixty_images.iterdir())[1::2]]
        predictor = Predictor(report.file, report.check["engine"])
        assert predictor.engine.precision == "int8"
        assert predictor.engine.name == report.check["engine"]
        predictions, expected = predictor(held_out, top=1), fp32(held_out, top=1)
        same = sum(ours.labels == theirs.labels for ours, theirs in zip(predictions, expected, strict=True))
        assert same == report.check["same_top1"]


def test_eight_bits_that_cost_too_much_are_not_written(eight_bits, sixty_images, tmp_path, capfd):
    line = ["export", str(eight_bits[0]), "--out", str(tmp_path / "net.onnx"), "--precision", "int8"]
    assert status([*line, "--images", str(sixty_images), "--max-drop", "0"]) == 2
    (message,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("godeeper: ")]
    different = 30 - eight_bits[1]["onnx"].check["same_top1"]
    assert f"top-1 differs on {100 * different / 30:.1f} % of 30 held-out images" in message
    assert "more than --max-drop 0" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_eight_bits_leave_stdout_to_json(eight_bits, sixty_images, tmp_path):
    line = ["export", str(eight_bits[0]), "--out", str(tmp_path / "net.onnx"), "--precision", "int8", "--json"]
    code = "import sys; from godeeper.cli.main import main; main(sys.argv[1:])"
    line += ["--images", str(sixty_images), "--max-drop", "100"]
    done = subprocess.run([sys.executable, "-c", code, *line], check=True, capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["check"]["images"] == 30


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("ending", ["onnx", "xml"])
def test_a_file_of_eight_bits_has_no_others(ending, precision, eight_bits):
    with pytest.raises(GodeeperError, match=rf"net\.{ending}' is in int8: it does not run in {precision}$"):
        Predictor(eight_bits[1][ending].file, precision=precision)
