"""Other libraries' networks with the same weights, carried over by name: the same logits, and nothing less would do."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from godeeper import create_model, workflows
from godeeper.models.build import ResidualBlock
from godeeper.models.network import Network
from godeeper.models.weights.layouts import LAYOUTS
from godeeper.models.weights.published import FACENET
from godeeper.papers.describe import check_size
from godeeper.papers.notation import Definition
from godeeper.papers.registry import definition, variant
from godeeper.papers.shape import Uneven
from networks import representative

with warnings.catch_warnings():  # of their own, as they are imported
    warnings.simplefilter("ignore")
    import facenet_pytorch
    import pretrainedmodels
    import pytorch_fid.inception
    import timm
    from torchvision import models as torchvision

TOLERANCE = 1e-4  # of the largest logit


def pooled(peer: nn.Module, x: Tensor) -> Tensor:
    """Cadene's networks end in a pool of fixed size: the mean serves every size."""
    mean: Tensor = peer.last_linear(peer.features(x).mean((2, 3)))
    return mean


def of_the_fid() -> nn.Module:
    """pytorch-fid's network without its weights, which it would fetch."""
    with (
        patch.object(pytorch_fid.inception, "load_state_dict_from_url", lambda *_, **__: {}),
        patch.object(nn.Module, "load_state_dict", lambda *_: None),
    ):
        network: nn.Module = pytorch_fid.inception.fid_inception_v3()
    return network


@dataclass(frozen=True)
class Peer:
    """How a library makes its network, whose weights' names are those of `layout`; two image sizes; how it is asked."""

    layout: str
    make: Callable[[], nn.Module]
    sizes: tuple[int, int]
    ask: Callable[[nn.Module, Tensor], Tensor] = nn.Module.__call__
    without: str = ""  # what the peer leaves out of the layout
    classes: int = 1000


PEERS = {
    "torchvision googlenet": Peer("torchvision googlenet", lambda: torchvision.googlenet(init_weights=False), (224, 193)),
    "torchvision inception_v3": Peer(
        "torchvision inception_v3", lambda: torchvision.inception_v3(init_weights=False), (299, 182)
    ),
    "timm inception_v3": Peer(
        "torchvision inception_v3", lambda: timm.create_model("inception_v3"), (299, 129), without="AuxLogits"
    ),
    "pytorch-fid": Peer("FID inception_v3", of_the_fid, (299, 129), classes=1008),
    "timm inception_v4": Peer("timm inception_v4", lambda: timm.create_model("inception_v4"), (299, 161)),
    "timm inception_resnet_v2": Peer(
        "timm inception_resnet_v2", lambda: timm.create_model("inception_resnet_v2"), (299, 161)
    ),
    "facenet": Peer(
        "facenet InceptionResnetV1",
        lambda: facenet_pytorch.InceptionResnetV1(classify=True, num_classes=1000),
        (160, 171),
    ),
    "Cadene bninception": Peer(
        "Cadene bninception", lambda: pretrainedmodels.bninception(pretrained=None), (224, 102), pooled
    ),
    "Cadene inceptionv4": Peer(
        "timm inception_v4", lambda: pretrainedmodels.inceptionv4(1001, None), (299, 130), pooled, classes=1001
    ),
    "Cadene inceptionresnetv2": Peer(
        "Cadene inceptionresnetv2", lambda: pretrainedmodels.inceptionresnetv2(1001, None), (299, 130), pooled, classes=1001
    ),
    "torchvision alexnet": Peer("torchvision alexnet", torchvision.alexnet, (224, 131)),
    "torchvision vgg16": Peer("torchvision vgg16", torchvision.vgg16, (224, 97)),
    "torchvision vgg19": Peer("torchvision vgg19", torchvision.vgg19, (130, 97)),
}  # fmt: skip


@torch.no_grad()
def shaken(module: nn.Module) -> nn.Module:
    """The module with random numbers everywhere, He's in the filters, so that features stay alive and nothing is neutral."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in module.to_empty(device="cpu").state_dict().items():
        leaf = name.rpartition(".")[2]
        if leaf == "num_batches_tracked":
            tensor.zero_()
        elif leaf == "running_var" or (leaf == "weight" and tensor.ndim == 1):
            tensor.uniform_(0.2, 1.2, generator=generator)
        elif leaf in ("running_mean", "bias"):
            tensor.normal_(0, 0.3, generator=generator)
        else:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
    return module.eval()


def made(name: str) -> nn.Module:
    """A peer, shaken; made without its own initialisation, which takes long."""
    with torch.device("meta"):
        peer = PEERS[name].make()
    return shaken(peer)


def carried(name: str, peer: nn.Module, table: Definition | None = None) -> Network:
    """Our network, by `table` where one is given, with the peer's own tensors under our names: all of them, and no other."""
    layout, without = LAYOUTS[PEERS[name].layout], PEERS[name].without
    heads = layout.heads and not without
    table = variant(table or definition(layout.architecture), num_classes=PEERS[name].classes)
    with torch.device("meta"):
        network = Network(table, aux=heads)
    theirs = peer.state_dict()
    names = {ours: their for ours, their in layout.names.items() if not (without and their.startswith(without))}
    assert sorted(names.values()) == sorted(theirs)
    network.load_state_dict({ours: theirs[their] for ours, their in names.items()}, assign=True)
    return network.eval()


