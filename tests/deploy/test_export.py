"""Exported files: what they say of themselves, what they give here and in a process without us, and what is refused."""

import json
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError, Predictor, create_model, load
from godeeper.cli.main import status
from godeeper.data.augment import normalise
from godeeper.data.views import take_views
from godeeper.deploy import export as exporting
from godeeper.deploy.card import read_card
from godeeper.deploy.export import export
from godeeper.deploy.formats import ONNXFile, OpenVINOFile
from godeeper.deploy.torch_formats import read_pt2_metadata, run_pt2
from godeeper.errors import BadCheckpoint
from godeeper.models.load import save
from godeeper.preprocess import Preprocess
from godeeper.tensor_files import digest

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


def elsewhere(engine, file, x, folder):
    """What a file gives in a process that has numpy and one engine, and neither torch nor godeeper."""
    given, out = folder / "given.npy", folder / "out.npy"
    np.save(given, x)
    code = ALONE.replace("BLOCKED", repr("openvino" if engine == "onnxruntime" else "onnxruntime"))
    code += {"onnxruntime": BY_ONNXRUNTIME, "openvino": BY_OPENVINO}[engine] + LAST
    subprocess.run([sys.executable, "-I", "-c", code, *map(str, (file, given, out))], check=True, timeout=120)
    return torch.from_numpy(np.load(out))


def made_images(count, size=(48, 40), seed=0):
    """Images of a few colours in blocks, no two alike."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)
    return [Image.fromarray(block).resize(size, Image.Resampling.BICUBIC) for block in blocks]


def prepared(images, preprocess):
    return torch.cat([normalise(take_views(image, preprocess), preprocess) for image in images])


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty images."""
    folder = tmp_path_factory.mktemp("images")
    for number, image in enumerate(made_images(60, seed=1)):
        image.save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def exported(weights_file, tmp_path_factory):
    """A file of each format, and its report."""
    folder = tmp_path_factory.mktemp("exported")
    return {ending: export(weights_file, folder / f"net.{ending}") for ending in ("onnx", "xml", "pt2")}


@pytest.fixture(scope="module")
def eight_bits(tmp_path_factory, folder):
    """A network of 300 classes near one another, its weights, and its files of eight bits: .onnx and .xml."""
    torch.manual_seed(5)
    network = create_model("googlenet_bn", num_classes=300, width=0.25, small=True)
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.02)
    network.preprocess = Preprocess.of(32)
    into = tmp_path_factory.mktemp("eight")
    save(network, into / "net.safetensors")
    reports = {
        ending: export(into / "net.safetensors", into / f"net.{ending}", precision="int8", images=folder, max_drop=100)
        for ending in ("onnx", "xml")
    }
    return into / "net.safetensors", reports


@pytest.mark.parametrize(("ending", "engine"), [("onnx", "onnxruntime"), ("xml", "openvino"), ("pt2", "torch")])
def test_the_report(ending, engine, exported, weights_file):
    report = exported[ending]
    network = load(weights_file)
    assert report.check["images"] == report.check["same_top1"] == 2 * 13  # two photographs and twelve pieces of each
    assert report.check["engine"] == engine
    assert 0 <= report.check["mean_shift_of_top1"] <= report.check["largest_shift"] < 1e-5
    parts = [report.file] + ([report.file.with_suffix(".bin")] if ending == "xml" else [])
    assert report.size == sum(part.stat().st_size for part in parts)
    assert report.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert report.memory is None
    weights = 4 * report.parameters
    assert 0.98 * weights < report.size < weights + 400_000  # batch norm's parameters are folded; OpenVINO's .xml is long
    assert report.multiply_adds > 10 * report.parameters
    assert names(report.file.parent) == ["net.bin", "net.onnx", "net.pt2", "net.xml"]


@pytest.mark.parametrize("ending", ["onnx", "xml"])
def test_the_card(ending, exported, weights_file):
    network = load(weights_file)
    card = read_card(exported[ending].file)
    assert card.classes == network.classes == ("cat", "dog", "金鱼")
    assert card.preprocess == network.preprocess
    assert card.source == {"weights": "small.safetensors", "sha256": digest(network.state_dict())}
    assert card.check == exported[ending].check
    assert (card.precision, card.with_preprocessing) == ("fp32", False)
    assert card.model == network.arguments
    assert create_model(**card.model)


