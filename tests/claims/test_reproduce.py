"""Claims run end to end, small: the same numbers after an interruption; the command and its errors."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from godeeper.claims import CLAIMS, auxiliary_heads, counting, lab, residual_scaling
from godeeper.claims.average_pooling import HEADS
from godeeper.claims.claim import ClaimResult, Statement
from godeeper.claims.claim_folder import reproduce
from godeeper.claims.figures import error_curves
from godeeper.claims.jobs import Arm
from godeeper.claims.prose import term
from godeeper.claims.result_file import published_results
from godeeper.claims.result_table import error_table
from godeeper.claims.scales import Scale
from godeeper.claims.stats import paired, verdict_above
from godeeper.cli import reproduce as cli
from godeeper.cli.main import status
from godeeper.errors import GodeeperError
from godeeper.papers.notation import Conv, Definition
from godeeper.papers.registry import definition, variant
from godeeper.text import Text
from godeeper.workflows.progress import Progress

SMALL = Scale("digits", Text("", ""), train=40, test=20, epochs=2, width=0.125, seeds=2, batch_size=32)


def small(name, **changes):
    """A claim whose CPU scale takes seconds."""
    own = CLAIMS[name].scales["cpu"]
    scale = replace(SMALL, recipe=own.recipe, held_out=min(own.held_out, 20), **changes)
    return replace(CLAIMS[name], scales={"cpu": scale})


def two_heads(own_lab):
    """Average pooling against a fully connected layer behind one convolution."""
    tables = {arm: Definition(arm, "", {"conv": Conv(64, 3, 2)}, HEADS[arm], image_size=32) for arm in ("average", "connected")}
    runs = own_lab.train([Arm(arm, own_lab.variant(table), own_lab.recipe()) for arm, table in tables.items()])
    gain = paired(*([run.error for run in runs[arm]] for arm in ("connected", "average")))
    statement = Statement("pooling", verdict_above(gain), {"gain": gain})
    return ClaimResult([statement], {"top-1 error (%)": error_table(runs)}, {"curves": error_curves(runs)})


def pooling(**changes):
    """A claim that takes seconds."""
    return replace(small("average-pooling", **changes), experiment=two_heads)


def numbers(result):
    """What must not change from one run to the next: all but the times."""
    kept = {name: value for name, value in result.items() if name not in ("minutes", "versions")}
    kept["runs"] = {arm: [{**run, "seconds": None} for run in runs] for arm, runs in result["runs"].items()}
    return kept


class InThisProcess(Executor):
    """Does a job at once: a worker process takes seconds to start."""

    def submit(self, function):
        future = Future()
        future.set_result(function())
        return future


@contextmanager
def in_this_process(count):
    """Stands in for the lab's workers."""
    yield InThisProcess()


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """The small claim, run: its result and its folder."""
    folder = tmp_path_factory.mktemp("claims") / "first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "_workers", in_this_process)
        return reproduce(pooling(), "cpu", None, folder), folder


def test_a_claim_leaves_its_result(pooled):
    result, folder = pooled
    assert json.loads((folder / "result.json").read_text()) == result
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    arms = ["average", "connected"]
    assert list(result["runs"]) == arms
    table = result["tables"]["top-1 error (%)"]
    assert [row[0] for row in table["rows"]] == arms
    for arm, row in zip(arms, table["rows"], strict=True):
        assert len(result["runs"][arm]) == 2
        assert row[1:3] == [round(run["top1_error"][-1], 2) for run in result["runs"][arm]]
        assert all(len(run["loss"]) == 2 for run in result["runs"][arm])
    gain = result["statements"][0]["values"]["gain"]
    first, second = ([run["top1_error"][-1] for run in result["runs"][arm]] for arm in ("connected", "average"))
    assert gain["value"] == pytest.approx(sum(a - b for a, b in zip(first, second, strict=True)) / 2, abs=1e-4)
    assert result["train"] == 40


def test_arms_differ_by_their_seeds_and_share_the_images(pooled):
    _, folder = pooled
    recipes = {run.name: json.loads((run / "recipe.json").read_text())["recipe"] for run in (folder / "runs").iterdir()}
    assert len(recipes) == 4
    assert recipes["average-0"] == recipes["connected-0"]
    assert recipes["average-0"] == {**recipes["average-1"], "seed": 0}


def test_what_is_done_is_not_done_again(pooled):
    result, folder = pooled
    before = {file: file.stat().st_mtime_ns for file in (folder / "runs").rglob("*") if file.is_file()}
    assert numbers(reproduce(pooling(), "cpu", None, folder)) == numbers(result)
    assert {file: file.stat().st_mtime_ns for file in (folder / "runs").rglob("*") if file.is_file()} == before


