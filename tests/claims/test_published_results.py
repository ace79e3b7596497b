"""Texts, published results and pages: whole in both languages, and in agreement with each other."""

import importlib.util
import json
import re
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from godeeper.claims import (
    CLAIMS,
    auxiliary_heads,
    average_pooling,
    counting,
    ensemble_gains,
    factorised_filters,
    residual_connections,
    residual_scaling,
    rmsprop,
)
from godeeper.claims.claim import Statement
from godeeper.claims.claim_data import ClaimData
from godeeper.claims.jobs import Measurement
from godeeper.claims.lab import Lab
from godeeper.claims.prose import term, texts, verdict_text
from godeeper.claims.result_file import published_results
from godeeper.claims.result_table import Table, markdown
from godeeper.cli.main import status
from godeeper.errors import GodeeperError
from godeeper.papers.describe import describe

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("claims_pages", ROOT / "docs/claims.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)


def is_chinese(text):
    return any("\u4e00" <= sign <= "\u9fff" for sign in text)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_complete(name):
    claim = CLAIMS[name]
    assert claim.name == name
    assert set(claim.scales) == {"cpu", "gpu", "imagenet"}
    assert all(scale.seeds >= 3 for scale in claim.scales.values())
    assert "Section" in claim.source or "Appendix" in claim.source
    for text in (
        claim.text("title"),
        claim.text("paper"),
        claim.text("limits"),
        *(scale.cost for scale in claim.scales.values()),
    ):
        assert text.en.isascii()
        assert is_chinese(text.zh)
    assert all(is_chinese(claim.text(key).zh) for key in ("method", "explanation"))


@pytest.mark.parametrize("name", CLAIMS)
def test_both_languages_of_a_text_are_filled_with_the_same_values(name):
    for key, text in texts(name.replace("-", "_")).items():
        english, chinese = (sorted(re.findall(r"\{.*?\}", text.get(lang))) for lang in ("en", "zh"))
        assert english == chinese, key


def test_verdicts_are_in_both_languages():
    assert [verdict_text(verdict).zh for verdict in pages.VERDICTS] == ["得到支持", "未得到支持", "这一规模下无法判定"]


def test_a_table_in_both_languages():
    table = Table(["network", "seed 1", "10 crops", "round 2"], [["googlenet", 1.5, None, 3], ["maximum of 10 crops", 1, 2, 3]])
    assert markdown(table).splitlines()[0] == "| network | seed 1 | 10 crops | round 2 |"
    assert markdown(table).splitlines()[2:] == ["| googlenet | 1.5 |  | 3 |", "| maximum of 10 crops | 1 | 2 | 3 |"]
    assert markdown(table, "zh").splitlines()[0] == "| 网络 | 种子 1 | 10 个裁剪 | 第 2 轮 |"
    assert term("1024 filters, scale 0.1, rate 0.0045, batch norm", "zh") == "1024 个卷积核，系数 0.1，学习率 0.0045，有批归一化"
    assert markdown(table, "zh").splitlines()[2:] == ["| googlenet | 1.5 |  | 3 |", "| 10 个裁剪取最大 | 1 | 2 | 3 |"]


@pytest.mark.parametrize("name", CLAIMS)
def test_published_results_are_complete(name):
    claim, result = CLAIMS[name], published_results(name)["cpu"]
    scale = claim.scales["cpu"]
    sizes = ("train", "test", "epochs", "seeds", "width")
    assert {size: result[size] for size in sizes} == {size: getattr(scale, size) for size in sizes}
    assert int(re.search(r"(\d+|a) minute", scale.cost.en)[1].replace("a", "1")) < 25
    for figure in result["figures"]:
        for lang in ("en", "zh"):
            assert (ROOT / f"docs/images/figures/claim-{name}-cpu-{figure}.{lang}.svg").is_file()
        assert is_chinese(claim.text(f"figures.{figure}").zh)
    for runs in result["runs"].values():
        assert len(runs) == scale.seeds
        assert all(len(run["top1_error"]) == scale.epochs for run in runs)
    assert all(len(runs) == scale.seeds for runs in result["measurements"].values())
    for title, table in result["tables"].items():
        assert all(is_chinese(term(text, "zh")) for text in (title, *table["head"]))
        assert all(len(row) == len(table["head"]) for row in table["rows"])
    for data in result["statements"]:
        described = claim.describe(Statement.from_dict(data))
        assert described["verdict"] in pages.VERDICTS
        assert described["text"]["en"].isascii()
        assert is_chinese(described["text"]["zh"])
        assert not any("{" in described[part][lang] for part in ("text", "measured") for lang in ("en", "zh"))


def test_every_arm_of_residual_scaling_has_its_curves():
    assert len(published_results("residual-scaling")["cpu"]["measurements"]) == 20


def last_errors(name):
    """The published errors (%) after the last epoch, by arm, a value a seed."""
    runs = published_results(name)["cpu"]["runs"]
    return {arm: [run["top1_error"][-1] for run in arm_runs] for arm, arm_runs in runs.items()}


def recomputed(name):
    """The statements that follow from the runs and measurements that are published beside them."""
    errors, result = last_errors(name), published_results(name)["cpu"]
    if name == "average-pooling":
        return average_pooling.compare_heads(errors)
    if name == "factorised-filters":
        return factorised_filters.compare_filters(errors)
    if name == "rmsprop":
        rows = result["tables"]["averaged and last weights, top-1 error (%)"]["rows"]
        held_out, last = ({arm: [row[column] for row in rows if row[0] == arm] for arm in errors} for column in (2, 4))
        return [rmsprop.better_optimiser(errors, held_out), rmsprop.better_weights(errors, last)]
    if name == "ensemble-gains":
        return [ensemble_gains.better_alone(errors)]
    if name == "residual-scaling":
        return residual_scaling.statements(result["measurements"])
    if name == "auxiliary-heads":
        statements = []
        for network in auxiliary_heads.NETWORKS:
            runs = result["measurements"][f"gradients, {network}"]
            ratios = [sum(run["with heads"]) / sum(run["classifier"]) for run in runs]
            statements.append(auxiliary_heads.lower_error(network, errors[f"{network}, no heads"], errors[f"{network}, heads"]))
            statements.append(auxiliary_heads.greater_gradient(network, ratios))
        return statements
    if name == "counting":
        return counting.counts()
    curves = {
        arm: [residual_connections.Curves(run["top1_error"], run["seconds"]) for run in runs]
        for arm, runs in result["runs"].items()
    }
    statements = []
    for pair, (plain, residual) in residual_connections.PAIRS.items():
        needed = residual_connections.times_needed(curves[plain], curves[residual], chance=90.0)
        statements += residual_connections.faster(pair, needed, result["epochs"])
    return [*statements, residual_connections.size(errors)]


@pytest.mark.parametrize(
    "name",
    [
        "auxiliary-heads", "average-pooling", "counting", "ensemble-gains", "factorised-filters", "residual-connections",
        "residual-scaling", "rmsprop",
    ],
)  # fmt: skip
def test_published_verdicts_follow_from_the_published_runs(name):
    claim = CLAIMS[name]
    published = [Statement.from_dict(data) for data in published_results(name)["cpu"]["statements"]]
    follow = [statement for statement in published if statement.name not in ("ensemble", *TIMED)]  # of each image; rounded
    assert [claim.describe(statement) for statement in recomputed(name)] == [claim.describe(statement) for statement in follow]


TIMED = ("faster", "slower")


def test_published_times_follow_from_the_published_seconds():
    """To within the rounding of the seconds in the table."""
    result = published_results("counting")["cpu"]
    seconds = {row[0]: row[2:-1] for row in result["tables"]["seconds"]["rows"]}
    computed = [counting.faster(seconds)]
    for which, (plain, residual) in counting.PAIRS.items():
        cost = describe(plain).multiply_adds / describe(residual).multiply_adds
        computed.append(counting.slower(which, seconds[plain], seconds[residual], cost))
    published = [Statement.from_dict(data) for data in result["statements"] if data["name"] in TIMED]
    for ours, theirs in zip(computed, published, strict=True):
        assert (ours.name, ours.verdict) == (theirs.name, theirs.verdict)
        assert ours.values["times"].value == pytest.approx(theirs.values["times"].value, rel=2e-3)
        assert ours.values["times"].count == theirs.values["times"].count == 5


class Planned(Exception):
    """All is known that a claim is made from."""


def made_from_now(name, folder, monkeypatch):
    """What the claim would train and measure today, without doing it, on classes called as CIFAR-10's are."""
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    monkeypatch.setattr(ClaimData, "open", lambda images: SimpleNamespace(classes=classes, test=None))

    def do(self, planned):
        if isinstance(planned[0], Measurement):
            raise Planned

    monkeypatch.setattr(Lab, "_do", do)
    scale = CLAIMS[name].scales["cpu"]
    own_lab = Lab(name, folder, scale.data, scale)
    with suppress(Planned, IndexError, GodeeperError):  # IndexError, GodeeperError: what was not trained has no figures
        CLAIMS[name].experiment(own_lab)
    return own_lab.made_from()


@pytest.mark.parametrize("name", sorted(set(CLAIMS) - {"counting"}))  # which trains nothing
def test_published_results_are_those_of_the_claim_as_it_is(name, tmp_path, monkeypatch):
    """After an edit of a claim: run it again, and `python docs/claims.py RUNS`."""
    published, now = published_results(name)["cpu"]["made_from"], made_from_now(name, tmp_path, monkeypatch)
    assert now["arms"] or now["code"]
    assert published["arms"] == now["arms"]
    assert published["code"] == now["code"]


def test_the_pages_say_what_the_results_say():
    assert [str(page) for page, _ in pages.changed()] == []  # python docs/claims.py mends them


def test_runs_become_published_results(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "RESULTS", tmp_path / "results")
    result = published_results("rmsprop")["cpu"]
    run = tmp_path / "runs/rmsprop/gpu"
    run.mkdir(parents=True)
    (run / "result.json").write_text(json.dumps(result))
    pages.import_runs(tmp_path / "runs")
    assert json.loads((tmp_path / "results/rmsprop.json").read_text()) == {"cpu": result, "gpu": result}


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
    printed = int(re.search(r"(\d+) hours", scale.cost.en)[1])
    assert abs(printed / hours - 1) < 0.1
    assert f"{len(networks) * seeds} runs of {scale.epochs} epochs" in scale.cost.en
    assert scale.seeds == seeds


def test_the_list_names_every_claim_and_its_results(capfd):
    assert status(["reproduce", "--list"]) == 0
    out, _ = capfd.readouterr()
    for name, claim in CLAIMS.items():
        assert f"{name}: {claim.text('title').en} ({claim.source})" in out
        assert f"godeeper reproduce {name}" in out
    assert out.count("  cpu: ") > 20
    assert status(["reproduce", "--list", "--lang", "zh"]) == 0
    out, _ = capfd.readouterr()
    assert all(claim.text("paper").zh in out for claim in CLAIMS.values())
    assert status(["reproduce", "--list", "--json"]) == 0
    out, _ = capfd.readouterr()
    rows = json.loads(out)
    assert [row["claim"] for row in rows] == list(CLAIMS)
    assert all(row["results"]["cpu"] and set(row["scales"]) == {"cpu", "gpu", "imagenet"} for row in rows)
    assert all(statement["text"]["zh"] for row in rows for statement in row["results"]["cpu"])
