"""An exported Faster R-CNN: it finds what the detector finds, in each engine, in images of any shape."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

from detectors import faster_rcnn
from godeeper import GodeeperError, Predictor
from godeeper.cli.main import status
from godeeper.deploy import checked_export
from godeeper.deploy.detector_export import SUFFIXES, ExportedDetector, export_detector
from godeeper.deploy.export_formats import ONNXExporter
from godeeper.detect.detector_files import save_detector
from godeeper.errors import BadCheckpoint
from scenes import scene, voc_folder

pytestmark = pytest.mark.slow


def make_confident(detector):
    """Weights that find something: batch norm and class scores away from where they begin."""
    for name, buffer in detector.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    torch.nn.init.normal_(detector.rcnn.rpn.head.cls_logits.weight, std=0.3)
    torch.nn.init.normal_(detector.rcnn.roi_heads.box_predictor.cls_score.weight, std=0.1)
    torch.nn.init.normal_(detector.rcnn.roi_heads.box_predictor.bbox_pred.weight, std=0.05)
    return detector.eval()


def make(classes=("disc", "金鱼"), **options):
    anchors = (16, 32, 64, 96, 128) if options.get("pyramid") else (16, 32)
    return make_confident(faster_rcnn(classes=classes, image_size=96, longest=160, anchors=anchors, **options))


@pytest.fixture(scope="module")
def detector():
    return make()


@pytest.fixture(scope="module")
def run(detector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    save_detector(detector, folder / "model.safetensors")
    return folder


def images():
    return [scene(0)[0], scene(1, size=(200, 90))[0], scene(2, size=(60, 240))[0], scene(3, size=(333, 222))[0]]


@pytest.fixture(scope="module")
def few_images(tmp_path_factory):
    """A folder of four images, and exports that are content with them."""
    folder = tmp_path_factory.mktemp("images")
    for number, image in enumerate(images()):
        image.save(folder / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked_export, "FEWEST_IMAGES", 4)
        yield folder


@pytest.fixture(scope="module")
def exported(run, few_images, tmp_path_factory):
    """The reports of a file of each format."""
    folder = tmp_path_factory.mktemp("exported")
    return {suffix: export_detector(run, folder / f"detector{suffix}", images=few_images) for suffix in SUFFIXES}


def check_it_finds_the_same(report, detector):
    assert report.check["images"] == 4
    assert report.check["detections"] > 20
    assert report.check["same"] >= 0.99 * report.check["detections"]
    exported = ExportedDetector(report.file)
    assert exported.classes == ("disc", "金鱼")
    for image in images():
        ours, theirs = detector.find(image), exported.find(image)
        assert len(ours) > 0
        assert len(ours) == len(theirs)
        assert np.abs(ours.scores - theirs.scores).max() < 1e-3
        near = np.abs(ours.boxes[:, None] - theirs.boxes[None]).max(-1) < 0.05  # those of equal scores may change places
        near &= ours.labels[:, None] == theirs.labels[None]
        assert near.any(0).all()
        assert near.any(1).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_finds_the_same_in_images_of_any_shape(suffix, exported, detector):
    check_it_finds_the_same(exported[suffix], detector)
    files = [exported[suffix].file] + ([exported[suffix].file.with_suffix(".bin")] if suffix == ".xml" else [])
    assert exported[suffix].size == sum(file.stat().st_size for file in files)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".onnx", {"pyramid": True}),
        pytest.param(".xml", {"pyramid": True}, marks=pytest.mark.slow),
        pytest.param(".onnx", {"atrous": True}, marks=pytest.mark.slow),
        pytest.param(".xml", {"atrous": True}, marks=pytest.mark.slow),
    ],
)
def test_other_detectors_find_the_same(suffix, options, few_images, tmp_path):
    detector = make(**options)
    check_it_finds_the_same(export_detector(detector, tmp_path / f"detector{suffix}", images=few_images), detector)


ALONE = """
import sys, json
import numpy as np, onnxruntime
from PIL import Image
file, image = sys.argv[1:]
session = onnxruntime.InferenceSession(file)
boxes, labels, scores = session.run(None, {"image": np.array(Image.open(image))})
classes = json.loads(session.get_modelmeta().custom_metadata_map["godeeper"])["detector"]["classes"]
assert "torch" not in sys.modules and "godeeper" not in sys.modules
print(json.dumps([boxes.tolist(), [classes[label] for label in labels], scores.tolist()]))
"""


def test_it_runs_where_godeeper_is_not(exported, detector, tmp_path):
    image = scene(0)[0]
    image.save(tmp_path / "image.png")
    line = [sys.executable, "-c", ALONE, str(exported[".onnx"].file), str(tmp_path / "image.png")]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    boxes, names, scores = json.loads(done.stdout)
    expected = detector.find(image)
    assert names == [("disc", "金鱼")[label] for label in expected.labels]
    assert np.allclose(boxes, expected.boxes, atol=0.05)
    assert np.allclose(scores, expected.scores, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", pytest.param(".xml", marks=pytest.mark.slow)])
def test_commands_take_it_as_a_run(run, few_images, tmp_path, capsys, suffix):
    voc = voc_folder(tmp_path / "voc", {"test": range(3), "train": range(4, 6)})
    save_detector(make(("disc", "square")), tmp_path / "model.safetensors")
    file = tmp_path / f"detector{suffix}"
    line = ["detect", "export", str(tmp_path / "model.safetensors"), "--out", str(file), "--images", str(few_images), "--json"]
    assert status(line) == 0
    assert json.loads(capsys.readouterr().out)["check"]["images"] == 4
    results = []
    for model in (tmp_path / "model.safetensors", file):
        assert status(["detect", "evaluate", str(model), "--data", str(voc), "--json"]) == 0
        results.append(json.loads(capsys.readouterr().out))
        assert status(["detect", "predict", str(model), str(voc / "JPEGImages/scene000.jpg"), "--threshold", "0"]) == 0
        capsys.readouterr()
    assert results[0]["voc"]["map"] == pytest.approx(results[1]["voc"]["map"], abs=1)
    ours, theirs = ([row["detections"] for row in result["voc"]["classes"]] for result in results)
    assert ours == theirs
    assert status(["detect", "evaluate", str(file), str(run), "--data", str(voc)]) == 2
    assert "works alone" in capsys.readouterr().err


@pytest.mark.slow
def test_another_answer_is_not_written_and_a_folders_images_are_what_it_is_checked_on(run, few_images, tmp_path, monkeypatch):
    load, shapes = ONNXExporter.load, []

    def load_with_half_scores(self, file):
        def run(image):
            shapes.append(image.shape)
            boxes, labels, scores = load_once(image)
            return boxes, labels, scores / 2

        load_once = load(self, file)
        return run

    monkeypatch.setattr(ONNXExporter, "load", load_with_half_scores)
    with pytest.raises(GodeeperError, match="not written: onnxruntime finds other objects, 0 of"):
        export_detector(run, tmp_path / "detector.onnx", images=few_images)
    assert shapes == [np.array(image).shape for image in images()]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(GodeeperError, match="there is no folder of images"):
        export_detector(run, tmp_path / "b.onnx", images=tmp_path / "gone")


def test_a_file_that_exists_stays(run, tmp_path):
    (tmp_path / "a.onnx").write_text("mine")
    (tmp_path / "b.bin").write_text("mine")
    for name in ("a.onnx", "b.xml"):
        with pytest.raises(GodeeperError, match="exists: remove it or choose another name"):
            export_detector(run, tmp_path / name)
    with pytest.raises(GodeeperError, match=r"the name's ending decides the format; give one of \.onnx \(ONNX\), \.xml"):
        export_detector(run, tmp_path / "c.pte")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_files_are_refused(exported, tmp_path, suffix):
    with pytest.raises(BadCheckpoint, match="holds a detector: use it with `godeeper detect`"):
        Predictor(exported[suffix].file)
    for file in exported[suffix].file.parent.iterdir():
        shutil.copy(file, tmp_path)
    file = tmp_path / exported[suffix].file.name
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(BadCheckpoint, match="damaged"):
        ExportedDetector(file)
    with pytest.raises(BadCheckpoint, match="there is no file"):
        ExportedDetector(tmp_path / f"gone{suffix}")


def test_a_graph_of_somebody_else(tmp_path):
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([], "g", [info("x", 1, [1])], [info("x", 1, [1])])
    model = onnx.helper.make_model(graph)
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(BadCheckpoint, match="says nothing of classes"):
        ExportedDetector(tmp_path / "a.onnx")
    model.metadata_props.add(key="godeeper", value='{"classes": ["a"]}')
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(BadCheckpoint, match="holds no Faster R-CNN"):
        ExportedDetector(tmp_path / "a.onnx")
