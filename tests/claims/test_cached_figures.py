"""What is cached carries what it was made from: an edited claim re-uses nothing that it would have made otherwise."""

import importlib
import json
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from godeeper.claims import claim_folder, jobs, lab
from godeeper.claims.claim_data import ClaimData
from godeeper.claims.jobs import Arm, ArmRun, Measurement
from godeeper.claims.made_from import source_of
from godeeper.claims.scales import Scale
from godeeper.errors import GodeeperError
from godeeper.papers.notation import AvgTo, Conv, Definition, Linear
from godeeper.text import Text
from godeeper.train.recipe import Recipe

SCALE = Scale("digits", Text("", ""), train=40, test=20, epochs=1, seeds=2)
FACTOR = 3


def measured(images, scale, start, seed):
    """What the tests measure."""
    return {"value": FACTOR * (start + seed)}


def table(filters=8):
    return Definition("t", "", {"conv": Conv(filters, 3, 2)}, {"pool": AvgTo(1), "linear": Linear(10)}, image_size=32)


def run(folder, **changes):
    arm = Arm("t", table(), Recipe(epochs=1, batch_size=32))
    return replace(ArmRun(folder, arm, 0, ClaimData("digits", 40, 20), SCALE), **changes)


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"arm": Arm("t", table(9), Recipe(epochs=1, batch_size=32))}, "table"),
        ({"arm": Arm("t", table(), Recipe(epochs=1, batch_size=32, lr=0.2))}, "recipe"),
        ({"seed": 1}, "recipe"),
        ({"images": ClaimData("digits", 30, 20)}, "images"),
        ({"images": ClaimData("digits", 40, 10)}, "images"),  # on which its errors are
    ],
)
def test_a_run_of_something_else_is_not_taken_for_this_one(tmp_path, changes, differing):
    (tmp_path / "recipe.json").write_text(json.dumps({"spec": {}, "recipe": {}, "made_from": run(tmp_path).made_from}))
    run(tmp_path).check()
    with pytest.raises(GodeeperError, match=rf"was made from another {differing}: remove it"):
        run(tmp_path, **changes).check()


def test_a_run_of_before_runs_carried_what_they_were_made_from_is_refused(tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps({"spec": {}, "recipe": run(tmp_path).recipe.as_dict()}))
    with pytest.raises(GodeeperError, match="table, recipe, images, godeeper"):
        run(tmp_path).check()


def test_a_lab_asks_every_job_before_it_takes_what_is_there(tmp_path, monkeypatch):
    def measure(start):
        own_lab = lab.Lab("claim", tmp_path, "digits", SCALE)
        monkeypatch.setattr(lab, "_workers", lambda count: pytest.fail("what is done is not done again"))
        return own_lab.measure(measured, {"a": {"start": start}})

    for seed in range(2):
        Measurement(tmp_path / f"runs/a-{seed}", measured, {"start": 1, "seed": seed}, ClaimData("digits", 40, 20), SCALE).run()
    assert measure(1) == {"a": [{"value": 3}, {"value": 6}]}
    with pytest.raises(GodeeperError, match=r"runs/a-0' was made from another setting"):
        measure(2)
    monkeypatch.setitem(globals(), "FACTOR", 4)  # the code that measures is edited
    with pytest.raises(GodeeperError, match=r"runs/a-0' was made from another code"):
        measure(1)
    monkeypatch.setitem(globals(), "FACTOR", 3)
    edited = tmp_path / "runs/a-1/result.json"
    edited.write_text(edited.read_text().replace('"value"', '"values"'))
    with pytest.raises(GodeeperError, match=r"a-1/result.json' was edited, its values: remove .*a-1'"):
        measure(1)
    monkeypatch.setattr("godeeper.claims.made_from.__version__", "9.9")
    with pytest.raises(GodeeperError, match=r"runs/a-0' was made from another godeeper"):
        measure(1)


def test_a_measurement_depends_on_the_weights_that_it_is_of(tmp_path):
    weights = tmp_path / "model.safetensors"
    made_from = []
    for content in (b"1", b"2"):
        weights.write_bytes(content)
        setting = {"runs": [run(tmp_path)], "start": 0, "seed": 0}
        made_from.append(Measurement(tmp_path, measured, setting, ClaimData("digits", 40, 20), SCALE).made_from)
    assert [name for name in made_from[0] if made_from[0][name] != made_from[1][name]] == ["setting"]


MODULE = """
from math import sqrt
K = 2


def helper(x):
    return x + K


def unused(x):
    return 1


def measure(x):
    return sqrt(helper(x))
"""


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("return sqrt", '"""What it is."""\n    # and a remark\n    return sqrt', True),
        ("return 1", "return 2", True),  # of a function that is not used
        ("K = 2", "K = 3", False),
        ("return x + K", "return x - K", False),
        ("sqrt(helper(x))", "sqrt(x)", False),
    ],
)
def test_code_is_another_when_what_it_computes_may_be(tmp_path, monkeypatch, before, after, same):
    monkeypatch.syspath_prepend(tmp_path)
    sources = []
    for name, text in (("measuring_1", MODULE), ("measuring_2", MODULE.replace(before, after))):
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        (tmp_path / f"{name}.py").write_text(text)
        sources.append(source_of(importlib.import_module(name).measure))
    assert (sources[0] == sources[1]) == same


def test_a_result_names_the_versions_that_its_figures_were_made_with():
    each = [SimpleNamespace(versions={"torch": torch, "python": "3.11.7"}) for torch in ("2.13.0", "2.14.1", "2.13.0")]
    assert claim_folder._versions(each) == {"torch": "2.13.0, 2.14.1", "python": "3.11.7"}


def test_other_images_under_the_same_names_of_folders_are_others(class_folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(class_folder, copy)
    first, second = ClaimData(str(class_folder), 6, 3), ClaimData(str(copy), 6, 3)
    assert first.fingerprint() == second.fingerprint()
    image = next(file for file in sorted(copy.rglob("*.*")) if file.suffix.lower() in (".png", ".jpg", ".jpeg"))
    image.rename(image.with_name(f"000{image.name}"))
    assert ClaimData(str(copy), 6, 4).fingerprint() != ClaimData(str(class_folder), 6, 4).fingerprint()


def test_a_run_notes_what_it_was_made_from(tmp_path, monkeypatch):
    notes = {}
    monkeypatch.setattr(jobs, "train", lambda *arguments, **options: notes.update(options["notes"]))
    run(tmp_path / "run").run()
    assert notes == {"made_from": run(tmp_path / "run").made_from}
