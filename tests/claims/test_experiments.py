"""What the experiments measure, against cases made by hand."""

import io
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import nn

from godeeper import ClassificationLoss
from godeeper.claims import auxiliary_heads
from godeeper.claims.claim_data import ClaimData
from godeeper.claims.crops_and_models import Grid, missed
from godeeper.claims.factorised_filters import two_for_five
from godeeper.claims.figures import Curve, Figure, band, dashed, figure_png
from godeeper.claims.residual_connections import Curves, time_to, times_needed
from godeeper.claims.residual_scaling import error_difference, is_dead, last_layer, stack
from godeeper.claims.scales import Scale
from godeeper.data.open import open_data
from godeeper.data.pixels import normalise, take_crops
from godeeper.data.write_shards import write_shards
from godeeper.errors import GodeeperError
from godeeper.models.network import Network, to_device
from godeeper.papers.describe import describe
from godeeper.papers.notation import Conv, Separable
from godeeper.papers.registry import definition, variant
from godeeper.text import Text

SMALL = Scale("digits", Text("", ""), train=64, test=32, width=0.125, seeds=2, batch_size=32)


@pytest.mark.parametrize(
    ("errors", "error", "epochs"),
    [
        ([70, 60, 50], 60, 2.0),
        ([70, 60, 50], 55, 2.5),  # between epochs in a straight line
        ([70, 60, 50], 70, 1.0),
        ([70, 60, 50], 75, 0.75),  # within the first, from the untrained network's 90
        ([70, 60, 50], 95, 0.0),  # not worse than chance
        ([70, 50, 65], 60, 1.5),  # the first time counts
    ],
)
def test_epochs_until_an_error_is_reached(errors, error, epochs):
    assert time_to(error, errors, range(1, 4), chance=90.0) == pytest.approx(epochs)
    assert time_to(error, errors, [10, 20, 30], chance=90.0) == pytest.approx(10 * epochs)


def test_an_error_that_is_never_reached_has_no_time():
    with pytest.raises(ValueError, match="at most 49"):
        time_to(49, [70, 60, 50], range(1, 4), chance=90.0)


def test_both_of_a_pair_are_timed_until_the_error_that_both_reach():
    ahead = Curves([60.0, 50.0, 40.0], [10.0, 10.0, 10.0])
    behind = Curves([70.0, 60.0, 50.0], [20.0, 20.0, 20.0])
    assert times_needed([behind], [ahead], 90.0) == [((3.0, 60.0), (2.0, 20.0))]
    assert times_needed([ahead], [behind], 90.0) == [((2.0, 20.0), (3.0, 60.0))]  # nothing is "never"
    dips = Curves([70.0, 45.0, 55.0], [1.0, 1.0, 1.0])  # past its own final error in its second epoch
    ((plain, _),) = times_needed([dips], [ahead], 90.0)
    assert plain.epochs == pytest.approx(1.6)


def test_the_grid_is_what_every_subset_misses():
    torch.manual_seed(0)
    labels = torch.randint(4, (30,))
    members = {crops: torch.rand(30, 3, 4).softmax(2) for crops in (1, 10)}
    grid = Grid(members, labels)
    for crops, probabilities in members.items():
        for models in (1, 2, 3):
            errors = []
            for subset in combinations(range(3), models):
                right = 0
                for image in range(30):
                    total = sum(probabilities[image, member] for member in subset)
                    right += int(total.argmax()) == int(labels[image])
                errors.append(100 * (1 - right / 30))
            assert grid.error[models, crops] == pytest.approx(sum(errors) / len(errors))
    first, then = grid.gains((1, 1), (2, 1), (3, 1))
    assert 100 * sum(first) / 30 == pytest.approx(grid.error[1, 1] - grid.error[2, 1])
    assert 100 * sum(then) / 30 == pytest.approx(grid.error[2, 1] - grid.error[3, 1])


def test_together_networks_may_be_right_where_each_is_missed():
    probabilities = torch.tensor([[[0.45, 0.55, 0.0], [0.45, 0.0, 0.55]]])  # one image, two networks, three classes
    label = torch.tensor([0])
    assert missed(probabilities[:, [0]], label) == missed(probabilities[:, [1]], label) == [True]
    assert missed(probabilities, label) == [False]