def test_the_card_of_a_pt2(exported, weights_file):
    card = read_pt2_metadata(exported["pt2"].file)
    assert card["classes"] == ["cat", "dog", "金鱼"]
    assert card["check"] == exported["pt2"].check
    assert card["preprocess"]["resize"]["size"] == 32


def test_an_onnx_file_is_valid_and_its_card_is_readable_json(exported):
    model = onnx.load(exported["onnx"].file)
    onnx.checker.check_model(model, full_check=True)
    (entry,) = model.metadata_props
    assert (entry.key, json.loads(entry.value)["classes"]) == ("godeeper", ["cat", "dog", "金鱼"])


@pytest.mark.parametrize(
    ("ending", "engine"), [("onnx", "auto"), ("onnx", "onnxruntime"), ("onnx", "openvino"), ("xml", "auto"), ("xml", "openvino")]
)
@pytest.mark.parametrize("crops", [1, 10])
def test_a_file_predicts_as_its_weights_do(ending, engine, crops, exported, weights_file):
    images = made_images(24, (70, 51))[::2]
    expected = Predictor(weights_file, "torch")(images, top=3, crops=crops)
    assert np.ptp([prediction.probabilities for prediction in expected], axis=0).max() > 0.02  # told apart
    found = Predictor(exported[ending].file, engine)(images, top=3, crops=crops)
    for one, other in zip(found, expected, strict=True):
        assert dict(zip(one.labels, one.probabilities, strict=True)) == pytest.approx(
            dict(zip(other.labels, other.probabilities, strict=True)), abs=1e-5
        )


def test_a_pt2_gives_the_networks_probabilities(exported, weights_file):
    network = load(weights_file)
    images = made_images(3)
    found = run_pt2(exported["pt2"].file, prepared(images, network.preprocess)).softmax(1)
    assert torch.allclose(found, probabilities(network, images), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("ending", "engine"), [("onnx", "onnxruntime"), ("xml", "openvino")])
def test_a_file_in_a_process_without_torch_and_godeeper(ending, engine, exported, weights_file, tmp_path):
    network = load(weights_file)
    images = made_images(5)
    x = prepared(images, network.preprocess).numpy()
    found = elsewhere(engine, exported[ending].file, x, tmp_path)
    expected = probabilities(network, images)
    assert expected.std(0).max() > 0.01
    assert torch.allclose(found.softmax(1), expected, rtol=0, atol=1e-3)


def test_images_in_and_probabilities_out_in_a_process_without_us(weights_file, tmp_path):
    report = export(weights_file, tmp_path / "net.onnx", with_preprocessing=True)
    assert report.check["same_top1"] == report.check["images"] == 26
    assert read_card(report.file).with_preprocessing
    network = load(weights_file)
    for size in ((48, 40), (33, 90)):
        images = made_images(2, size)
        found = elsewhere("onnxruntime", report.file, np.stack([np.array(image) for image in images]), tmp_path)
        assert torch.allclose(found, probabilities(network, images), rtol=0, atol=1e-3)
    with pytest.raises(GodeeperError, match="takes images as they are, for use without godeeper"):
        Predictor(report.file)


def test_a_network_in_memory_and_a_folder_that_is_not_there_yet(weights_file, tmp_path, folder):
    network = load(weights_file)
    network.classes = None
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    report = export(network, tmp_path / "new" / "er" / "Net.ONNX", images=folder)
    assert report.check["images"] == 60
    assert names(report.file.parent) == ["Net.ONNX"]
    card = read_card(report.file)
    assert card.classes == ("0", "1", "2")
    assert card.source["weights"] == "googlenet_bn"
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)
    assert Predictor(report.file, "onnxruntime").classes == ("0", "1", "2")


def test_more_images_than_are_looked_at(weights_file, tmp_path, folder, monkeypatch):
    monkeypatch.setattr(exporting, "MOST", 25)
    assert export(weights_file, tmp_path / "net.onnx", images=folder).check["images"] == 25


