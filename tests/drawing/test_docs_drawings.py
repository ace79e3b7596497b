"""The drawings and figures that the pages show are what the code gives today; the script that keeps them so."""

import importlib.util

import pytest

from godeeper import draw
from pages import DOCS

spec = importlib.util.spec_from_file_location("drawings", DOCS / "drawings.py")
drawings = importlib.util.module_from_spec(spec)
spec.loader.exec_module(drawings)

IMAGES = DOCS / "images"
FILES = sorted([*IMAGES.glob("drawings/*.svg"), *IMAGES.glob("figures/*.svg")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_kept_drawing_is_what_the_code_gives(file):
    name = file.relative_to(IMAGES).as_posix().removesuffix(".svg")
    assert file.read_text(encoding="utf-8") == drawings.content(name)  # else: python docs/drawings.py


def test_drawings_are_kept():
    assert len(FILES) > 5


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with two pages and a drawing that neither names."""
    for name, text in {
        "docs/en/guide/one.md": "![a](../../images/drawings/googlenet-3a.svg) ![b](../../images/drawings/vgg16-cost.svg)",
        "README.md": "![c](docs/images/drawings/zfnet-receptive-field.svg) [not one](docs/images/other.svg)",
        "docs/images/drawings/alexnet.svg": "<svg/>",
        "docs/images/drawings/vgg16-cost.svg": "old",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(drawings, "ROOT", tmp_path)
    return tmp_path


def kept(root):
    return {file.stem: file.read_text(encoding="utf-8") for file in (root / "docs/images/drawings").glob("*")}


def test_the_script_draws_what_pages_name_and_removes_the_rest(root, capsys):
    before = kept(root)
    assert drawings.main(check=True) == 1
    assert kept(root) == before
    said = capsys.readouterr().err
    assert "removed: docs/images/drawings/alexnet.svg" in said
    assert "drawn: docs/images/drawings/vgg16-cost.svg" in said
    assert drawings.main(check=False) == 0
    assert kept(root) == {
        "googlenet-3a": draw("googlenet", "3a"),
        "vgg16-cost": draw("vgg16", show="cost"),
        "zfnet-receptive-field": draw("zfnet", show="receptive-field"),
    }
    capsys.readouterr()
    assert drawings.main(check=True) == 0
    assert capsys.readouterr().err == ""


def test_a_page_that_names_what_is_not_a_drawing(root):
    (root / "docs/en/guide/two.md").write_text("![x](../../images/drawings/googlenet-9z.svg)")
    with pytest.raises(SystemExit, match=r"two\.md shows drawings/googlenet-9z\.svg: unknown stage '9z'"):
        drawings.main(check=False)


def test_a_page_that_names_what_is_no_figure(root):
    (root / "docs/en/guide/two.md").write_text("![x](../../images/figures/cat.en.svg)")
    with pytest.raises(SystemExit, match=r"two\.md shows figures/cat\.en\.svg: unknown figure 'cat\.en'"):
        drawings.main(check=False)
