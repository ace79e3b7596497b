import numpy as np
import pytest
import torch

from godeeper import GodeeperError, Recipe, create_model, load
from godeeper.data.dataset import ArrayDataset
from godeeper.data.pixels import normalise, take_crops
from godeeper.models.load import save
from godeeper.models.whitening import EPSILON, WhiteningConv, unfitted_whitening
from godeeper.notation import Whitening
from godeeper.train import train
from godeeper.train.fit_whitening import fit_whitening


def correlated(count):
    """Images (N, 3, 8, 8) whose pixels resemble their neighbours, and whose channels resemble each other."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, 1, 9, 9, generator=generator)
    smooth = noise[:, :, 1:, 1:] + noise[:, :, :-1, 1:] + noise[:, :, 1:, :-1]
    return torch.cat([smooth, 2 * smooth, -smooth], 1) + 0.5 * torch.randn(count, 3, 8, 8, generator=generator)


def test_patches_come_out_uncorrelated_with_variance_one():
    images = correlated(200)
    layer = WhiteningConv(Whitening(2), 3)
    layer.fit(images)
    outputs = layer(images).permute(1, 0, 2, 3).flatten(1) - layer.bias[:, None]  # (24, patches)
    first, second = outputs.split(12)
    assert torch.allclose(first, -second, atol=1e-4)
    assert torch.allclose(torch.cov(first), torch.eye(12), atol=0.02)
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(1, 4, 5, 0, 2, 3).reshape(12, -1)
    assert torch.cov(patches).fill_diagonal_(0).abs().max() > 0.5  # which they were not


def test_what_does_not_vary_is_not_blown_up():
    layer = WhiteningConv(Whitening(2), 3)
    layer.fit(torch.full((10, 3, 8, 8), 0.3))
    assert layer.weight.abs().max() <= EPSILON**-0.5


def test_filters_are_no_parameters_and_travel_with_the_weights(tmp_path):
    torch.manual_seed(0)
    network = create_model("googlenet_cifar", num_classes=3)
    layer = network.stages["whitening"].conv
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    assert unfitted_whitening(network) == [layer]
    layer.fit(correlated(50))
    save(network, tmp_path / "weights.safetensors")
    loaded = load(tmp_path / "weights.safetensors")
    assert torch.equal(loaded.stages["whitening"].conv.weight, layer.weight)
    assert unfitted_whitening(loaded) == []


def made_images(count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return ArrayDataset(pixels, [index % 2 for index in range(count)], "made")


def test_training_fits_it_once_to_the_images_as_the_network_sees_them(tmp_path):
    images = made_images(6)
    network = create_model("googlenet_cifar", num_classes=2, width=0.125)
    recipe = Recipe(epochs=1, batch_size=6, lr=0.01, auxiliary_weight=0.0, warmup_epochs=0)
    run = train(network, images, recipe, tmp_path / "run")
    expected = WhiteningConv(Whitening(2), 3)
    seen = torch.cat([take_crops(images.image(index), network.preprocess) for index in range(6)])
    expected.fit(normalise(seen, network.preprocess))
    trained = load(run)
    assert torch.allclose(trained.stages["whitening"].conv.weight, expected.weight, atol=1e-5)
    for file in (run / "model.safetensors", *(run / "checkpoints").iterdir()):  # as if killed before its first checkpoint
        file.unlink()
    train(create_model("googlenet_cifar", num_classes=2, width=0.125), images, recipe, run, resume=True)
    assert torch.allclose(load(run).stages["whitening"].conv.weight, expected.weight, atol=1e-5)
    black = ArrayDataset(np.zeros((6, 32, 32, 3), np.uint8), [0, 1] * 3, "black")
    again = train(trained, black, recipe, tmp_path / "again")  # fine-tuned: what it learned on stays
    assert torch.allclose(load(again).stages["whitening"].conv.weight, expected.weight, atol=1e-5)


def test_larger_images_are_fewer_as_memory_holds_all_patches(monkeypatch):
    class Counted(ArrayDataset):
        def raw(self, index):
            read.append(index)
            return super().raw(index)

    monkeypatch.setattr("godeeper.train.fit_whitening.IMAGES", 8)
    images = Counted(made_images(16).arrays, [0, 1] * 8, "made")
    network = create_model("googlenet_cifar", num_classes=2, width=0.125)
    for size, expected in ((32, [0, 2, 4, 6, 8, 10, 12, 14]), (64, [0, 8])):
        read = []
        network.stages["whitening"].conv.weight.normal_()
        network.preprocess = network.preprocess.with_size(size)
        fit_whitening(network, images)
        assert read == expected


def test_images_that_cannot_be_decoded_are_left_to_training(tmp_path):
    class Damaged(ArrayDataset):
        def raw(self, index):
            return b"no image" if index in broken else super().raw(index)

    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    images, network = Damaged(pixels, [0, 1, 0, 1], "damaged"), create_model("googlenet_cifar", num_classes=2, width=0.125)
    broken = {0, 1, 2, 3}
    with pytest.raises(GodeeperError, match="none of the training images can be decoded"):
        fit_whitening(network, images)
    broken = {0}
    fit_whitening(network, images)
    assert unfitted_whitening(network) == []
