"""Weights on disk: what is saved comes back bit for bit, and what is not ours is refused in one line."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from godeeper import BadCheckpoint, GodeeperError, create_model, list_models, load
from godeeper.deploy.export_metadata import read_json
from godeeper.detect.detector_files import holds_detector
from godeeper.models.load import save
from godeeper.models.network import to_device
from godeeper.models.spec import ModelSpec
from godeeper.papers.registry import definition, variant
from godeeper.preprocess import Preprocess
from godeeper.tensor_files import load_tensors, save_tensors
from godeeper.workflows.image_files import files_of
from godeeper.workflows.models import spec_of
from networks import representative

TINY: dict[str, Any] = {"width": 0.25, "num_classes": 3, "small": True}


def network(name="googlenet", **arguments):
    return create_model(name, **{**TINY, **arguments})


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for key, tensor in ours.items():
        assert tensor.dtype == theirs[key].dtype
        assert torch.equal(tensor, theirs[key]), key


@pytest.fixture
def saved(tmp_path):
    """A good weights file of the tiny googlenet."""
    file = tmp_path / "good.safetensors"
    save(network(), file)
    return file


@pytest.mark.parametrize("name", representative(list_models()))
def test_what_is_saved_comes_back(name, tmp_path):
    original = to_device(network(name), "cpu")
    for tensor in original.state_dict().values():  # batch-norm statistics too
        tensor.add_(1 if tensor.dtype == torch.int64 else 0.01 * torch.rand(tensor.shape))
    original.classes = ("bird", "猫", 'dog\'s "bed"')
    original.preprocess = Preprocess.of(48, (0.1, 0.2, 0.3), (0.4, 0.5, 1 / 3))
    save(original, tmp_path / "runs" / "one" / "model.safetensors")
    for path in (tmp_path / "runs" / "one" / "model.safetensors", str(tmp_path / "runs" / "one")):  # a file, a run folder
        loaded = load(path)
        assert_same(loaded.state_dict(), original.state_dict())
        assert loaded.classes == original.classes
        assert loaded.preprocess == original.preprocess
        assert loaded.spec == original.spec
        assert not loaded.training
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(loaded(x), original.eval()(x))


def test_no_classes_come_back_as_none(saved):
    loaded = load(saved)
    assert loaded.classes is None
    assert loaded.preprocess == Preprocess.of(32)


def test_create_model_takes_the_weights(saved):
    assert_same(create_model("googlenet", weights=saved, **TINY).state_dict(), load(saved).state_dict())


def test_heads_stay_at_home(tmp_path):
    headed = network(aux=True)
    save(headed, tmp_path / "model.safetensors")
    loaded = load(tmp_path)
    trunk = {key: tensor for key, tensor in headed.state_dict().items() if not key.startswith("auxiliary.")}
    assert len(trunk) < len(headed.state_dict())
    assert_same(loaded.state_dict(), trunk)
    again = network(aux=True, weights=tmp_path)  # fresh heads on the saved trunk
    assert_same({key: again.state_dict()[key] for key in trunk}, trunk)


LONG = "图" * 86  # 258 bytes: file systems take 255 a name


@pytest.mark.parametrize("name", [LONG, f"{LONG}/model.safetensors", f"runs/{LONG}/last", "图/" * 1500, "a" * 300], ids=range(5))
def test_a_name_that_no_file_system_takes_is_a_name_that_is_not_there(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadCheckpoint, match="there is no run folder or weights file"):
        load(name)
    assert not holds_detector(name)
    with pytest.raises(BadCheckpoint, match="there is no file"):
        read_json(Path(name).with_suffix(".onnx"))
    with pytest.raises(GodeeperError, match="model"):
        spec_of(name)
    with pytest.raises(GodeeperError, match="there are no images at"):
        files_of([name])


def test_to_know_a_detector_no_tensor_is_read(saved, monkeypatch):
    class HeaderOnly:
        def __init__(self, *arguments, **options):
            self.file = safe_open(*arguments, **options)

        def __enter__(self):
            self.file.__enter__()
            return self

        def __exit__(self, *error):
            self.file.__exit__(*error)

        def metadata(self):
            return self.file.metadata()

        def keys(self):
            return self.file.keys()

        def get_tensor(self, name):
            raise AssertionError(f"reads {name}")

    monkeypatch.setattr("godeeper.tensor_files.safe_open", HeaderOnly)
    assert not holds_detector(saved)
    save_file({"a": torch.zeros(1)}, saved.parent / "detector.safetensors", {"detector": "{}"})
    assert holds_detector(saved.parent / "detector.safetensors")


# What is not ours


def missing(folder, good):
    return folder / "nowhere" / "model.safetensors"


def empty_folder(folder, good):
    (folder / "empty").mkdir()
    return folder / "empty"


def unfinished_run(folder, good):
    (folder / "unfinished").mkdir()
    (folder / "unfinished" / "recipe.json").write_text("{}")
    return folder / "unfinished"


def empty_file(folder, good):
    return written(folder, b"")


def truncated(folder, good):
    return written(folder, good.read_bytes()[:-1000])


def truncated_header(folder, good):
    return written(folder, good.read_bytes()[:100])


def text(folder, good):
    return written(folder, b"weights are elsewhere\n" * 20)


def written(folder, content):
    (folder / "bad.safetensors").write_bytes(content)
    return folder / "bad.safetensors"


def another_programs(folder, good):
    save_file(load_tensors(good)[0], folder / "bad.safetensors")
    return folder / "bad.safetensors"


def another_programs_with_metadata(folder, good):
    save_file(load_tensors(good)[0], folder / "bad.safetensors", {"format": "pt"})
    return folder / "bad.safetensors"


def altered(**spec):
    """Ours, but with another spec; None for no spec at all."""

    def make(folder, good):
        tensors, ours = load_tensors(good)
        ours = {"spec": ours["spec"] | spec} if spec else {"something": 1}
        save_tensors(folder / "bad.safetensors", tensors, ours)
        return folder / "bad.safetensors"

    return make


def table(name="googlenet", **changes):
    """The definition of a spec, as JSON has it."""
    return ModelSpec.of(variant(definition(name), **{"width": 0.25, "num_classes": 3, "small": True, **changes})).as_dict()[
        "definition"
    ]


BAD = {
    "missing": (missing, "there is no"),
    "empty folder": (empty_folder, "holds no model.safetensors: it is not a run folder"),
    "unfinished run": (unfinished_run, "holds no model.safetensors: its training has not finished; go on with --resume"),
    "empty file": (empty_file, "damaged"),
    "truncated": (truncated, "damaged"),
    "truncated header": (truncated_header, "damaged"),
    "text": (text, "damaged"),
    "another program's": (another_programs, "does not say which model"),
    "another program's, with metadata": (another_programs_with_metadata, "was not written by godeeper"),
    "metadata without a spec": (altered(), "does not say which model"),
    "a spec of another table": (altered(definition=table("googlenet_bn")), "does not fit 'googlenet_bn"),
    "a spec of another width": (altered(definition=table(width=0.5)), "does not fit 'googlenet"),
    "a spec of a later version": (altered(format_version=2), "format version 2"),
    "a spec with other classes than its logits": (altered(definition=table(num_classes=5)), "does not fit 'googlenet"),
    "a spec whose table is none": (altered(definition={"name": "resnet"}), "the table lacks the field"),
    "classes that are none": (altered(classes=5), "classes"),
    "fewer classes than logits": (altered(classes=["a", "b"]), "classes"),
    "preprocessing that is none": (altered(preprocess={"image_size": 3}), "preprocess"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_weights_are_refused_in_one_line_with_the_file(case, tmp_path, saved):
    make, says = BAD[case]
    path = make(tmp_path, saved)
    with pytest.raises(BadCheckpoint, match=says) as caught:
        load(path)
    assert repr(str(path)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("googlenet_bn", {}, "holds 'googlenet', not 'googlenet_bn'"),
        ("googlenet_counted", {}, "holds 'googlenet', not 'googlenet_counted'"),
        ("googlenet", {"width": 0.5}, "compare width, in_channels"),
        ("googlenet", {"in_channels": 1}, "'stages.conv1.conv.weight' is"),
    ],
)
def test_another_networks_weights_are_refused(saved, name, arguments, says):
    with pytest.raises(BadCheckpoint, match=says) as caught:
        network(name, weights=saved, **arguments)
    assert repr(str(saved)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", ["lacks", "has"])
def test_every_name_is_accounted_for(tmp_path, saved, case):
    tensors, metadata = load_tensors(saved)
    if case == "lacks":
        del tensors["stages.4c.branches.2.1.conv.bias"]
    else:
        tensors["stages.4c.branches.2.1.conv.extra"] = torch.zeros(1)
    save_tensors(tmp_path / "bad.safetensors", tensors, metadata)
    with pytest.raises(BadCheckpoint, match=f"it {case} 'stages.4c.branches.2.1.conv"):
        load(tmp_path / "bad.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_must_be_finite(tmp_path, value):
    broken = network()
    with torch.no_grad():
        broken.stages["4c"].branches[2][1].conv.bias[0] = value
    save(broken, tmp_path / "bad.safetensors")
    with pytest.raises(BadCheckpoint, match=r"bad\.safetensors' holds values that are not finite, in 'stages\.4c"):
        load(tmp_path / "bad.safetensors")


class Trap:
    """Leaves a trace when unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("dump", [torch.save, lambda thing, file: file.write_bytes(pickle.dumps(thing))], ids=["torch", "pickle"])