def test_two_3x3_cost_what_the_arithmetic_says():
    printed = definition("googlenet_bn")
    changed = replace(printed, stages={name: two_for_five(stage) for name, stage in printed.stages.items()})
    ours, theirs = (describe(table)["3a"].multiply_adds for table in (changed, printed))
    reduced, filters, places = 16, 32, 28 * 28
    assert ours - theirs == places * (9 * reduced * filters + 9 * filters * filters - 25 * reduced * filters)
    assert describe(changed).multiply_adds > describe(printed).multiply_adds  # the filters are more than what they read
    assert changed.stages["conv1"] == printed.stages["conv1"] == Conv(64, 7, stride=2)


def test_a_separable_first_layer_costs_what_the_papers_ops_say():
    printed = definition("googlenet_bn")
    changed = replace(printed, stages={**printed.stages, "conv1": Separable(64, 7, stride=2, multiplier=8)})
    assert describe(changed)["conv1"].multiply_adds == 112 * 112 * (49 * 24 + 24 * 64)
    assert round(describe(changed)["conv1"].multiply_adds / 1e6) == 34


def test_dead_channels_are_those_that_no_image_moves():
    torch.manual_seed(0)
    network = stack(8, 1.0, 10, normed=False).eval()
    x = torch.randn(6, 3, 32, 32)
    with torch.no_grad():
        for block in network.stages["C"]:
            block.linear.weight.zero_()
        alive = [channel for channel in range(8) if network.features(x)[0][:, channel].sum() > 0]
        network.stages["C"][-1].linear.bias[alive[:3]] = -1e6  # a residual that pulls three channels far below zero
    deviation, dead = last_layer(network, x)
    assert dead == pytest.approx(100 * (8 - len(alive) + 3) / 8)
    assert len(alive) > 3
    assert deviation == pytest.approx(network.features(x)[0].std().item())
    assert not is_dead({"dead": [0.0, 50.0], "finite": True})
    assert is_dead({"dead": [0.0, 50.1], "finite": True})
    assert is_dead({"dead": [0.0, 0.0], "finite": False})


def test_looking_leaves_the_running_averages_alone():
    torch.manual_seed(0)
    network = stack(8, 0.3, 10, normed=True).train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    last_layer(network, torch.randn(6, 3, 32, 32))
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_arms_that_share_a_seed_are_no_repetitions():
    runs = [{"error": error} for error in (60.0, 62.0, 64.0, 50.0, 52.0, 54.0)]  # two arms of three seeds
    none = [{"error": 0.0}] * 6
    difference = error_difference(runs, none, seeds=3)
    assert (difference.value, difference.count) == (57.0, 3)
    assert difference.half == pytest.approx(stats.t.ppf(1 - 0.025 / 5, 2) * 2 / 3**0.5)  # of five intervals
    assert error_difference(runs, none[:3], seeds=3) == difference  # either side has arms of its own


def test_the_extra_batch_norm_is_on_the_residual():
    plain, normed = (stack(16, 0.3, 10, normed=way) for way in (False, True))
    norms = [sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) for network in (plain, normed)]
    assert norms[1] - norms[0] == 5  # one a block
    assert all(isinstance(block.linear[1], nn.BatchNorm2d) and block.scale == 0.3 for block in normed.stages["C"])


def test_the_gradients_are_those_of_the_loss_without_and_with_heads(monkeypatch):
    monkeypatch.setattr(auxiliary_heads, "BATCH", 16)
    monkeypatch.setattr(auxiliary_heads, "best_device", lambda: torch.device("cpu"))  # elsewhere dropout draws otherwise
    images = ClaimData("digits", 64, 32)
    source = images.open()
    norms = auxiliary_heads.gradients(images, SMALL, network="googlenet_bn", steps=1, seed=3)
    for name, weight in (("classifier", 0.0), ("with heads", 0.3)):
        torch.manual_seed(3)
        table = variant(definition("googlenet_bn"), num_classes=10, width=0.125, small=True)
        network = to_device(Network(table, aux=True).train(), torch.device("cpu"))  # in the same memory format
        batch = torch.randint(len(source.train), (16,), generator=torch.Generator().manual_seed(3)).tolist()
        pixels = torch.cat([take_crops(source.train.image(index), network.preprocess) for index in batch])
        x = normalise(pixels, network.preprocess)
        logits, auxiliary = network.with_auxiliary(x)
        labels = torch.tensor([source.train.labels[index] for index in batch])
        ClassificationLoss(auxiliary_weight=weight)(logits, labels, auxiliary).backward()
        filters = [parameter.grad for parameter in network.stages["3a"].parameters() if parameter.dim() == 4]
        norm = sum(gradient.square().sum() for gradient in filters).sqrt().item()
        assert norms[name] == [pytest.approx(norm, rel=1e-3)]


