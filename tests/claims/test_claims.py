"""What the claims measure, against cases made by hand."""

import re
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch import nn

from godeeper import ClassificationLoss
from godeeper.claims import CLAIMS, auxiliary_heads
from godeeper.claims.claim import Figure, Line, Scale, Table, Words
from godeeper.claims.counting import test as count
from godeeper.claims.crops_and_models import Grid, wrong
from godeeper.claims.factorised_filters import two_for_five
from godeeper.claims.images import Chosen, Set
from godeeper.claims.report import drawn, found, markdown
from godeeper.claims.residual_connections import epochs_to
from godeeper.claims.residual_scaling import apart, dies, last_layer, stack
from godeeper.claims.words import band, dashed, term
from godeeper.data.augment import normalise
from godeeper.data.open import open_data
from godeeper.data.views import take_views
from godeeper.data.write_shards import write_shards
from godeeper.errors import GodeeperError
from godeeper.models.network import Network, to_device
from godeeper.papers.describe import describe
from godeeper.papers.notation import Conv, Separable
from godeeper.papers.registry import definition, variant

SMALL = Scale("digits", Words("", ""), train=64, test=32, width=0.125, seeds=2, batch_size=32)


class Ran:
    """A run that noted these errors."""

    def __init__(self, errors):
        self.errors = errors

    def curve(self, name="top1_error"):
        return self.errors


@pytest.mark.parametrize(
    ("errors", "wanted", "epochs"),
    [
        ([70, 60, 50], 60, 2.0),
        ([70, 60, 50], 55, 2.5),  # between epochs in a straight line
        ([70, 60, 50], 70, 1.0),
        ([70, 60, 50], 75, 1.0),  # there already after the first
        ([70, 60, 50], 49, 4.0),  # never: one more than there are
        ([70, 50, 65], 60, 1.5),  # the first time counts
    ],
)
def test_epochs_until_an_error_is_reached(errors, wanted, epochs):
    assert epochs_to(Ran(errors), wanted) == pytest.approx(epochs)


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


def test_together_networks_may_be_right_where_each_is_wrong():
    probabilities = torch.tensor([[[0.45, 0.55, 0.0], [0.45, 0.0, 0.55]]])  # one image, two networks, three classes
    label = torch.tensor([0])
    assert wrong(probabilities[:, [0]], label) == wrong(probabilities[:, [1]], label) == [True]
    assert wrong(probabilities, label) == [False]


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
    assert not dies({"dead": [0.0, 50.0], "finite": True})
    assert dies({"dead": [0.0, 50.1], "finite": True})
    assert dies({"dead": [0.0, 0.0], "finite": False})


def test_looking_leaves_the_running_averages_alone():
    torch.manual_seed(0)
    network = stack(8, 0.3, 10, normed=True).train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    last_layer(network, torch.randn(6, 3, 32, 32))
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_arms_that_share_a_seed_are_no_repetitions():
    runs = [{"error": error} for error in (60.0, 62.0, 64.0, 50.0, 52.0, 54.0)]  # two arms of three seeds
    none = [{"error": 0.0}] * 6
    found = apart(runs, none, arms=2)
    assert (found.value, found.count) == (57.0, 3)
    assert found.half == pytest.approx(4.303 * 2 / 3**0.5)


def test_the_extra_batch_norm_is_on_the_residual():
    plain, normed = (stack(16, 0.3, 10, normed=way) for way in (False, True))
    norms = [sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) for network in (plain, normed)]
    assert norms[1] - norms[0] == 5  # one a block
    assert all(isinstance(block.linear[1], nn.BatchNorm2d) and block.scale == 0.3 for block in normed.stages["C"])


def test_the_gradients_are_those_of_the_loss_without_and_with_heads(monkeypatch):
    monkeypatch.setattr(auxiliary_heads, "STEPS", 1)
    monkeypatch.setattr(auxiliary_heads, "best_device", lambda: torch.device("cpu"))  # elsewhere dropout draws otherwise
    images = Set("digits", 64, 32)
    source = images.open()
    noted = auxiliary_heads.gradients(images, SMALL, network="googlenet_bn", seed=3)
    for name, weight in (("classifier", 0.0), ("with heads", 0.3)):
        torch.manual_seed(3)
        table = variant(definition("googlenet_bn"), num_classes=10, width=0.125, small=True)
        network = to_device(Network(table, aux=True).train(), torch.device("cpu"))  # in the same memory format
        chosen = torch.randint(len(source.train), (64,), generator=torch.Generator().manual_seed(3)).tolist()
        pixels = torch.cat([take_views(source.train.image(index), network.preprocess) for index in chosen])
        x = normalise(pixels, network.preprocess)
        logits, auxiliary = network.with_auxiliary(x)
        labels = torch.tensor([source.train.labels[index] for index in chosen])
        ClassificationLoss(auxiliary_weight=weight)(logits, labels, auxiliary).backward()
        filters = [parameter.grad for parameter in network.stages["3a"].parameters() if parameter.dim() == 4]
        norm = sum(one.square().sum() for one in filters).sqrt().item()
        assert noted[name] == [pytest.approx(norm, rel=1e-3)]


