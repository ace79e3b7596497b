"""A network that is given to a function is the caller's: nothing of it is changed, moved, or assumed to be in a mode."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import godeeper
from detectors import faster_rcnn, multibox
from godeeper import Preprocess, create_model, workflows
from godeeper.app.classify_tab import warm_up
from godeeper.deploy import bench
from godeeper.deploy.engines import make_engine
from godeeper.detect.rcnn import RCNN
from godeeper.detect.regions import BACKGROUND
from godeeper.evaluate import evaluate
from godeeper.explain import branches, cam, crop_predictions, top_activations
from godeeper.explain.explanation import explain

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8))
BOXES = np.array([[1, 1, 20, 20], [5, 5, 30, 25]], np.float32)


class TwoImages:
    """Two images with labels."""

    labels = (0, 1)

    def __len__(self):
        return 2

    def raw(self, index):
        return IMAGE

    image = raw

    def name(self, index):
        return str(index)


def folder(tmp_path: Path) -> Path:
    for name in ("cat", BACKGROUND):
        (tmp_path / "val" / name).mkdir(parents=True)
        (tmp_path / "train" / name).mkdir(parents=True)
        IMAGE.save(tmp_path / "val" / name / "0.png")
        IMAGE.save(tmp_path / "train" / name / "0.png")
    return tmp_path


TAKES_A_NETWORK = {
    "bench": lambda network, tmp_path: bench.engines_for(network, {"peer": network}),
    "branch_contributions": lambda network, tmp_path: branches.branch_contributions(network, IMAGE, [0]),
    "branch_maps": lambda network, tmp_path: branches.branch_maps(network, IMAGE, 0),
    "class_maps": lambda network, tmp_path: cam.class_maps(network, IMAGE, [0]),
    "crop_predictions": lambda network, tmp_path: crop_predictions.crop_predictions(network, IMAGE, 10),
    "describe": lambda network, tmp_path: godeeper.describe(network),
    "draw": lambda network, tmp_path: godeeper.draw(network),
    "explain": lambda network, tmp_path: explain(network, IMAGE, crops=1),
    "export to ONNX": lambda network, tmp_path: godeeper.export(network, tmp_path / "net.onnx"),
    "export to .pt2": lambda network, tmp_path: godeeper.export(network, tmp_path / "net.pt2"),
    "fuse": lambda network, tmp_path: godeeper.fuse(network),
    "library evaluate": lambda network, tmp_path: evaluate(network, TwoImages(), network.preprocess),
    "make_engine in bf16": lambda network, tmp_path: make_engine(network, "torch", "bf16"),
    "Predictor": lambda network, tmp_path: godeeper.Predictor(network, "torch")([IMAGE]),
    "Predictor on ONNX Runtime": lambda network, tmp_path: godeeper.Predictor(network, "onnxruntime")([IMAGE]),
    "RCNN": lambda network, tmp_path: RCNN([network], lambda image: BOXES).find(IMAGE),
    "save": lambda network, tmp_path: godeeper.save(network, tmp_path / "net.safetensors"),
    "top_activations": lambda network, tmp_path: top_activations.top_activations(
        network, [folder(tmp_path) / "val" / "cat" / "0.png"], "3a", 0
    ),
    "warm_up": lambda network, tmp_path: warm_up(network),
    "workflows.embed": lambda network, tmp_path: workflows.embed(network, [IMAGE]),
    "workflows.evaluate": lambda network, tmp_path: workflows.evaluate([network], folder(tmp_path), workers=0),
    "workflows.explain": lambda network, tmp_path: workflows.explain(network, IMAGE, crops=1),
    "workflows.predict": lambda network, tmp_path: workflows.predict(network, [IMAGE]),
}


def state_of(module):
    """All of a module that its owner can see: values, places, modes and hooks."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_state_dict_hooks")
    return {
        "values": {name: tensor.detach().clone() for name, tensor in tensors.items()},
        "tensors": {name: (id(t), t.data_ptr(), t.device, t.dtype, t.stride(), t.requires_grad) for name, t in tensors.items()},
        "gradients": {name: None if t.grad is None else (id(t.grad), t.grad.sum().item()) for name, t in tensors.items()},
        "modes": {name: part.training for name, part in module.named_modules()},
        "hooks": {name: [dict(getattr(part, kind)) for kind in hooks] for name, part in module.named_modules()},
        "spec": module.spec,
    }


def assert_unchanged(before, after):
    for name, value in before.pop("values").items():
        assert torch.equal(value, after["values"][name]), name
    assert before == {key: value for key, value in after.items() if key != "values"}


