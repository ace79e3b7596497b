"""FID, KID and Inception Score beside pytorch-fid's, torch-fidelity's and clean-fid's own, on photographs and living features."""

import json
import tarfile
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn
from torchvision.models import inception_v3
from torchvision.models.inception import BasicConv2d

from godeeper import workflows
from godeeper.data.decode import decode

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore"),  # the peers': scipy's sqrtm, torch's loaders
]

COUNT, SIDE = 300, 150  # photographs' pieces a folder, and how large
NAME = "pt_inception-2015-12-05-6726825d.pth"  # by which godeeper knows the layout


@pytest.fixture(scope="session")
def weights(make_once, shared):
    """A really trained trunk in the layout of FID's weights, with a random head of 1008."""
    return make_once("fid-weights", partial(write_weights, shared / "trained_inception_v3.safetensors")) / NAME


@torch.no_grad()
def write_weights(trained, folder):
    folder.mkdir()
    torch.manual_seed(0)
    peer = inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
    units = [module for module in peer.modules() if isinstance(module, BasicConv2d)]  # in the order in which Keras numbers them
    with safe_open(trained, "pt") as file:
        scales = json.loads(file.metadata()["quantization"])

        def read(name):
            scale, minimum = scales[name]
            return (file.get_tensor(name).double() * scale + minimum).float()

        for number, unit in enumerate(units, 1):
            unit.conv.weight.copy_(read(f"conv2d_{number}/kernel").permute(3, 2, 0, 1))
            unit.bn.bias.copy_(read(f"batch_normalization_{number}/beta"))
            unit.bn.running_mean.copy_(read(f"batch_normalization_{number}/moving_mean"))
            unit.bn.running_var.copy_(read(f"batch_normalization_{number}/moving_variance"))
            nn.init.ones_(unit.bn.weight)
    assert len(units) == 94
    first = units[0]  # trained on 0..1, fed -1..1: w x = (w / 2) (2 x - 1) + sum(w) / 2
    first.bn.running_mean -= first.conv.weight.sum((1, 2, 3)) / 2
    first.conv.weight /= 2
    nn.init.normal_(peer.fc.weight, std=2)  # so that images differ in their classes
    nn.init.normal_(peer.fc.bias, std=3)  # which no Inception Score may see
    torch.save(peer.state_dict(), folder / NAME)


@pytest.fixture(scope="session")
def folders(make_once, shared):
    """Pieces of photographs of one size, as the peers need, of different photographs in a and b."""
    root = make_once("fid-folders", partial(cut, shared / "photos.tar"))
    return str(root / "a"), str(root / "b")


def cut(archive, root):
    with tarfile.open(archive) as tar:
        photographs = [decode(tar.extractfile(member).read()) for member in tar if member.name.lower().endswith("jpeg")]
    random = np.random.default_rng(0)
    for which, name in enumerate("ab"):
        (root / name).mkdir(parents=True)
        for number in range(COUNT):
            image = photographs[(2 * number + which) % len(photographs)]
            side = min(SIDE, *image.size)
            left, top = (int(random.integers(0, length - side + 1)) for length in image.size)
            piece = image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            piece.save(root / name / f"{number:04}.png")


@pytest.fixture
def peer_network(weights, monkeypatch):
    """pytorch-fid's network, with our weights where it would download its own."""
    inception = pytest.importorskip("pytorch_fid.inception")
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: torch.load(weights, weights_only=True))
    return inception.InceptionV3


def test_pytorch_fid(folders, weights, peer_network, tmp_path):
    from pytorch_fid import fid_score

    theirs = fid_score.calculate_fid_given_paths(folders, 50, "cpu", 2048, num_workers=0)
    ours = workflows.fid(*folders, weights=weights, save=tmp_path / "ours.npz")
    assert ours.fid == pytest.approx(theirs, rel=1e-3)
    fid_score.save_fid_stats([folders[1], str(tmp_path / "theirs.npz")], 50, "cpu", 2048, num_workers=0)
    files = str(tmp_path / "ours.npz"), str(tmp_path / "theirs.npz")
    assert workflows.fid(*files).fid == pytest.approx(ours.fid, rel=1e-4)
    assert fid_score.calculate_fid_given_paths(files, 50, "cpu", 2048) == pytest.approx(theirs, rel=1e-3)


def test_torch_fidelity(folders, weights):
    fidelity = pytest.importorskip("torch_fidelity")
    theirs = fidelity.calculate_metrics(
        input1=folders[0], input2=folders[1], cuda=False, isc=True, fid=True, kid=True, kid_subset_size=COUNT, kid_subsets=1,
        feature_extractor_weights_path=str(weights), cache=False, verbose=False, save_cpu_ram=True,
    )  # fmt: skip
    ours = workflows.fid(*folders, weights=weights, like="torch-fidelity", kid=True, inception_score=True)
    assert ours.fid == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours.kid == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3, abs=1e-5)
    assert ours.inception_score == pytest.approx(theirs["inception_score_mean"], rel=1e-3)
    assert ours.inception_score_std == pytest.approx(theirs["inception_score_std"], rel=1e-2)
    assert ours.inception_score > 1.05


def test_clean_fid(folders, weights, peer_network):
    theirs = pytest.importorskip("cleanfid.fid")
    network = peer_network([3], resize_input=False, normalize_input=False).eval()

    def features(batch):  # as the TorchScript file that it would download
        return network((batch - 128) / 128)[0].flatten(1)

    a, b = (theirs.get_folder_features(folder, features, 0, device="cpu", batch_size=50, verbose=False) for folder in folders)
    ours = workflows.fid(*folders, weights=weights, like="clean-fid", kid=True)
    assert ours.fid == pytest.approx(theirs.fid_from_feats(a, b), rel=1e-3)
    assert ours.kid == pytest.approx(theirs.kernel_distance(a, b, num_subsets=1), rel=1e-3, abs=1e-5)


def test_batches_and_libraries(folders, weights, tmp_path):
    """Batches of 1, 7 and 64 give the same; the libraries' ways of resizing do not."""
    few = []
    for folder in folders:
        few.append(tmp_path / folder[-1])
        few[-1].mkdir()
        for number in range(20):
            (few[-1] / f"{number}.png").symlink_to(f"{folder}/{number:04}.png")
    by_batch = [workflows.fid(*few, weights=weights, batch_size=size, kid=True) for size in (1, 7, 64)]
    assert [result.fid for result in by_batch] == pytest.approx([by_batch[0].fid] * 3, rel=1e-5)
    assert [result.kid for result in by_batch] == pytest.approx([by_batch[0].kid] * 3, rel=1e-5)
    cleaned = workflows.fid(*few, weights=weights, like="clean-fid")
    assert cleaned.fid != pytest.approx(by_batch[0].fid, rel=1e-3)