def test_another_size_or_set_wants_another_folder(pooled, class_folder):
    _, folder = pooled
    with pytest.raises(GodeeperError, match=r"holds runs of another epochs: name another folder with --out"):
        reproduce(pooling(epochs=3), "cpu", None, folder)
    with pytest.raises(GodeeperError, match=r"has 24 training images, counting as many of each class, of the 40 .* --data"):
        reproduce(pooling(), "cpu", str(class_folder), folder)
    assert json.loads((folder / "plan.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("name", ["plan.json", "minutes.json"])
@pytest.mark.parametrize("content", [b'{"claim": "average-poo', b"\xff\xfe", b'"abc"', b"1" + b"0" * 400])
def test_a_damaged_file_is_named(pooled, tmp_path, name, content):
    folder = tmp_path / "damaged"
    shutil.copytree(pooled[1], folder)
    (folder / name).write_bytes(content)
    with pytest.raises(GodeeperError, match=r"(json' is damaged: delete it|another claim)"):
        reproduce(pooling(), "cpu", None, folder)


@pytest.mark.parametrize(
    ("file", "before", "after", "what"),
    [("metrics.jsonl", '"top1_error"', '"top1"', "top1_error"), ("recipe.json", '"torch": "', '"torch": 2, "x": "', "versions")],
)
def test_an_edited_run_is_named(pooled, tmp_path, file, before, after, what):
    folder = tmp_path / "edited"
    shutil.copytree(pooled[1], folder)
    edited = folder / "runs" / "average-1" / file
    edited.write_text(edited.read_text().replace(before, after))
    with pytest.raises(GodeeperError, match=rf"{file}' was edited, its {what}: remove .*/average-1'"):
        reproduce(pooling(), "cpu", None, folder)


INTERRUPTED = """
import os
import sys
from pathlib import Path
from test_reproduce import pooling
from godeeper.claims.average_pooling import HEADS
from godeeper.claims.claim import ClaimResult, Statement
from godeeper.claims.claim_folder import reproduce
from godeeper.claims.figures import error_curves
from godeeper.claims.jobs import Arm
if __name__ == "__main__":
    os.cpu_count = lambda: 1  # one worker: each takes seconds to start
    reproduce(pooling(), "cpu", None, Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_run_is_resumed_and_ends_with_the_same_numbers(pooled, tmp_path, monkeypatch):
    result, _ = pooled
    folder, script = tmp_path / "killed", tmp_path / "run.py"
    script.write_text(INTERRUPTED)
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    process = psutil.Popen([sys.executable, script, folder], env=environment, stderr=subprocess.DEVNULL)
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
    monkeypatch.setattr(lab, "_workers", in_this_process)
    assert numbers(reproduce(pooling(), "cpu", None, folder)) == numbers(result)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_runs_to_its_verdicts(name, tmp_path, monkeypatch):
    monkeypatch.setattr(residual_scaling, "WIDTHS", (32, 48, 64))
    monkeypatch.setattr(counting, "definition", lambda network: variant(definition(network), width=0.125))  # what is timed
    monkeypatch.setattr(auxiliary_heads, "STEPS", 1)
    claim = small(name, epochs=1)
    result = reproduce(claim, "cpu", None, tmp_path)
    described = [claim.describe(Statement.from_dict(data)) for data in result["statements"]]
    assert [statement["text"]["en"] for statement in described] == [
        claim.describe(Statement.from_dict(data))["text"]["en"] for data in published_results(name)["cpu"]["statements"]
    ]
    for title, table in result["tables"].items():
        assert title in published_results(name)["cpu"]["tables"]
        assert all(term(text, "zh") != text for text in (title, *table["head"]))
        assert all(len(row) == len(table["head"]) for row in table["rows"])
    assert list(result["figures"]) == list(published_results(name)["cpu"]["figures"])
    assert all((tmp_path / f"{figure}.png").is_file() for figure in result["figures"])


def test_elsewhere_than_on_a_terminal_a_line_a_minute_has_the_time_left(capfd, monkeypatch):
    clock = iter([0.0, 1.0, 61.0, 62.0, 181.0])
    monkeypatch.setattr(cli.time, "monotonic", lambda: next(clock))
    show = cli._line_a_minute()
    for percent in (20, 20, 30, 50):  # twenty were done before
        show(Progress("rmsprop (%)", percent, 100))
    assert capfd.readouterr().err == "rmsprop (%): 20\nrmsprop (%): 50, 5 min left\n"


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