def test_the_command(weights_file, tmp_path, capsys):
    out = tmp_path / "net.onnx"
    assert status(["export", str(weights_file), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    for part in ("net.onnx", "397,", "26 of 26", "onnxruntime, on 26 images", f"{out.stat().st_size / 1e6:.1f} MB"):
        assert part in text
    out.unlink()
    assert status(["export", str(weights_file), "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["check"] == read_card(out).check
    assert (document["file"], document["size"]) == (str(out), out.stat().st_size)


def test_eight_bits_are_smaller_and_near(eight_bits, folder):
    file, reports = eight_bits
    network = load(file)
    full = 4 * sum(parameter.numel() for parameter in network.parameters())
    weights = {"onnx": reports["onnx"].file.stat().st_size, "xml": reports["xml"].file.with_suffix(".bin").stat().st_size}
    for ending, report in reports.items():
        assert weights[ending] < full / 3
        assert report.check["images"] == 30  # every second one is held out
        assert 0 < report.check["same_top1"] < 30
        assert read_card(report.file).precision == "int8"
        assert read_card(report.file).check == report.check
        held_out = [Image.open(folder / name) for name in names(folder)[1::2]]
        predictor = Predictor(report.file, report.check["engine"])
        assert predictor.engine.precision == "int8"
        assert predictor.engine.name == report.check["engine"]
        found, expected = predictor(held_out, top=1), probabilities(network, held_out).argmax(1).tolist()
        same = sum(one.labels[0] == str(index) for one, index in zip(found, expected, strict=True))
        assert same == report.check["same_top1"]


def test_eight_bits_that_cost_too_much_are_not_written(eight_bits, folder, tmp_path, capfd):
    line = ["export", str(eight_bits[0]), "--out", str(tmp_path / "net.onnx"), "--precision", "int8"]
    assert status([*line, "--images", str(folder), "--max-drop", "0"]) == 2
    (said,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("godeeper: ")]
    different = 30 - eight_bits[1]["onnx"].check["same_top1"]
    assert f"top-1 differs on {100 * different / 30:.1f} % of 30 held-out images" in said
    assert "more than --max-drop 0" in said
    assert names(tmp_path) == []


@pytest.mark.slow
def test_eight_bits_leave_stdout_to_json(eight_bits, folder, tmp_path):
    line = ["export", str(eight_bits[0]), "--out", str(tmp_path / "net.onnx"), "--precision", "int8", "--json"]
    code = "import sys; from godeeper.cli.main import main; main(sys.argv[1:])"
    line += ["--images", str(folder), "--max-drop", "100"]
    done = subprocess.run([sys.executable, "-c", code, *line], check=True, capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["check"]["images"] == 30


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("net.tflite", [], r"net\.tflite.*: the name's ending decides the format; give one of \.onnx \(ONNX\), \.xml"),
        ("net", [], r"the name's ending decides the format"),
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
def test_what_does_not_go_together(out, options, message, weights_file, tmp_path, capsys):
    assert status(["export", str(weights_file), "--out", str(tmp_path / "sub" / out), *options]) == 2
    said = one_line(capsys.readouterr())
    assert re.search(message, said), said
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["net.onnx", "net.xml", "net.pt2"])
def test_a_file_that_exists_is_kept(name, weights_file, tmp_path, capsys):
    file = tmp_path / name
    file.write_bytes(b"precious")
    assert status(["export", str(weights_file), "--out", str(file)]) == 2
    assert one_line(capsys.readouterr()) == f"{str(file)!r} exists: remove it or choose another name"
    assert (names(tmp_path), file.read_bytes()) == ([name], b"precious")


@pytest.mark.parametrize("folder", [False, True])
def test_weights_beside_an_openvino_file_are_kept(folder, weights_file, tmp_path):
    beside = tmp_path / "net.bin"
    beside.mkdir() if folder else beside.write_bytes(b"precious")
    with pytest.raises(GodeeperError, match=r"net\.bin' exists: remove it or choose another name"):
        export(weights_file, tmp_path / "net.xml", replacing=folder)
    assert names(tmp_path) == ["net.bin"]
    assert folder or beside.read_bytes() == b"precious"


def test_a_file_may_be_replaced_when_that_is_said(weights_file, tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"old")
    export(weights_file, file, replacing=True)
    assert read_card(file).classes == ("cat", "dog", "金鱼")
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
        said = one_line(capsys.readouterr())
        assert said == f"{str(few)!r} holds 19 images that can be decoded: at least 20 are needed"
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


def changed(real, change):
    return lambda self, file: lambda x: change(real(self, file)(x))


@pytest.mark.parametrize(("kind", "ending"), [(ONNXFile, "onnx"), (OpenVINOFile, "xml")])
@pytest.mark.parametrize("what", ["another top-1", "other probabilities", "no numbers"])
def test_a_file_that_gives_other_answers_is_not_left(kind, ending, what, weights_file, tmp_path, monkeypatch, capsys):
    change = {
        "another top-1": lambda logits: logits.roll(1, 1),
        "other probabilities": lambda logits: 1.2 * logits,  # the order stays
        "no numbers": lambda logits: logits * float("nan"),
    }[what]
    monkeypatch.setattr(kind, "run", changed(kind.run, change))
    assert status(["export", str(weights_file), "--out", str(tmp_path / f"net.{ending}")]) == 2
    said = one_line(capsys.readouterr())
    assert said.startswith("not written: ")
    assert ("on 0 of 26 images" in said) == (what == "other probabilities")
    assert names(tmp_path) == []


def test_no_numbers_are_refused_though_top_1_is_the_same(weights_file, tmp_path, monkeypatch):
    network = load(weights_file)
    torch.nn.init.constant_(network.head["linear"].linear.weight, 0)
    network.head["linear"].linear.bias.data.copy_(torch.tensor([3.0, 0, 0]))  # the first, as of NaNs
    monkeypatch.setattr(ONNXFile, "run", changed(ONNXFile.run, lambda logits: logits * float("nan")))
    with pytest.raises(GodeeperError, match=r"^not written: .* on 0 of 26 images, and probabilities up to nan"):
        export(network, tmp_path / "net.onnx")
    assert names(tmp_path) == []


def test_shifts_below_the_tolerance_are_written_into_the_card(weights_file, tmp_path, monkeypatch):
    shift = torch.tensor([[2e-3, 0.0, 0.0]])  # of logits: of probabilities, at most a quarter
    monkeypatch.setattr(ONNXFile, "run", changed(ONNXFile.run, lambda logits: logits + shift))
    report = export(weights_file, tmp_path / "net.onnx")
    assert 1e-4 < report.check["largest_shift"] <= 0.5e-3 + 1e-6
    assert read_card(report.file).check["largest_shift"] == report.check["largest_shift"]


def test_an_interrupted_check_leaves_nothing(weights_file, tmp_path, monkeypatch):
    def interrupted(self, file):
        assert file.is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(ONNXFile, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(weights_file, tmp_path / "net.onnx")
    assert names(tmp_path) == []


def refused(file, tmp_path, capsys):
    """The one line of `predict` with that file; the same is a BadCheckpoint of the Predictor."""
    image = tmp_path / "image.png"
    made_images(1)[0].save(image)
    with pytest.raises(BadCheckpoint) as caught:
        Predictor(file)
    capsys.readouterr()
    assert status(["predict", str(file), str(image)]) == 2
    said = one_line(capsys.readouterr())
    assert said == " ".join(str(caught.value).split())
    assert "\n" not in str(caught.value)
    assert repr(str(file)) in said
    return said


def test_an_onnx_file_of_another_program(exported, tmp_path, capsys):
    model = onnx.load(exported["onnx"].file)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    assert "says nothing of classes and preprocessing" in refused(tmp_path / "other.onnx", tmp_path, capsys)


def test_an_openvino_file_of_another_program(exported, tmp_path, capsys):
    import openvino

    openvino.save_model(openvino.convert_model(exported["onnx"].file), tmp_path / "other.xml")
    assert "says nothing of classes and preprocessing" in refused(tmp_path / "other.xml", tmp_path, capsys)


DAMAGED_CARD = ": its metadata is damaged, or of another version: make it with `godeeper export`"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"classes": 3}', "[" * 100_000, '"text"', "null"])
def test_a_damaged_card(text, exported, tmp_path, capsys):
    model = onnx.load(exported["onnx"].file)
    model.metadata_props[0].value = text
    onnx.save(model, tmp_path / "net.onnx")
    assert refused(tmp_path / "net.onnx", tmp_path, capsys).endswith(DAMAGED_CARD)


@pytest.mark.parametrize(
    "values",
    [
        {"precision": "int2"},
        {"classes": [1, 2, 3]},
        {"classes": "abc"},
        {"preprocess": {}},
        {"preprocess": {"image_size": -1}},
        {"source": None},
    ],
)
def test_a_card_of_wrong_values(values, exported, tmp_path, capsys):
    model = onnx.load(exported["onnx"].file)
    card = json.loads(model.metadata_props[0].value)
    if values == {"source": None}:
        values = {}
        del card["source"]
    model.metadata_props[0].value = json.dumps({**card, **values})
    onnx.save(model, tmp_path / "net.onnx")
    assert refused(tmp_path / "net.onnx", tmp_path, capsys).endswith(DAMAGED_CARD)


@pytest.mark.parametrize(
    ("ending", "damage", "reason"),
    [
        ("onnx", "missing", "there is no file"),
        ("onnx", "empty", "says nothing of classes and preprocessing"),  # to protobuf, an empty model
        ("onnx", "noise", "is damaged, or not .onnx"),
        ("onnx", "half", "is damaged, or not .onnx"),
        ("xml", "missing", "there is no file"),
        ("xml", "empty", "is not an OpenVINO model"),
        ("xml", "noise", "is not an OpenVINO model"),
        ("xml", "half", "is damaged, or not .xml"),
    ],
)
def test_missing_and_damaged_files(ending, damage, reason, exported, tmp_path, capsys):
    file = tmp_path / f"net.{ending}"
    content = exported[ending].file.read_bytes()
    damaged = {"empty": b"", "noise": b"\x93\x01" * 500, "half": content[: len(content) // 2]}
    if damage != "missing":
        file.write_bytes(damaged[damage])
    if ending == "xml":
        file.with_suffix(".bin").write_bytes(exported["xml"].file.with_suffix(".bin").read_bytes())
    assert reason in refused(file, tmp_path, capsys)


def test_an_openvino_file_without_its_weights(exported, tmp_path, capsys):
    (tmp_path / "net.xml").write_bytes(exported["xml"].file.read_bytes())
    assert refused(tmp_path / "net.xml", tmp_path, capsys).endswith("is without its weights: 'net.bin' belongs beside it")


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_exported_files_are_no_weights(ending, exported, capsys):
    assert status(["bench", str(exported[ending].file)]) == 2
    assert "is named like an exported network" in one_line(capsys.readouterr())


@pytest.mark.parametrize(
    ("ending", "engine", "precision", "message"),
    [
        ("onnx", "torch", "auto", r"^torch does not read \.onnx: choose another engine$"),
        ("xml", "torch", "auto", r"^torch does not read \.xml: choose openvino$"),
        ("xml", "onnxruntime", "auto", r"^onnxruntime does not read \.xml: choose openvino$"),
        ("onnx", "auto", "int8", r"net\.onnx' is in fp32: it does not run in int8$"),
        ("onnx", "onnxruntime", "bf16", r"^onnxruntime does not compute in bf16"),
    ],
)
def test_engines_and_precisions_that_a_file_does_not_have(ending, engine, precision, message, exported):
    with pytest.raises(GodeeperError, match=message):
        Predictor(exported[ending].file, engine, precision)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("ending", ["onnx", "xml"])
def test_a_file_of_eight_bits_has_no_others(ending, precision, eight_bits):
    with pytest.raises(GodeeperError, match=rf"net\.{ending}' is in int8: it does not run in {precision}$"):
        Predictor(eight_bits[1][ending].file, precision=precision)


def test_a_file_in_sixteen_bits(exported):
    exact, short = (Predictor(exported["onnx"].file, "openvino", precision) for precision in ("fp32", "bf16"))
    assert (exact.engine.precision, short.engine.precision) == ("fp32", "bf16")
    images = made_images(4)
    for one, other in zip(short(images, top=3), exact(images, top=3), strict=True):
        expected = dict(zip(other.labels, other.probabilities, strict=True))
        assert dict(zip(one.labels, one.probabilities, strict=True)) == pytest.approx(expected, abs=0.05)
