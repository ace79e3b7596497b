"""torch.hub, Hugging Face's hub and torchvision's feature extraction: networks by each library's own functions."""

import importlib.util
from pathlib import Path

import huggingface_hub
import pytest
import torch
from torchvision.models.feature_extraction import create_feature_extractor

from godeeper import (
    BadCheckpoint,
    GodeeperError,
    create_model,
    from_pretrained,
    list_models,
    load,
    push_to_hub,
    save,
    save_pretrained,
)
from networks import alive, images, representative
from pages import ROOT

HUB = {"repo_or_dir": str(ROOT), "source": "local", "trust_repo": True}


# torch.hub


def test_torch_hub_finds_an_entry_for_each_table():
    spec = importlib.util.spec_from_file_location("hubconf", ROOT / "hubconf.py")
    door = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(door)
    public = [name for name in dir(door) if not name.startswith("_")]
    assert [name for name in public if callable(getattr(door, name))] == sorted(list_models())
    assert door.inception_v4.__doc__.startswith("inception_v4, after arXiv 1602.07261")
    assert all(map(importlib.util.find_spec, door.dependencies))


def test_torch_hub_loads_a_network(weights_file):
    network = torch.hub.load(model="googlenet_bn", weights=weights_file, width=0.25, small=True, **HUB).eval()
    with torch.no_grad():
        assert torch.equal(network(images(32)), load(weights_file)(images(32)))
    with pytest.raises(GodeeperError, match="num_classes is 0"):
        torch.hub.load(model="googlenet", num_classes=0, **HUB)
    with pytest.raises(TypeError, match="unexpected keyword argument 'pretrained'"):
        torch.hub.load(model="googlenet", pretrained=True, **HUB)


# Hugging Face's hub


def test_a_folder_holds_the_one_file_that_save_writes(weights_file, tmp_path):
    network = load(weights_file)
    save_pretrained(network, tmp_path / "a/folder")
    save(network, tmp_path / "one.safetensors")
    assert [file.name for file in (tmp_path / "a/folder").iterdir()] == ["model.safetensors"]
    assert (tmp_path / "a/folder/model.safetensors").read_bytes() == (tmp_path / "one.safetensors").read_bytes()
    again = from_pretrained(tmp_path / "a/folder")
    assert again.spec == network.spec
    with torch.no_grad():
        assert torch.equal(again(images(32)), network(images(32)))


def test_a_repository_comes_from_the_hubs_cache(weights_file, offline):
    folder = offline / "hub/models--you--flowers"
    for commit, branch in (("a" * 40, "main"), ("b" * 40, "bare")):
        (folder / "snapshots" / commit).mkdir(parents=True)
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / branch).write_text(commit)
    (folder / "snapshots" / ("a" * 40) / "model.safetensors").write_bytes(weights_file.read_bytes())
    assert from_pretrained("you/flowers").classes == ("cat", "dog", "金鱼")
    assert from_pretrained("you/flowers", revision="a" * 40, preprocess="squash").preprocess.resize.mode == "squash"
    with pytest.raises(GodeeperError, match="'you/flowers' is no folder, and cannot be fetched from Hugging Face's hub: "):
        from_pretrained("you/flowers", revision="bare")


@pytest.mark.parametrize("name", ["you/flowers", "no such folder", "a/b/c", "", "x" * 5000, "nul\0"])
def test_a_name_of_nothing_is_refused_in_one_line(name, offline):
    with pytest.raises(GodeeperError) as caught:
        from_pretrained(name)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(BadCheckpoint, match=r"holds no model\.safetensors"):
        from_pretrained(tmp_path)


def test_a_network_is_pushed(weights_file, monkeypatch):
    calls = []

    def upload(self, repo_id, folder_path, commit_message):
        calls.append((repo_id, commit_message, {file.name: file.read_bytes() for file in Path(folder_path).iterdir()}))
        return "https://hub/commit/1"

    made = lambda self, repo_id, private, exist_ok: calls.append((repo_id, private, exist_ok))  # noqa: E731
    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", made)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload)
    assert push_to_hub(load(weights_file), "you/flowers", private=True, message="first") == "https://hub/commit/1"
    assert calls[0] == ("you/flowers", True, True)
    assert calls[1][:2] == ("you/flowers", "first")
    assert list(calls[1][2]) == ["model.safetensors"]


def test_a_hub_out_of_reach_is_told_in_one_line(weights_file, offline):
    with pytest.raises(GodeeperError, match="'you/flowers' cannot be written on Hugging Face's hub: ") as caught:
        push_to_hub(load(weights_file), "you/flowers", token="none")
    assert "\n" not in str(caught.value)


# torchvision's create_feature_extractor


@pytest.mark.parametrize("name", representative(list_models(), ["googlenet", "inception_resnet_v1_facenet"]))
def test_torchvision_extracts_stages_by_the_papers_names(name):
    torch.manual_seed(0)
    network = alive(create_model(name, width=0.125, num_classes=5))
    stages = [*list(network.stages)[-3::2], next(iter(network.stages))]
    extract = create_feature_extractor(network, {f"stages.{stage}": stage for stage in stages} | {"head": "logits"})
    x = images(network.preprocess.image_size, 1)
    with torch.no_grad():
        given, (last, taps) = extract(x), network.features(x, stages)
        torch.testing.assert_close(given.pop("logits"), network(x))
    assert given.keys() == taps.keys()
    for stage, features in given.items():
        torch.testing.assert_close(features, taps[stage])
    assert torch.equal(last, network.features(x)[0])


def test_an_extractor_is_trained():
    torch.manual_seed(0)
    network = create_model("googlenet_bn", width=0.125, small=True).train()
    extract = create_feature_extractor(network, ["stages.3b.branches.1"])
    x = images(32)
    given = extract(x)["stages.3b.branches.1"]
    assert given.requires_grad
    assert extract.training
    _, taps = network.features(x, ["3b"])  # in training as one, by models/joined.py
    first = network.stages["3b"].branches[0][-1].conv.out_channels
    torch.testing.assert_close(given, taps["3b"][:, first : first + given.shape[1]], rtol=1e-3, atol=1e-4)