def test_the_first_images_of_each_class_are_chosen():
    all_of_it = open_data("digits").train
    subset = ClaimData("digits", 50, 20).open().train
    assert len(subset) == 50
    assert [subset.labels.count(label) for label in range(10)] == [5] * 10
    for label in range(10):
        first = [index for index, own in enumerate(all_of_it.labels) if own == label][:5]
        assert [index for index, own in zip(subset.indices, subset.labels, strict=True) if own == label] == first
    assert subset.name(7) == all_of_it.name(subset.indices[7])
    assert subset.image(7).tobytes() == all_of_it.image(subset.indices[7]).tobytes()


def test_held_out_images_are_the_last_of_each_class_and_never_trained_on():
    images = ClaimData("digits", 50, 20, held_out=30)
    everything, held_out = open_data("digits").train, images.held_out_images()
    assert [held_out.labels.count(label) for label in range(10)] == [3] * 10
    for label in range(10):
        last = [index for index, own in enumerate(everything.labels) if own == label][-3:]
        assert [index for index in held_out.indices if everything.labels[index] == label] == last
    names = {held_out.name(index) for index in range(30)}
    assert [*images.open().train.labels] == [*ClaimData("digits", 50, 20).open().train.labels]  # the same first ones
    rest = ClaimData("digits", 0, 0, held_out=30).open().train
    assert len(rest) == len(everything) - 30
    assert not names & {rest.name(index) for index in range(len(rest))}


def test_a_stream_has_no_first_images(tmp_path, class_folder):
    write_shards(open_data(str(class_folder)), class_folder, tmp_path / "shards")
    with pytest.raises(GodeeperError, match="stream"):
        ClaimData(f"wds:{tmp_path / 'shards'}?streaming", 10, 10).open()


def test_a_band_is_the_mean_and_its_interval():
    curve = band("arm", [1.0, 2.0], [[10.0, 8.0], [12.0, 8.0], [14.0, 8.0]])
    assert list(curve.y) == [12.0, 8.0]
    assert curve.low[0] == pytest.approx(12 - stats.t.ppf(0.975, 2) * 2 / 3**0.5)
    assert curve.high[1] == curve.low[1] == 8.0


def pixels(figure):
    """A figure's PNG as an array (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(figure_png(figure))).convert("RGB")).astype(int)


@pytest.mark.slow
def test_a_figure_shows_its_curves():
    curve = Curve("a", [1.0, 10.0, 144.0], [3.0, 2.0, 2.0])
    plain = Figure("Crops", "Error", [curve], logarithmic=True)
    banded = replace(plain, lines=[replace(curve, low=[2.5, 1.5, 1.5], high=[3.5, 2.5, 2.5])])
    blue = [31, 119, 180]  # matplotlib's first colour
    inked = [(np.abs(pixels(figure) - blue).sum(2) < 30).sum() for figure in (plain, dashed(plain, ["a"]))]
    assert inked[0] > inked[1] > 100  # a dashed curve covers less
    assert (pixels(banded) != pixels(plain)).any(2).sum() > 5000
    assert dashed(Figure("x", "y", [curve, replace(curve, name="b")]), ["b"]).lines[1].dashed


def test_a_flat_curve_of_one_point_is_shown():
    figure = Figure("Epoch", "y", [Curve("flat", [1.0], [5.0])])
    assert (np.abs(pixels(figure) - [31, 119, 180]).sum(2) < 30).sum() > 10
