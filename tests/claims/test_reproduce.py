"""Claims run end to end, small: the same numbers after an interruption; the command and its errors."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from godeeper.claims import CLAIMS
from godeeper.claims.claim import Scale, Words
from godeeper.claims.report import reproduce
from godeeper.cli.main import status
from godeeper.errors import GodeeperError

ROOT = Path(__file__).parents[2]
SMALL = Scale("digits", Words("", ""), train=60, test=30, epochs=2, width=0.125, seeds=2, batch_size=32)
spec = importlib.util.spec_from_file_location("claims_pages", ROOT / "docs/claims.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)


def small(name, **changes):
    """A claim whose CPU scale takes seconds."""
    scale = replace(SMALL, recipe=CLAIMS[name].scales["cpu"].recipe, **changes)
    return replace(CLAIMS[name], scales={"cpu": scale})


def numbers(result):
    """What must not change from one run to the next: all but the times."""
    kept = {name: value for name, value in result.items() if name not in ("minutes", "versions")}
    kept["runs"] = {arm: [{**run, "seconds": None} for run in runs] for arm, runs in result["runs"].items()}
    return kept


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """average-pooling, run."""
    folder = tmp_path_factory.mktemp("claims") / "first"
    return reproduce(small("average-pooling"), "cpu", None, folder), folder


def test_a_claim_leaves_what_it_found(pooled):
    result, folder = pooled
    assert json.loads((folder / "result.json").read_text()) == result
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    arms = ["average", "average, no dropout", "connected", "connected, no dropout"]
    assert list(result["runs"]) == arms
    table = result["tables"]["top-1 error (%)"]
    assert [row[0] for row in table["rows"]] == arms
    for arm, row in zip(arms, table["rows"], strict=True):
        assert len(result["runs"][arm]) == 2
        assert row[1:3] == [round(run["top1_error"][-1], 2) for run in result["runs"][arm]]
        assert all(len(run["loss"]) == 2 for run in result["runs"][arm])
    said = result["parts"][0]["why"]["en"]
    first, second = ([run["top1_error"][-1] for run in result["runs"][arm]] for arm in ("connected", "average"))
    assert f"{sum(a - b for a, b in zip(first, second, strict=True)) / 2:.2f} ±" in said
    assert result["train"] == 60


def test_arms_differ_by_their_seeds_and_share_the_images(pooled):
    _, folder = pooled
    recipes = {run.name: json.loads((run / "recipe.json").read_text())["recipe"] for run in (folder / "runs").iterdir()}
    assert len(recipes) == 8
    assert recipes["average-0"] == recipes["connected-0"]
    assert recipes["average-0"] == {**recipes["average-1"], "seed": 0}


def test_what_is_done_is_not_done_again(pooled):
    result, folder = pooled
    before = {file: file.stat().st_mtime_ns for file in (folder / "runs").rglob("*") if file.is_file()}
    assert numbers(reproduce(small("average-pooling"), "cpu", None, folder)) == numbers(result)
    assert {file: file.stat().st_mtime_ns for file in (folder / "runs").rglob("*") if file.is_file()} == before


def test_another_size_or_set_wants_another_folder(pooled, class_folder):
    _, folder = pooled
    with pytest.raises(GodeeperError, match=r"holds runs of another epochs: name another folder with --out"):
        reproduce(small("average-pooling", epochs=3), "cpu", None, folder)
    with pytest.raises(GodeeperError, match=r"has 24 training images, counting as many of each class, of the 60 .* --data"):
        reproduce(small("average-pooling"), "cpu", str(class_folder), folder)
    assert json.loads((folder / "plan.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("name", ["plan.json", "minutes.json"])
@pytest.mark.parametrize("content", [b'{"claim": "average-poo', b"\xff\xfe", b'"abc"'])
def test_a_damaged_file_is_named(pooled, tmp_path, name, content):
    folder = tmp_path / "damaged"
    shutil.copytree(pooled[1], folder)
    (folder / name).write_bytes(content)
    with pytest.raises(GodeeperError, match=r"(json' is damaged: delete it|another claim)"):
        reproduce(small("average-pooling"), "cpu", None, folder)


INTERRUPTED = """
import sys
from pathlib import Path
from test_reproduce import small
from godeeper.claims.report import reproduce
if __name__ == "__main__":
    reproduce(small("average-pooling"), "cpu", None, Path(sys.argv[1]))
