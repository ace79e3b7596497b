"""The guide's figures: every image that a page names is kept by git, and what figures and pieces say is what the tables say."""

import importlib
import json
import re
import subprocess

import figures
import pytest
import torch
from figures import costs, pieces, training

from godeeper import RMSpropTF, crop_boxes, describe
from godeeper.preprocess import Resize
from pages import DOCS, PAGES, ROOT, read

IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s#]+)|<img[^>]* src=\"([^\"]+)\"")
GUIDE_OF_THE_PAPERS = (
    "googlenet-idea", "googlenet-module", "googlenet-network", "googlenet-training", "googlenet-detection", "bn-inception",
    "inception-v3", "grid-reduction", "inception-v4", "inception-resnet", "residual-scaling", "rmsprop", "ensembles",
)  # fmt: skip


def images(page):
    """The files that a page shows, relative to the repository."""
    names = [first or second for first, second in IMAGE.findall(read(page))]
    return [((ROOT / page).parent / name).resolve().relative_to(ROOT).as_posix() for name in names if "://" not in name]


def test_every_image_of_a_page_is_there_and_not_ignored_by_git():
    shown = sorted({image for page in PAGES for image in images(page)})
    assert len(shown) > 60
    assert [image for image in shown if not (ROOT / image).is_file()] == []
    try:
        asked = subprocess.run(
            ["git", "check-ignore", "--no-index", "--stdin"],
            input="\n".join(shown),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if asked.returncode == 128:
        pytest.skip("this is no git repository")
    assert asked.stdout.split() == []


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", GUIDE_OF_THE_PAPERS)
def test_no_page_of_the_papers_is_without_a_figure(name, lang):
    shown = images(f"docs/{lang}/guide/{name}.md")
    assert shown
    assert not [image for image in shown if "images/figures" in image and not image.endswith(f".{lang}.svg")]


def test_each_figure_is_shown_in_both_languages():
    kept = {file.name for file in (DOCS / "images/figures").glob("*.svg")}
    assert kept == {f"{name}.{lang}.svg" for name in figures.FIGURES for lang in ("en", "zh")}


def test_the_numbers_of_the_module_figures_are_the_tables():
    network = describe("googlenet")
    sums = {name: costs.multiply_adds(module, shape) for name, module, shape in costs.modules()}
    assert sums == {name: network[name].multiply_adds for name in sums}
    assert len(sums) == 9
    total, channels = costs.chained_without()
    assert (round(total / 1e9, 1), channels) == (12.1, 4_944)


@pytest.mark.parametrize(("epsilon", "gradient"), [(1.0, 0.1), (1.0, 10.0), (1e-8, 0.1)])
def test_the_steps_of_the_rmsprop_figure_are_the_optimisers(epsilon, gradient):
    weight = torch.zeros(1, requires_grad=True)
    optimizer = RMSpropTF([weight], lr=training.RATE, eps=epsilon, momentum=0.0)
    for _ in range(200):
        before = weight.item()
        weight.grad = torch.tensor([gradient])
        optimizer.step()
    assert before - weight.item() == pytest.approx(training.step_of(gradient, epsilon), rel=1e-3)


def test_the_stored_votes_are_of_the_144_crops_of_the_photograph():
    votes = json.loads((DOCS / "figures/measured/votes.json").read_text(encoding="utf-8"))
    boxes = crop_boxes(*votes["photograph"], Resize(votes["size"]), 144)
    assert [crop[:7] for crop in votes["crops"]] == [[*box.resized, *box.box, int(box.flip)] for box in boxes]
    assert sum(votes["mean"]) == pytest.approx(1, abs=0.01)
    assert len(votes["mean"]) == len(votes["classes"]["en"]) == len(votes["classes"]["zh"])


@pytest.mark.parametrize("name", pieces.PIECES)
def test_a_piece_has_its_words_in_both_languages(name):
    english, chinese = (pieces.data(name, lang)["words"] for lang in ("en", "zh"))
    assert english.keys() == chinese.keys()
    assert all(english[word] != chinese[word] for word in english)
    script = "".join(file.read_text(encoding="utf-8") for file in (DOCS / "javascripts").glob("*.js"))
    assert all(re.search(rf"words\.{word}\b", script) for word in english)


def test_the_command_that_measures_knows_what_is_stored():
    measurements = importlib.import_module("measurements")
    stored = {file.stem for file in (DOCS / "figures/measured").glob("*.json")} - {"compute"}  # by benchmarks/cifar10.py figure
    assert all(callable(getattr(measurements, name)) for name in stored)
