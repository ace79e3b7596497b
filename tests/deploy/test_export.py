"""Exported files: what they hold, what they give here and in a process without us, and what is refused."""

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from made_images import made_images

from godeeper import GodeeperError, Predictor, create_model, load
from godeeper.cli.main import status
from godeeper.data.pixels import normalise, take_crops
from godeeper.deploy import checked_export
from godeeper.deploy.export import export
from godeeper.deploy.export_formats import ONNXExporter, OpenVINOExporter
from godeeper.deploy.export_metadata import read_metadata
from godeeper.deploy.fuse import fuse
from godeeper.deploy.onnx_graph import to_onnx
from godeeper.deploy.torch_export import load_pt2
from godeeper.tensor_files import digest
from networks import alive

ALONE = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "godeeper", "PIL", "torchvision", "onnx", BLOCKED):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
import numpy as np
file, given, out = sys.argv[1:]
x = np.load(given)
""".strip()
BY_ONNXRUNTIME = """
import onnxruntime
session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
np.save(out, session.run(None, {session.get_inputs()[0].name: x})[0])
"""
BY_OPENVINO = """
import openvino
np.save(out, openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0])
"""
LAST = """
assert not {"torch", "godeeper"} & set(sys.modules)
"""


def in_another_process(engine, file, x, folder):
    """What a file gives in a process that has numpy and one engine, and neither torch nor godeeper."""
    given, out = folder / "given.npy", folder / "out.npy"
    np.save(given, x)
    code = ALONE.replace("BLOCKED", repr("openvino" if engine == "onnxruntime" else "onnxruntime"))
    code += {"onnxruntime": BY_ONNXRUNTIME, "openvino": BY_OPENVINO}[engine] + LAST
    subprocess.run([sys.executable, "-I", "-c", code, *map(str, (file, given, out))], check=True, timeout=120)
    return torch.from_numpy(np.load(out))


def prepared(images, preprocess):
    return torch.cat([normalise(take_crops(image, preprocess), preprocess) for image in images])


@torch.no_grad()
def probabilities(network, images):
    return network(prepared(images, network.preprocess)).softmax(1)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def one_line(captured):
    """The single line on stderr, without the name of the program; nothing on stdout."""
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line.removeprefix("godeeper: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "engine"), [(".onnx", "onnxruntime"), (".xml", "openvino"), (".pt2", "torch"), (".pte", "executorch")]
)
def test_the_report(suffix, engine, exported, weights_file):
    report = exported[suffix]
    network = load(weights_file)
    assert report.check["images"] == report.check["same_top1"] == 2 * 13  # two photographs and twelve pieces of each
    assert report.check["engine"] == engine
    assert 0 <= report.check["mean_shift_of_top1"] <= report.check["largest_shift"] < 1e-5
    companion = {".xml": ".bin", ".pte": ".json"}.get(suffix)
    files = [report.file] + ([report.file.with_suffix(companion)] if companion else [])
    assert report.size == sum(file.stat().st_size for file in files)
    assert report.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert (report.memory is None) == (suffix != ".pte")
    weights = 4 * report.parameters
    assert 0.98 * weights < report.size < weights + 400_000  # batch norm's parameters are folded; OpenVINO's .xml is long
    assert report.multiply_adds > 10 * report.parameters
    assert set(names(report.file.parent)) <= {"net.bin", "net.json", "net.onnx", "net.pt2", "net.pte", "net.xml"}


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_the_metadata(suffix, exported, weights_file):
    network = load(weights_file)
    metadata = read_metadata(exported[suffix].file)
    assert metadata.spec == network.spec
    assert metadata.spec.classes == ("cat", "dog", "金鱼")
    assert metadata.source == {"weights": "small.safetensors", "sha256": digest(network.state_dict())}
    assert metadata.check == exported[suffix].check
    assert (metadata.precision, metadata.with_preprocessing) == ("fp32", False)


@pytest.mark.slow
def test_every_format_has_the_same_metadata(exported):
    (entry,) = onnx.load(exported[".onnx"].file).metadata_props
    with zipfile.ZipFile(exported[".pt2"].file) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("extra/godeeper")]
        pt2 = json.loads(archive.read(name))
    pte = json.loads(exported[".pte"].file.with_suffix(".json").read_text(encoding="utf-8"))
    expected = json.loads(entry.value)
    assert entry.key == "godeeper"
    for metadata, suffix in ((expected, ".onnx"), (pt2, ".pt2"), (pte, ".pte")):
        assert metadata.pop("check") == exported[suffix].check
        assert ("checksum" in metadata) == (suffix != ".pt2")  # whose checksum is the archive's comment
        metadata.pop("checksum", None)
    assert pt2 == pte == expected


def test_an_onnx_file_is_valid(exported):
    onnx.checker.check_model(onnx.load(exported[".onnx"].file), full_check=True)


@pytest.mark.parametrize(
    ("suffix", "engine", "crops"),
    [(".onnx", "auto", 1), (".onnx", "onnxruntime", 10), (".onnx", "openvino", 1), (".xml", "auto", 10), (".xml", "openvino", 1)],
)
def test_a_file_predicts_as_its_weights_do(suffix, engine, crops, exported, weights_file):
    images = made_images(24, (70, 51))[::2]
    expected = Predictor(weights_file, "torch")(images, top=3, crops=crops)
    assert np.ptp([prediction.probabilities for prediction in expected], axis=0).max() > 0.02  # they differ
    actual = Predictor(exported[suffix].file, engine)(images, top=3, crops=crops)
    for ours, theirs in zip(actual, expected, strict=True):
        assert dict(zip(ours.labels, ours.probabilities, strict=True)) == pytest.approx(
            dict(zip(theirs.labels, theirs.probabilities, strict=True)), abs=1e-5
        )


def test_a_pt2_gives_the_networks_probabilities(exported, weights_file):
    network = load(weights_file)
    images = made_images(3)
    actual = load_pt2(exported[".pt2"].file)(prepared(images, network.preprocess)).softmax(1)
    assert torch.allclose(actual, probabilities(network, images), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("suffix", "engine"), [(".onnx", "onnxruntime"), (".xml", "openvino")])
def test_a_file_in_a_process_without_torch_and_godeeper(suffix, engine, exported, weights_file, tmp_path):
    network = load(weights_file)
    images = made_images(5)
    x = prepared(images, network.preprocess).numpy()
    actual = in_another_process(engine, exported[suffix].file, x, tmp_path)
    expected = probabilities(network, images)
    assert expected.std(0).max() > 0.01
    assert torch.allclose(actual.softmax(1), expected, rtol=0, atol=1e-3)


def test_images_in_and_probabilities_out_in_a_process_without_us(weights_file, tmp_path):
    report = export(weights_file, tmp_path / "net.onnx", with_preprocessing=True)
    assert report.check["same_top1"] == report.check["images"] == 26
    assert report.check["largest_shift"] < 0.02
    assert read_metadata(report.file).with_preprocessing
    network = load(weights_file)
    for size in ((48, 40), (33, 90)):
        images = made_images(2, size)
        x = np.stack([np.array(image) for image in images])
        actual = in_another_process("onnxruntime", report.file, x, tmp_path)
        assert torch.allclose(actual, probabilities(network, images), rtol=0, atol=0.02)
    with pytest.raises(GodeeperError, match="takes images as they are, for use without godeeper"):
        Predictor(report.file)


def test_a_network_in_memory_and_an_ending_in_capitals(weights_file, tmp_path, sixty_images):
    network = load(weights_file)
    network.classes = None
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    report = export(network, tmp_path / "Net.ONNX", images=sixty_images)
    assert report.check["images"] == 60
    assert names(report.file.parent) == ["Net.ONNX"]
    assert read_metadata(report.file).source["weights"] == "googlenet_bn"
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)
    assert Predictor(report.file, "onnxruntime").classes == ("0", "1", "2")


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_an_edited_table_that_no_registry_knows(suffix, weights_file, tmp_path):
    definition = load(weights_file).definition
    first = next(iter(definition.stages))
    stages = {**definition.stages, first: replace(definition.stages[first], filters=24)}
    network = create_model(replace(definition, name="mine", stages=stages))
    network.preprocess = network.preprocess.with_size(32)
    network.classes = ("a", "b", "c")
    network = alive(network)
    report = export(network, tmp_path / f"net{suffix}")
    assert read_metadata(report.file).spec == network.spec
    predictor = Predictor(report.file)
    assert predictor.classes == ("a", "b", "c")
    images = made_images(3)
    for prediction, expected in zip(predictor(images, top=3), probabilities(network, images), strict=True):
        by_class = dict(zip(prediction.labels, prediction.probabilities, strict=True))
        assert [by_class[name] for name in "abc"] == pytest.approx(expected.tolist(), abs=1e-5)


def test_more_images_than_are_used(weights_file, tmp_path, sixty_images, monkeypatch):
    monkeypatch.setattr(checked_export, "MOST_IMAGES", 25)
    assert export(weights_file, tmp_path / "net.onnx", images=sixty_images).check["images"] == 25


def test_the_command(weights_file, tmp_path, capsys):
    out = tmp_path / "net.onnx"
    parameters = sum(parameter.numel() for parameter in load(weights_file).parameters())
    assert status(["export", str(weights_file), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    for part in ("net.onnx", f"{parameters:,}", "26 of 26", "onnxruntime, on 26 images", f"{out.stat().st_size / 1e6:.1f} MB"):
        assert part in text
    out.unlink()
    assert status(["export", str(weights_file), "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["check"] == read_metadata(out).check
    assert (printed["file"], printed["size"]) == (str(out), out.stat().st_size)


def test_eight_bits_that_move_probabilities_are_refused_though_top_1_stays(weights_file, sixty_images, tmp_path, monkeypatch):
    sharper = load(weights_file)
    with torch.no_grad():
        for parameter in sharper.head["linear"].parameters():
            parameter.mul_(100)
    monkeypatch.setattr("godeeper.deploy.export.quantised", lambda *_: to_onnx(fuse(sharper)))
    with pytest.raises(
        GodeeperError, match=r"top-1 differs on 0\.0 % of 30 held-out images .* and on \d\d+\.\d % a probability moves"
    ):
        export(weights_file, tmp_path / "net.onnx", precision="int8", images=sixty_images)
    report = export(weights_file, tmp_path / "net.onnx", precision="int8", images=sixty_images, max_drop=100)
    assert (report.check["same_top1"], report.check["images"]) == (30, 30)
    assert report.check["moved"] > 3
    assert report.check["largest_shift"] > 0.1


@pytest.mark.parametrize(
    ("out", "options", "pattern"),
    [
        ("net.tflite", [], r"net\.tflite.*: the name's ending decides the format; give one of \.onnx \(ONNX\), \.xml"),
        ("net", [], r"the name's ending decides the format"),
        ("net.XML", [], r"\.xml in small letters only"),
        ("\udcff.onnx", [], r"the name is not UTF-8"),
        ("net.onnx", ["--precision", "bf16"], r"precision 'bf16': a file is in fp32 or int8; bf16 is chosen where it runs"),
        ("net.onnx", ["--precision", "int4"], r"precision 'int4': a file is in fp32 or int8"),
        ("net.pt2", ["--precision", "int8", "--images", "."], r"int8 is written as \.onnx or \.xml, not \.pt2"),
        ("net.pte", ["--precision", "int8", "--images", "."], r"int8 is written as \.onnx or \.xml, not \.pte"),
        ("net.xml", ["--with-preprocessing"], r"preprocessing is written into \.onnx files only, not \.xml"),
        ("net.pt2", ["--with-preprocessing"], r"preprocessing is written into \.onnx files only, not \.pt2"),
        ("net.onnx", ["--precision", "int8"], r"int8 is calibrated on images .*: name a folder of them with --images"),
        ("net.onnx", ["--images", "nowhere"], r"there is no folder of images 'nowhere'"),
        ("net.onnx", ["--max-drop", "101"], r"--max-drop"),
        ("net.onnx", ["--max-drop", "-1"], r"--max-drop"),
    ],
)
def test_what_does_not_go_together(out, options, pattern, weights_file, tmp_path, capsys):
    assert status(["export", str(weights_file), "--out", str(tmp_path / out), *options]) == 2
    message = one_line(capsys.readouterr())
    assert re.search(pattern, message), message
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["net.onnx", "net.xml", "net.pt2"])
def test_a_file_that_exists_is_kept(name, weights_file, tmp_path, capsys):
    file = tmp_path / name
    file.write_bytes(b"precious")
    assert status(["export", str(weights_file), "--out", str(file)]) == 2
    assert one_line(capsys.readouterr()) == f"--out {str(file)!r} exists: remove it or choose another name"
    assert (names(tmp_path), file.read_bytes()) == ([name], b"precious")


@pytest.mark.parametrize("folder", [False, True])
def test_weights_beside_an_openvino_file_are_kept(folder, weights_file, tmp_path):
    beside = tmp_path / "net.bin"
    beside.mkdir() if folder else beside.write_bytes(b"precious")
    with pytest.raises(GodeeperError, match=r"net\.bin' (exists: remove it|is a folder)"):
        export(weights_file, tmp_path / "net.xml", overwrite=folder)
    assert names(tmp_path) == ["net.bin"]
    assert folder or beside.read_bytes() == b"precious"


def test_a_file_may_be_overwritten(weights_file, tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"old")
    export(weights_file, file, overwrite=True)
    assert read_metadata(file).spec.classes == ("cat", "dog", "金鱼")
    assert names(tmp_path) == ["net.onnx"]


def test_too_few_images(weights_file, tmp_path, capsys):
    few = tmp_path / "few"
    few.mkdir()
    for number, image in enumerate(made_images(19)):
        image.save(few / f"{number}.png")
    (few / "bad.png").write_bytes(b"no image")  # a twentieth that does not count
    for precision in ("fp32", "int8"):
        line = ["export", str(weights_file), "--out", str(tmp_path / "net.onnx"), "--images", str(few)]
        assert status([*line, "--precision", precision]) == 2
        message = one_line(capsys.readouterr())
        assert message == f"{str(few)!r} holds 19 images that can be decoded: at least 20 are needed"
    assert names(tmp_path) == ["few"]


def test_weights_that_are_not_there(tmp_path, capsys):
    assert status(["export", str(tmp_path / "nothing.safetensors"), "--out", str(tmp_path / "net.onnx")]) == 2
    assert "nothing.safetensors" in one_line(capsys.readouterr())
    assert names(tmp_path) == []


@pytest.mark.parametrize("ending", ["onnx", "xml"])
def test_weights_that_are_no_numbers_are_refused(ending, weights_file, tmp_path):
    network = load(weights_file)
    with torch.no_grad():
        network.stages["3a"].branches[0][0].conv.weight[0, 0] = float("nan")
    with pytest.raises(GodeeperError, match="the network's answers are not numbers: its weights are damaged"):
        export(network, tmp_path / f"net.{ending}")
    assert names(tmp_path) == []


def changed(load, change):
    """An exporter's `load`, with `change` applied to the logits."""
    return lambda self, file: lambda x: [change(torch.from_numpy(load(self, file)(x)[0])).numpy()]