def in_the_middle_of_something(module, eval_part, frozen_part):
    """The module in training, one part of it in evaluation, another frozen, a gradient and a hook in place."""
    module.train()
    eval_part.eval()
    frozen_part.requires_grad_(False)
    eval_part.register_forward_hook(lambda *_: None)
    parameter = next(eval_part.parameters())
    parameter.grad = torch.ones_like(parameter)
    return module


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = create_model("googlenet_bn", num_classes=2, width=0.25, small=True, aux=True)
    network.preprocess, network.classes = Preprocess.of(32), ("cat", BACKGROUND)
    return in_the_middle_of_something(network, network.stages["3a"], network.stages["conv2"])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "export to .pt2" else []) for name in TAKES_A_NETWORK]
)
def test_a_network_that_is_given_stays_as_it_was(name, network, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "installed", lambda name: name == "torch")
    before = state_of(network)
    TAKES_A_NETWORK[name](network, tmp_path)
    assert_unchanged(before, state_of(network))


TAKES_A_WRAPPED_ONE = ("save", "fuse", "Predictor", "workflows.evaluate", "workflows.predict")
LOADS_ANOTHER = (*TAKES_A_WRAPPED_ONE, "export to ONNX", "workflows.embed", "workflows.explain")


@pytest.mark.parametrize("name", TAKES_A_WRAPPED_ONE)
def test_a_network_in_a_wrapping_is_the_network_itself(name, network, tmp_path):
    before = state_of(network)
    TAKES_A_NETWORK[name](torch.compile(torch.nn.DataParallel(network)), tmp_path)
    assert_unchanged(before, state_of(network))
    if name == "save":
        saved = godeeper.load(tmp_path / "net.safetensors").state_dict()
        own = {key: value for key, value in network.state_dict().items() if not key.startswith("auxiliary.")}
        assert saved.keys() == own.keys()
        assert all(torch.equal(saved[key], own[key]) for key in own)


@pytest.mark.parametrize("name", LOADS_ANOTHER)
def test_what_is_no_network_is_refused_in_a_line(name, tmp_path):
    with pytest.raises(godeeper.GodeeperError, match="no network of godeeper: give one that create_model or load has made"):
        TAKES_A_NETWORK[name](torch.nn.Linear(1, 1), tmp_path)


def test_a_single_model_in_place_of_a_list_is_refused(network, tmp_path):
    for single in (network, "runs/cats"):
        with pytest.raises(godeeper.GodeeperError, match="as a list, even a single one"):
            workflows.evaluate(single, "digits")
    with pytest.raises(godeeper.GodeeperError, match="no model is given: name at least one"):
        workflows.evaluate([], "digits")
    for models, images in (("runs/cells", [IMAGE]), ([], [IMAGE]), (["runs/cells"], IMAGE)):
        with pytest.raises(godeeper.GodeeperError, match="as a list, even a single one"):
            workflows.find_objects(models, images)
    with pytest.raises(godeeper.GodeeperError, match="as a list, even a single one"):
        workflows.embed(network, "cat.jpg")
    with pytest.raises(godeeper.GodeeperError, match="top is -1: at least one"):
        workflows.predict(network, [IMAGE], top=-1, engine="torch")
    with pytest.raises(godeeper.GodeeperError, match="top is 0: at least one"):
        workflows.explain(network, IMAGE, top=0, crops=1)
    with pytest.raises(godeeper.GodeeperError, match=r"of a network, give .spec"):
        create_model(network)


@pytest.mark.parametrize("name", ["export to ONNX", "Predictor", "workflows.embed", "workflows.evaluate", "workflows.explain"])
def test_a_network_in_double_precision_answers(name, network, tmp_path):
    before = state_of(network.double())
    TAKES_A_NETWORK[name](network, tmp_path)
    assert_unchanged(before, state_of(network))


def test_answers_do_not_depend_on_the_mode(network):
    images = [IMAGE, IMAGE.rotate(90)]
    trained = workflows.embed(network, images).embeddings, evaluate(network, TwoImages(), network.preprocess).decisions
    network.eval()
    evaluated = workflows.embed(network, images).embeddings, evaluate(network, TwoImages(), network.preprocess).decisions
    assert all(torch.equal(*pair) for pair in zip(trained, evaluated, strict=True))


@pytest.mark.parametrize("make", [faster_rcnn, multibox])
def test_a_detector_that_looks_in_between_goes_on_as_it_was(make):
    detector = make()
    part = next(module for module in detector.modules() if isinstance(module, torch.nn.Conv2d))
    in_the_middle_of_something(detector, part, next(reversed(list(detector.children()))))
    before = state_of(detector)
    (detector.find if hasattr(detector, "find") else detector.propose)(IMAGE)
    assert_unchanged(before, state_of(detector))