def test_the_first_images_of_each_class_are_chosen():
    all_of_it = open_data("digits").train
    chosen = Chosen(all_of_it, 50)
    assert len(chosen) == 50
    assert [chosen.labels.count(label) for label in range(10)] == [5] * 10
    for label in range(10):
        first = [place for place, one in enumerate(all_of_it.labels) if one == label][:5]
        assert [place for place, one in zip(chosen.places, chosen.labels, strict=True) if one == label] == first
    assert chosen.name(7) == all_of_it.name(chosen.places[7])
    assert chosen.image(7).tobytes() == all_of_it.image(chosen.places[7]).tobytes()


def test_a_stream_has_no_first_images(tmp_path, class_folder):
    write_shards(open_data(str(class_folder)), class_folder, tmp_path / "shards")
    with pytest.raises(GodeeperError, match="stream"):
        Set(f"wds:{tmp_path / 'shards'}?streaming", 10, 10).open()


def test_a_band_is_the_mean_and_its_interval():
    line = band("arm", [1.0, 2.0], [[10.0, 8.0], [12.0, 8.0], [14.0, 8.0]])
    assert list(line.y) == [12.0, 8.0]
    assert line.low[0] == pytest.approx(12 - 4.303 * 2 / 3**0.5)
    assert line.high[1] == line.low[1] == 8.0


def test_a_figure_is_drawn_whatever_its_points():
    line = Line("a", [1.0, 10.0, 144.0], [3.0, 2.0, 2.0])
    figure = dashed(Figure(Words("t", "t"), "Crops", "Error", [line, replace(line, name="b")], logarithmic=True), ["b"])
    assert [one.dashed for one in figure.lines] == [False, True]
    assert drawn(figure).startswith(b"\x89PNG")
    assert drawn(Figure(Words("t", "t"), "x", "y", [Line("flat", [1.0], [5.0])])).startswith(b"\x89PNG")


def test_a_table_is_said_in_both_languages():
    table = Table(["network", "seed 1", "10 crops", "round 2"], [["googlenet", 1.5, None, 3], ["maximum of 10 crops", 1, 2, 3]])
    assert markdown(table).splitlines()[0] == "| network | seed 1 | 10 crops | round 2 |"
    assert markdown(table).splitlines()[2:] == ["| googlenet | 1.5 |  | 3 |", "| maximum of 10 crops | 1 | 2 | 3 |"]
    assert markdown(table, "zh").splitlines()[0] == "| 网络 | 种子 1 | 10 个裁剪 | 第 2 轮 |"
    assert markdown(table, "zh").splitlines()[3] == "| 10 个裁剪取最大 | 1 | 2 | 3 |"


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_whole(name):
    claim = CLAIMS[name]
    assert claim.name == name
    assert set(claim.scales) == {"cpu", "gpu", "imagenet"}
    assert all(scale.seeds >= 3 for scale in claim.scales.values())
    assert "Section" in claim.source or "Appendix" in claim.source
    for words in (claim.title, claim.says, claim.limits, *(scale.cost for scale in claim.scales.values())):
        assert words.en.isascii()
        assert any("\u4e00" <= sign <= "\u9fff" for sign in words.zh)


@pytest.mark.parametrize(
    ("claim", "networks", "seeds"),
    [
        (
            "residual-connections",
            ["inception_v3", "inception_resnet_v1", "inception_v4_printed", "inception_resnet_v2_printed"],
            3,
        ),
        ("rmsprop", ["inception_v3"] * 6, 3),
        ("ensemble-gains", ["inception_v3", "inception_resnet_v2_printed"], 4),
        ("crops-and-models", ["googlenet_bn"], 7),
        ("average-pooling", ["googlenet_bn"] * 4, 3),
        ("factorised-filters", ["googlenet_bn"] * 4, 3),
        ("auxiliary-heads", ["googlenet", "googlenet_bn"] * 2, 3),
    ],
)
def test_the_hours_of_imagenet_are_the_arithmetic(claim, networks, seeds):
    scale = CLAIMS[claim].scales["imagenet"]
    operations = 6 * sum(describe(name).multiply_adds for name in networks) * seeds * scale.epochs * 1_281_167
    hours = operations / (0.2 * 989e12) / 3600
    said = int(re.search(r"(\d+) hours", scale.cost.en)[1])
    assert abs(said / hours - 1) < 0.1
    assert f"{len(networks) * seeds} runs of {scale.epochs} epochs" in scale.cost.en
    assert scale.seeds == seeds


def test_what_was_found_has_words_in_both_languages():
    assert set(found()) == set(CLAIMS)
    for scales in found().values():
        assert "cpu" in scales
        for parts in scales.values():
            assert parts
            for part in parts:
                assert part["verdict"] in ("supported", "not supported", "inconclusive")
                assert part["says"]["en"].isascii()
                assert all(part[what][lang] for what in ("says", "why") for lang in ("en", "zh"))
    assert term("top-1 error (%)", "zh") == "top-1 错误率（%）"


@pytest.mark.slow
def test_counting_counts_and_times():
    from godeeper.claims.lab import Lab

    outcome = count(Lab("counting", None, "digits", replace(CLAIMS["counting"].scales["cpu"], seeds=2)))
    verdicts = {part.says.en.split(" (")[0]: part.verdict for part in outcome.parts}
    assert verdicts["22 layers with parameters, 27 with pools"] == "supported"
    assert verdicts["1.5 G multiply-adds"] == "not supported"  # of the printed filters: 1.6 G
    assert verdicts["Inception-ResNet-v2 costs about as much as Inception-v4"] == "not supported"
    assert len(outcome.tables["seconds"].rows) == 5 + 2 * 2