@pytest.mark.parametrize("name", ["bad.safetensors", "bad.pth"])
def test_nothing_is_unpickled(tmp_path, dump, name):
    file, trace = tmp_path / name, tmp_path / "trace"
    dump({"weights": Trap(trace)}, file)
    for ask in (load, lambda path: network(weights=path)):
        with pytest.raises(BadCheckpoint, match=name) as caught:
            ask(file)
        assert "\n" not in str(caught.value)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Trap(trace)))
    assert trace.exists()  # the trap works


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=["disk full", "interrupted"])
def test_an_interrupted_write_leaves_the_old_file(saved, monkeypatch, error):
    def half_a_file(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise error

    before = saved.read_bytes()
    monkeypatch.setattr("godeeper.tensor_files.save_file", half_a_file)
    with pytest.raises(type(error)):
        save(network(), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]
    with pytest.raises(type(error)):
        save(network(), saved.parent / "new.safetensors")
    assert os.listdir(saved.parent) == [saved.name]


def test_the_metadata_can_be_read_by_anyone(saved):
    header = saved.read_bytes()
    length = int.from_bytes(header[:8], "little")
    metadata = json.loads(header[8 : 8 + length])["__metadata__"]
    assert json.loads(metadata["spec"]) == load(saved).spec.as_dict()