@pytest.mark.parametrize(
    ("kind", "ending", "what"),
    [
        (ONNXExporter, "onnx", "another top-1"),
        (ONNXExporter, "onnx", "other probabilities"),
        (OpenVINOExporter, "xml", "no numbers"),
    ],
)
def test_a_file_that_gives_other_answers_is_not_left(kind, ending, what, weights_file, tmp_path, monkeypatch, capsys):
    change = {
        "another top-1": lambda logits: logits.roll(1, 1),
        "other probabilities": lambda logits: 1.2 * logits,  # the order stays
        "no numbers": lambda logits: logits * float("nan"),
    }[what]
    monkeypatch.setattr(kind, "load", changed(kind.load, change))
    assert status(["export", str(weights_file), "--out", str(tmp_path / f"net.{ending}")]) == 2
    message = one_line(capsys.readouterr())
    assert message.startswith("not written: ")
    assert ("on 0 of 26 images" in message) == (what == "other probabilities")
    assert names(tmp_path) == []


def test_no_numbers_are_refused_though_top_1_is_the_same(weights_file, tmp_path, monkeypatch):
    network = load(weights_file)
    torch.nn.init.constant_(network.head["linear"].linear.weight, 0)
    network.head["linear"].linear.bias.data.copy_(torch.tensor([3.0, 0, 0]))  # the first, as of NaNs
    monkeypatch.setattr(ONNXExporter, "load", changed(ONNXExporter.load, lambda logits: logits * float("nan")))
    with pytest.raises(GodeeperError, match=r"^not written: .* on 0 of 26 images, and probabilities up to nan"):
        export(network, tmp_path / "net.onnx")
    assert names(tmp_path) == []


def test_shifts_below_the_tolerance_are_written_into_the_metadata(weights_file, tmp_path, monkeypatch):
    shift = torch.tensor([[2e-3, 0.0, 0.0]])  # of logits: of probabilities, at most a quarter
    monkeypatch.setattr(ONNXExporter, "load", changed(ONNXExporter.load, lambda logits: logits + shift))
    report = export(weights_file, tmp_path / "net.onnx")
    assert 1e-4 < report.check["largest_shift"] <= 0.5e-3 + 1e-6
    assert read_metadata(report.file).check["largest_shift"] == report.check["largest_shift"]


def test_an_interrupted_check_leaves_nothing(weights_file, tmp_path, monkeypatch):
    def interrupted(self, file):
        assert file.is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(ONNXExporter, "load", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(weights_file, tmp_path / "net.onnx")
    assert names(tmp_path) == []