"""


def test_a_run_that_was_killed_is_gone_on_with_and_ends_with_the_same_numbers(pooled, tmp_path):
    result, _ = pooled
    folder, script = tmp_path / "killed", tmp_path / "run.py"
    script.write_text(INTERRUPTED)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, script, folder]
    process = psutil.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list((folder / "runs").glob("*/checkpoints/*.safetensors")) and time.monotonic() < until:
        time.sleep(0.05)
    workers = process.children(recursive=True)
    process.kill()
    process.wait()
    assert len(workers) > 1
    assert psutil.wait_procs(workers, timeout=30)[1] == []  # they do not outlive it
    begun = {run.name for run in (folder / "runs").iterdir()}
    assert begun
    assert not (folder / "result.json").exists()
    assert numbers(reproduce(small("average-pooling"), "cpu", None, folder)) == numbers(result)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in ("counting", "average-pooling")])
def test_every_claim_runs_to_its_verdicts(name, tmp_path):
    changes = {"epochs": 1, "width": 1.0} if name == "residual-scaling" else {}
    result = reproduce(small(name, **changes), "cpu", None, tmp_path)
    assert result["parts"]
    for title, table in result["tables"].items():
        pages.term(title, "zh")
        assert all(pages.term(head, "zh") for head in table["head"])
        assert all(len(row) == len(table["head"]) for row in table["rows"])
    assert all((tmp_path / f"{figure}.png").is_file() for figure in result["figures"])


def refused(capfd, *words):
    """The one line that a refused command says."""
    assert status(["reproduce", *map(str, words)]) == 2
    out, error = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in error
    return error


def test_bad_input_is_refused_in_a_line(capfd, tmp_path, class_folder, monkeypatch):
    monkeypatch.setenv("GODEEPER_DATA", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    assert "residual-scaling" in refused(capfd, "residual-scalin")
    assert "--list" in refused(capfd)
    assert "--list" in refused(capfd, "rmsprop", "--list")
    assert "cifar10" in refused(capfd, "rmsprop")
    assert "nowhere" in refused(capfd, "rmsprop", "--data", "nowhere")
    assert "needs" in refused(capfd, "rmsprop", "--data", class_folder)
    (tmp_path / "file").write_text("")
    assert "is a file" in refused(capfd, "rmsprop", "--out", tmp_path / "file", "--data", class_folder)
    assert "--scale" in refused(capfd, "rmsprop", "--scale", "huge")
    assert not (tmp_path / "runs").exists()


def test_the_list_names_every_claim_and_what_was_found(capfd):
    assert status(["reproduce", "--list"]) == 0
    out, _ = capfd.readouterr()
    for name, claim in CLAIMS.items():
        assert f"{name}: {claim.title.en} ({claim.source})" in out
        assert f"godeeper reproduce {name}" in out
    assert out.count("  cpu: ") > 20
    assert status(["reproduce", "--list", "--lang", "zh"]) == 0
    out, _ = capfd.readouterr()
    assert all(claim.says.zh in out for claim in CLAIMS.values())
    assert status(["reproduce", "--list", "--json"]) == 0
    out, _ = capfd.readouterr()
    rows = json.loads(out)
    assert [row["claim"] for row in rows] == list(CLAIMS)
    assert all(row["found"]["cpu"] and set(row["scales"]) == {"cpu", "gpu", "imagenet"} for row in rows)


def test_the_pages_say_what_the_results_say():
    assert [str(file) for file, _ in pages.changed()] == []  # python docs/claims.py mends them


def test_the_results_are_whole():
    found = pages.results()
    for name, claim in CLAIMS.items():
        result = found[name]["cpu"]
        scale = claim.scales["cpu"]
        assert {one: result[one] for one in ("train", "test", "epochs", "seeds", "width")} == {
            one: getattr(scale, one) for one in ("train", "test", "epochs", "seeds", "width")
        }
        assert int(re.search(r"(\d+|a) minute", scale.cost.en)[1].replace("a", "1")) < 25
        assert all((pages.RESULTS / name / f"cpu-{figure}.png").is_file() for figure in result["figures"])
        for runs in result["runs"].values():
            assert len(runs) == scale.seeds
            assert all(len(run["top1_error"]) == scale.epochs for run in runs)
        assert all(len(runs) == scale.seeds for runs in result["measurements"].values())
        for title, table in result["tables"].items():
            assert pages.term(title, "zh")
            assert all(pages.term(head, "zh") for head in table["head"])
    assert len(found["residual-scaling"]["cpu"]["measurements"]) == 20  # arms, each with its curves
    assert sum(part["verdict"] != "supported" for scales in found.values() for part in scales["cpu"]["parts"]) > 0
