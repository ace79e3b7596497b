"""The ONNX graph of every network, run by two engines that know nothing of torch, against the network itself."""

import sys
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from every_network import representative
from onnx import numpy_helper
from torch import nn

from godeeper import create_model, list_models
from godeeper.deploy.fuse import fuse
from godeeper.deploy.onnx_graph import to_onnx
from godeeper.deploy.openvino_core import openvino_core
from godeeper.errors import GodeeperError
from godeeper.preprocess import Preprocess
from networks import alive, images


def made(name, **arguments):
    torch.manual_seed(0)
    return alive(create_model(name, **{"width": 0.25, "num_classes": 10, **arguments}))


def by_onnxruntime(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(["logits"], {"x": x})[0]


def by_openvino(model):
    core = openvino_core()
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", options)
    return lambda x: compiled({"x": x})["logits"]


ENGINES = (by_onnxruntime, by_openvino)


def difference(found, expected):
    assert found.shape == expected.shape
    assert expected.std() > 0
    return np.abs(found - expected).max() / np.abs(expected).max()


@torch.no_grad()
def logits(network, x):
    return network(x).numpy()


def operators(model):
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("name", representative(list_models()))
def test_every_network_by_two_engines(name):
    network = made(name)
    x = images(network.preprocess.image_size, 3)
    model = to_onnx(fuse(network))
    onnx.checker.check_model(model, full_check=True)
    expected = logits(network, x)
    assert np.ptp(expected, axis=0).max() > 0.01 * expected.std()  # the images are told apart
    for engine in ENGINES:
        run = engine(model)
        for count in (1, 3):
            assert difference(run(x[:count].numpy()), expected[:count]) < 1e-5, (engine.__name__, count)


def test_what_goes_in_and_comes_out():
    network = made("googlenet", num_classes=7)
    network.preprocess = Preprocess.of(96)
    graph = to_onnx(fuse(network)).graph
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"x": ["N", 3, 96, 96], "logits": ["N", 7]}
    names = [node.name for node in graph.node]
    assert "stages.3a.branches.1.0.conv" in names  # as the network's modules are called, but for what they share
    assert len({output for node in graph.node for output in node.output}) == sum(len(node.output) for node in graph.node)


def test_every_weight_is_in_it_once():
    fused = fuse(made("googlenet"))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in to_onnx(fused).graph.initializer}
    weights = [values for name, values in stored.items() if name.startswith("weight.")]
    assert sum(values.size for values in weights) == sum(parameter.numel() for parameter in fused.parameters())
    assert {values.dtype for values in weights} == {np.dtype("float32")}


@pytest.mark.parametrize("name", ["googlenet", "googlenet_counted", "googlenet_bn"])
def test_a_normalisation_is_one_node(name):
    network = made(name)
    nodes = [node for node in to_onnx(fuse(network)).graph.node if node.op_type == "LRN"]
    modules = [module for module in network.modules() if isinstance(module, nn.LocalResponseNorm)]
    assert len(nodes) == len(modules) == (0 if name == "googlenet_bn" else 2)
    for node, module in zip(nodes, modules, strict=True):
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        expected = {"size": module.size, "alpha": module.alpha, "beta": module.beta, "bias": module.k}
        assert attributes == pytest.approx(expected)


def test_the_nodes_of_googlenet_by_hand():
    counts = operators(to_onnx(fuse(made("googlenet"))))
    assert counts == {
        "Conv": 3 + 9 * 6,  # the stem's, and each module's, all apart
        "Relu": 3 + 9 * 6,
        "MaxPool": 4 + 9,
        "LRN": 2,
        "Concat": 9,
        "GlobalAveragePool": 1,
        "Flatten": 1,
        "Gemm": 1,
        "Identity": 1,  # which names the logits
    }


@pytest.mark.parametrize("side", [63, *(pytest.param(side, marks=pytest.mark.slow) for side in (64, 97))])
@pytest.mark.parametrize("name", ["googlenet_torchvision", "bn_inception_caffe"])
def test_windows_over_the_edge_at_other_image_sizes(name, side):
    """Pools that round up, on grids where the last window hangs over by one, by two, or not at all."""
    network = made(name)
    network.preprocess = Preprocess.of(side)
    x = images(side, 3)
    model = to_onnx(fuse(network))
    for engine in ENGINES:
        assert difference(engine(model)(x.numpy()), logits(network, x)) < 1e-5


class Strange(nn.Module):
    def forward(self, x):
        return x.sin()


@pytest.mark.parametrize(
    ("place", "put"),
    [
        ("stages.3a.branches.3.0", lambda network: network.stages["3a"].branches[3].__setitem__(0, Strange())),
        ("stages.pool3", lambda network: network.stages.update({"pool3": Strange()})),
        ("head.linear.flatten", lambda network: setattr(network.head["linear"], "flatten", Strange())),
    ],
)
def test_a_module_without_an_operator_is_named(place, put):
    network = made("googlenet")
    put(network)
    with pytest.raises(GodeeperError, match=r"cannot be written as ONNX: there is no operator for Strange$") as caught:
        to_onnx(fuse(network))
    assert repr(place) in str(caught.value)


def test_a_network_that_was_not_fused_is_refused_by_its_batch_norm():
    with pytest.raises(GodeeperError, match=r"'stages\.conv1\.norm' .* no operator for BatchNorm2d"):
        to_onnx(made("googlenet_bn"))


def test_adaptive_windows_that_overlap_are_refused():
    """AlexNet's last pool leaves (side - 11 + 4) // 4 + 1, twice halved and so on: 7 of 256, which 6 does not divide."""
    network = made("alexnet")
    network.preprocess = Preprocess.of(256)
    with pytest.raises(GodeeperError, match=r"^'head\.grid' cannot be written as ONNX: its adaptive windows on 7x7 overlap"):
        to_onnx(fuse(network))


def test_adaptive_windows_side_by_side_are_averages():
    """On 12x12 they are 2x2: 423 pixels are 105 after the first convolution, and 52, 25 and 12 after the pools."""
    network = made("alexnet")
    network.preprocess = Preprocess.of(423)
    x = images(423, 2)
    model = to_onnx(fuse(network))
    (pool,) = [node for node in model.graph.node if node.op_type == "AveragePool"]
    assert {tuple(attribute.ints) for attribute in pool.attribute} == {(2, 2)}
    for engine in ENGINES:
        assert difference(engine(model)(x.numpy()), logits(network, x)) < 1e-5


def test_a_missing_onnx_is_said_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(GodeeperError, match=r"onnx is not installed .*pip install .*\[deploy\]'"):
        to_onnx(fuse(made("googlenet")))
