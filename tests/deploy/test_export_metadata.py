"""Exported files read back: what the predictor refuses, and with which words."""

import json

import onnx
import pytest
from made_images import made_images

from godeeper import GodeeperError, Predictor
from godeeper.cli.main import status
from godeeper.deploy.openvino_core import openvino_core
from godeeper.errors import BadCheckpoint


def one_line(captured):
    """The single line on stderr, without the name of the program; nothing on stdout."""
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line.removeprefix("godeeper: ")


def refused(file, tmp_path, capsys):
    """The one line of `predict` with that file; the same is a BadCheckpoint of the Predictor."""
    image = tmp_path / "image.png"
    made_images(1)[0].save(image)
    with pytest.raises(BadCheckpoint) as caught:
        Predictor(file)
    capsys.readouterr()
    assert status(["predict", str(file), str(image)]) == 2
    message = one_line(capsys.readouterr())
    assert message == " ".join(str(caught.value).split())
    assert "\n" not in str(caught.value)
    assert repr(str(file)) in message
    return message


def test_an_onnx_file_of_another_program(exported, tmp_path, capsys):
    model = onnx.load(exported[".onnx"].file)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    assert "says nothing of classes and preprocessing" in refused(tmp_path / "other.onnx", tmp_path, capsys)


def test_an_openvino_file_of_another_program(exported, tmp_path, capsys):
    import openvino

    openvino.save_model(openvino_core().read_model(exported[".onnx"].file), tmp_path / "other.xml")
    assert "is damaged, or was changed by another program" in refused(tmp_path / "other.xml", tmp_path, capsys)
    other = (tmp_path / "other.xml").read_text("utf-8")
    (tmp_path / "other.xml").write_text(other.replace("godeeper-sha256:", ""), "utf-8")
    assert "says nothing of classes and preprocessing" in refused(tmp_path / "other.xml", tmp_path, capsys)


DAMAGED = ": its metadata is damaged, or of another version: make it with `godeeper export`"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"classes": 3}', "[" * 100_000, '"text"', "null"])
def test_damaged_metadata(text, exported, tmp_path, capsys):
    model = onnx.load(exported[".onnx"].file)
    model.metadata_props[0].value = text
    onnx.save(model, tmp_path / "net.onnx")
    assert refused(tmp_path / "net.onnx", tmp_path, capsys).endswith(DAMAGED)


@pytest.mark.parametrize(
    "values",
    [
        {"precision": "int2"},
        {"spec": None},
        {"spec": {}},
        {"spec": {"classes": ["cat", "dog"]}},
        {"spec": {"preprocess": {"resize": {"size": -1}}}},
        {"source": None},
    ],
)
def test_metadata_of_wrong_values(values, exported, tmp_path, capsys):
    model = onnx.load(exported[".onnx"].file)
    metadata = json.loads(model.metadata_props[0].value)
    del metadata["checksum"]  # else that is what is wrong
    if values == {"source": None}:
        values = {}
        del metadata["source"]
    elif values.get("spec"):
        values = {"spec": metadata["spec"] | values["spec"]}
    model.metadata_props[0].value = json.dumps({**metadata, **values})
    onnx.save(model, tmp_path / "net.onnx")
    assert refused(tmp_path / "net.onnx", tmp_path, capsys).endswith(DAMAGED)


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
    content = exported[f".{ending}"].file.read_bytes()
    damaged = {"empty": b"", "noise": b"\x93\x01" * 500, "half": content[: len(content) // 2]}
    if damage != "missing":
        file.write_bytes(damaged[damage])
    if ending == "xml":
        file.with_suffix(".bin").write_bytes(exported[".xml"].file.with_suffix(".bin").read_bytes())
    assert reason in refused(file, tmp_path, capsys)


def test_an_openvino_file_without_its_weights(exported, tmp_path, capsys):
    (tmp_path / "net.xml").write_bytes(exported[".xml"].file.read_bytes())
    assert refused(tmp_path / "net.xml", tmp_path, capsys).endswith("is without its weights: 'net.bin' belongs beside it")


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_exported_files_are_no_weights(ending, exported, capsys):
    assert status(["bench", str(exported[f".{ending}"].file)]) == 2
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
        Predictor(exported[f".{ending}"].file, engine, precision)


def test_a_file_in_sixteen_bits(exported):
    exact, short = (Predictor(exported[".onnx"].file, "openvino", precision) for precision in ("fp32", "bf16"))
    assert (exact.engine.precision, short.engine.precision) == ("fp32", "bf16")
    images = made_images(4)
    for near, exactly in zip(short(images, top=3), exact(images, top=3), strict=True):
        expected = dict(zip(exactly.labels, exactly.probabilities, strict=True))
        assert dict(zip(near.labels, near.probabilities, strict=True)) == pytest.approx(expected, abs=0.05)
