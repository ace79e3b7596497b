"""Exported files whose graphs are not what their metadata says: refused in one line that names the file, in silence else."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from godeeper import BadCheckpoint
from godeeper.deploy.detector_export import ExportedDetector
from godeeper.deploy.engines import from_onnx
from godeeper.detect.detections import Detections
from godeeper.detect.detector_spec import DetectorSpec
from godeeper.models.spec import ModelSpec
from godeeper.papers.registry import definition

FLOAT = TensorProto.FLOAT


def written(file, nodes, inputs, outputs, constants=(), **metadata):
    """A graph as a file; inputs and outputs are names with their shapes, `constants` arrays by their names."""
    info = [[helper.make_tensor_value_info(*each) for each in side] for side in (inputs, outputs)]
    arrays = [numpy_helper.from_array(np.array(array), name) for name, array in dict(constants).items()]
    graph = helper.make_graph([helper.make_node(*node[:3], **node[3]) for node in nodes], "g", *info, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for name, value in metadata.items():
        model.metadata_props.add(key=name, value=json.dumps(value))
    onnx.save(model, file)
    return file


X, LOGITS = ("x", FLOAT, ["N", 3, 4, 4]), ("logits", FLOAT, None)
MEAN = ("ReduceMean", ["x"], ["logits"], {"axes": [2, 3], "keepdims": 0})


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(("nodes", "x", "logits", "reason"), [
    ([("ReduceMean", ["x"], ["logits"], {"axes": [1, 2, 3], "keepdims": 0})], X, LOGITS, r"of shape \(2,\), torch.float32: no"),
    ([("ReduceMean", ["x"], ["logits"], {"axes": [0, 2, 3], "keepdims": 0})], X, LOGITS, r"of shape \(3,\)"),
    ([("Cast", ["x"], ["y"], {"to": TensorProto.INT32}), ("ReduceMean", ["y"], ["logits"], MEAN[3])],
     X, ("logits", TensorProto.INT32, None), "torch.int32: no logits of 2 images"),
    ([("Reshape", ["x", "shape"], ["logits"], {})], X, LOGITS, "."),  # fails when it runs
    ([MEAN], ("x", FLOAT, ["N", 3, 9, 9]), LOGITS, "."),  # of larger images
], ids=["numbers", "a class", "integers", "fails", "size"])  # fmt: skip
def test_a_graph_that_gives_no_logits(engine, nodes, x, logits, reason, tmp_path, capfd):
    file = written(tmp_path / "net.onnx", nodes, [x], [logits], {"shape": np.array([7, 5], np.int64)})
    with pytest.raises(BadCheckpoint, match=rf"cannot take '.*net.onnx': .*{reason}.*; export it again$"):
        from_onnx(str(file), engine, "fp32")(torch.ones(2, 3, 4, 4))
    assert capfd.readouterr() == ("", "")  # ONNX Runtime would print it as well, in colours


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_graph_that_gives_logits(engine, tmp_path):
    file = written(tmp_path / "net.onnx", [MEAN], [X], [LOGITS])
    assert torch.equal(from_onnx(str(file), engine, "fp32")(torch.ones(2, 3, 4, 4)), torch.ones(2, 3))


BOXES, LABELS, SCORES = [[0.0, 1, 8, 9]], [1], [0.5]
IMAGE = Image.new("RGB", (10, 9))
UNSOUND = {
    "nan": ([[0, np.nan, 8, 9]], LABELS, SCORES, "boxes outside of the image"),
    "outside": ([[0, 1, 8, 12]], LABELS, SCORES, "boxes outside of the image"),
    "left": ([[-3, 1, 8, 12]], LABELS, SCORES, "boxes outside of the image"),
    "class": (BOXES, [2], SCORES, "classes that it does not name"),
    "last class": (BOXES, [-1], SCORES, "classes that it does not name"),
    "score": (BOXES, LABELS, [9.5], "scores that are not within 0 and 1"),
    "no score": (BOXES, LABELS, [np.nan], "scores that are not within 0 and 1"),
    "fewer": (BOXES, LABELS, [], r"boxes, labels \(int64\) and scores of shapes \(1, 4\), \(1,\) and \(0,\)"),
    "flat": (BOXES[0], LABELS, SCORES, r"shapes \(4,\), "),
    "number": (0.0, LABELS, SCORES, r"shapes \(\), "),
    "floats": (BOXES, [1.0], SCORES, r"labels \(float32\)"),
}


def detector(file, boxes, labels, scores):
    """A file that finds these in every image."""
    kind = np.int64 if isinstance(labels[0], int) else np.float32
    arrays = [np.array(boxes, np.float32), np.array(labels, kind), np.array(scores, np.float32)]
    names = ("boxes", "labels", "scores")
    nodes = [("Identity", [f"c{name}"], [name], {}) for name in names]
    outputs = [(name, helper.np_dtype_to_tensor_dtype(array.dtype), None) for name, array in zip(names, arrays, strict=True)]
    constants = {f"c{name}": array for name, array in zip(names, arrays, strict=True)}
    spec = DetectorSpec.of(ModelSpec.of(definition("googlenet_bn")), ("disc", "square")).as_dict()
    image = [("image", TensorProto.UINT8, ["H", "W", 3])]
    return ExportedDetector(written(file, nodes, image, outputs, constants, godeeper={"detector": spec}))


@pytest.mark.parametrize(("boxes", "labels", "scores", "fault"), UNSOUND.values(), ids=UNSOUND)
def test_a_graph_that_finds_what_no_detector_does(boxes, labels, scores, fault, tmp_path):
    with pytest.raises(BadCheckpoint, match=rf"net.onnx' finds .*{fault}.*: export it again"):
        detector(tmp_path / "net.onnx", boxes, labels, scores).find(IMAGE)


def test_a_graph_that_finds_objects(tmp_path):
    assert detector(tmp_path / "net.onnx", BOXES, LABELS, SCORES).find(IMAGE).boxes.tolist() == BOXES
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))
    assert nothing.fault(2, IMAGE.size) == ""