def images(size: int) -> Tensor:
    """Two, the second of more contrast and brighter, so that global averages differ too."""
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(size))
    return x * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1) + torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)


def apart(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, as a share of the largest logit; both are alive and tell two images apart."""
    assert ours.shape == theirs.shape
    for logits in (ours, theirs):
        assert logits.isfinite().all()
        assert (logits[0] - logits[1]).std() > 0.05 * logits.std() > 0
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


# Of the same table as another peer, or plain stacks: in `make test-all`.
LIKE_OTHERS = {"Cadene inceptionv4", "Cadene inceptionresnetv2", "torchvision vgg16", "torchvision vgg19"}


@pytest.mark.parametrize("which", [pytest.param(0, id="whole", marks=pytest.mark.slow), pytest.param(1, id="smaller")])
@pytest.mark.parametrize("name", representative(PEERS, set(PEERS) - LIKE_OTHERS))
@torch.no_grad()
def test_logits_are_the_peers(name, which):
    peer = made(name)
    network = carried(name, peer)
    assert network.definition.image_size in (PEERS[name].sizes[0], 224)
    x = images(PEERS[name].sizes[which])
    assert apart(network(x), PEERS[name].ask(peer, x)) < TOLERANCE


# Heads


def in_training_but_still(peer: nn.Module) -> nn.Module:
    """In training mode, where peers run their heads, but without dropout and with the running statistics."""
    peer.train()
    for module in peer.modules():
        if isinstance(module, nn.BatchNorm2d | nn.Dropout):
            module.eval()
    return peer


@pytest.mark.parametrize("size", [pytest.param(224, marks=pytest.mark.slow), 193])
@torch.no_grad()
def test_googlenets_heads_are_torchvisions_each_by_its_name(size):
    peer = in_training_but_still(made("torchvision googlenet"))
    network = carried("torchvision googlenet", peer)
    x = images(size)
    theirs, (logits, heads) = peer(x), network.with_auxiliary(x)
    assert apart(logits, theirs.logits) < TOLERANCE
    for ours, their, other in [
        (heads["aux1"], theirs.aux_logits1, theirs.aux_logits2),
        (heads["aux2"], theirs.aux_logits2, theirs.aux_logits1),
    ]:
        assert apart(ours, their) < TOLERANCE
        assert apart(ours, other) > 0.1  # swapped heads would not pass
    _, tapped = network.features(x, ["4a", "4d"])
    assert apart(heads["aux1"], peer.aux1(tapped["4a"])) < TOLERANCE
    assert apart(heads["aux2"], peer.aux2(tapped["4d"])) < TOLERANCE


@torch.no_grad()
def test_inception_v3s_head_is_torchvisions():
    peer = in_training_but_still(made("torchvision inception_v3"))
    network = carried("torchvision inception_v3", peer)
    x = images(299)
    theirs, (logits, heads) = peer(x), network.with_auxiliary(x)
    assert apart(logits, theirs.logits) < TOLERANCE
    assert apart(heads["aux"], theirs.aux_logits) < TOLERANCE
    assert apart(heads["aux"], theirs.logits) > 0.1


# Two conventions: whether an average pool counts the zeros around the image


@pytest.mark.parametrize(
    ("name", "which"),
    [
        ("timm inception_v3", 1),
        pytest.param("timm inception_v3", 0, marks=pytest.mark.slow),
        pytest.param("torchvision inception_v3", 0, marks=pytest.mark.slow),
    ],
)
@torch.no_grad()
def test_inception_v3_in_tensorflows_convention(name, which, monkeypatch):
    peer = made(name)
    ours, counted = carried(name, peer, definition("inception_v3_tf")), carried(name, peer)
    pool = F.avg_pool2d
    x = images(PEERS[name].sizes[which])
    with monkeypatch.context() as patched:  # theirs asks for it by name; ours is not patched when it runs
        patched.setattr(F, "avg_pool2d", lambda *args, **kwargs: pool(*args, **kwargs, count_include_pad=False))
        theirs = peer(x)
    assert apart(ours(x), theirs) < TOLERANCE
    assert apart(counted(x), theirs) > 10 * TOLERANCE  # the conventions are apart


# Faces


@pytest.mark.parametrize("size", [160, pytest.param(171, marks=pytest.mark.slow)])
@torch.no_grad()
def test_a_faces_embedding_is_facenets(size):
    peer = made("facenet")
    network = carried("facenet", peer)
    peer.classify = False
    theirs, ours = peer(images(size)), network.embed(images(size))
    assert theirs.shape == (2, 512)
    assert apart(F.normalize(ours), theirs) < TOLERANCE
    assert apart(ours, theirs) > 1  # ours is not normalised


@pytest.mark.slow
@torch.no_grad()
def test_faces_are_embedded_as_facenet_does():
    """From images to vectors of length 1, on an engine that is not torch."""
    peer = made("facenet")
    network = carried("facenet", peer)
    network.preprocess = FACENET
    peer.classify = False
    faces = torch.randint(256, (2, 3, 160, 160), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    theirs = peer(facenet_pytorch.fixed_image_standardization(faces.float()))
    arrays = [face.permute(1, 2, 0).numpy() for face in faces]
    ours = workflows.embed(network, arrays, normalize=True, engine="onnxruntime").embeddings
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


# What is not the same is noticed


def norms(network: Network) -> list[nn.BatchNorm2d]:
    return [module for module in network.stages.modules() if isinstance(module, nn.BatchNorm2d)]


def other_eps(network: Network) -> None:
    for norm in norms(network):
        norm.eps = 1e-5 if norm.eps == 1e-3 else 1e-3


def one_other_eps(network: Network) -> None:
    norms(network)[-1].eps *= 10


def one_other_scale(network: Network) -> None:
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    blocks[3].scale += 0.03


def relu_at_the_end(network: Network) -> None:
    [*_, last] = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert isinstance(last.relu, nn.Identity)
    last.relu = nn.ReLU()


def two_branches_swapped(stage: str) -> Callable[[Network], None]:
    def swap(network: Network) -> None:
        module = network.stages[stage][0] if isinstance(network.stages[stage], nn.Sequential) else network.stages[stage]
        first, second, *others = module.branches  # type: ignore[union-attr, misc]
        module.branches = nn.ModuleList([second, first, *others])

    return swap


def pools_round_down(network: Network) -> None:
    for module in network.modules():
        if isinstance(module, nn.MaxPool2d) and module.ceil_mode:
            module.ceil_mode, module.padding = False, (1, 1)


def other_zeros(network: Network) -> None:
    [*_, last] = [module for module in network.modules() if isinstance(module, nn.AvgPool2d)]
    last.count_include_pad = not last.count_include_pad


def pool4_as_printed(network: Network) -> None:
    network.stages["pool4"] = nn.MaxPool2d(3, 2, ceil_mode=True)


def one_less_zero(network: Network) -> None:
    network.stages["conv1"].conv.padding = (3, 2)  # type: ignore[union-attr]
    network.stages["conv1"].conv.stride = (4, 4)  # type: ignore[union-attr]


WRONG: dict[str, tuple[str, Callable[[Network], None]]] = {
    "eps": ("torchvision googlenet", other_eps),
    "one eps": ("torchvision googlenet", one_other_eps),
    "Caffe's eps": ("Cadene bninception", other_eps),
    "two branches": ("torchvision googlenet", two_branches_swapped("4b")),
    "max pools that round down": ("torchvision googlenet", pools_round_down),
    "the last max pool": ("torchvision googlenet", pool4_as_printed),
    "Caffe's average of zeros": ("Cadene bninception", other_zeros),
    "TensorFlow's average of zeros": ("timm inception_v4", other_zeros),
    "one scale": ("facenet", one_other_scale),
    "a last ReLU": ("facenet", relu_at_the_end),
    "two branches of v4": ("timm inception_v4", two_branches_swapped("reduction_a")),
    "where the zeros are": ("torchvision alexnet", one_less_zero),
}


@pytest.mark.parametrize("case", WRONG)
@torch.no_grad()
def test_one_wrong_thing_is_far_outside_the_tolerance(case):
    name, change = WRONG[case]
    network = create_model(LAYOUTS[PEERS[name].layout].architecture, width=0.25, num_classes=100)
    shaken(network)
    x = images(PEERS[name].sizes[1])
    right = network(x)
    change(network)
    assert apart(network(x), right) > 5 * TOLERANCE


@torch.no_grad()
def test_the_printed_and_the_released_inception_v4_are_two_networks():
    """The same shapes in another order: the released weights, reshaped, would load and answer nonsense."""
    printed = create_model("inception_v4_printed", width=0.25, num_classes=10)
    released = create_model("inception_v4", width=0.25, num_classes=10)
    shaken(released)
    ours = printed.state_dict()
    reshaped = {key: tensor.reshape(ours[key].shape) for key, tensor in released.state_dict().items()}
    printed.load_state_dict(reshaped)
    x = images(299)
    assert apart(printed.eval()(x), released(x)) > 100 * TOLERANCE


# Sizes
@pytest.mark.slow
def test_caffes_network_takes_the_sizes_that_cadenes_takes():
    with torch.device("meta"):
        peer = PEERS["Cadene bninception"].make().eval()
    ours, theirs = [], []
    for size in range(31, 66):
        try:
            check_size(definition("bn_inception_caffe"), size, size)
            ours.append(size)
        except Uneven:
            pass
        try:
            peer.features(torch.empty(1, 3, size, size, device="meta"))
            theirs.append(size)
        except RuntimeError:
            pass
    assert ours == theirs
    assert {32, 64} < set(ours) < set(range(31, 66))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_two_of_our_tensors_have_one_name_there(layout):
    names = LAYOUTS[layout].names
    assert len(set(names.values())) == len(names) > 10
    assert LAYOUTS[layout].classifier in names.values()
