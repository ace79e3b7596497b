"""One word for one thing: what old_words.toml lists stands in no name of the source, and in no docstring or page."""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "godeeper"
OLD: dict[str, Any] = tomllib.loads((Path(__file__).parent / "old_words.toml").read_text(encoding="utf-8"))
ROOMS = sorted({path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in SOURCE.rglob("*.py")})
PAGES = sorted(page.relative_to(ROOT).as_posix() for page in [ROOT / "README.md", *(ROOT / "docs" / "en").rglob("*.md")])
UNIQUE_CLASSES = {"Part", "Line", "Sample", "Run"}  # each has one meaning
UNIQUE_FILES = {"words", "card", "boxes", "crops", "metrics", "report"}

KINDS = ("parts", "parts_of_names", "names", "prose")


def words(name: str) -> tuple[str, ...]:
    """The parts of a name, in lower case: `open_HTMLPage` -> open, html, page."""
    return tuple(part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name))


def listed(kind: str, room: str) -> dict[str, str]:
    """Old word -> new word: those of everywhere and those of the room."""
    return OLD["everywhere"].get(kind, {}) | OLD["rooms"].get(room, {}).get(kind, {})


def bound_names(tree: ast.AST) -> Iterator[str]:
    """The identifiers that a module gives: functions (also as `name()`), classes, arguments, variables, attributes, imports."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from (name, f"{name}()")
            case ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name


def keys_and_options(tree: ast.AST) -> Iterator[str]:
    """Strings that are keys (of a dictionary, or in brackets) or options of the command line."""
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=keys):
                yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
            case ast.Subscript(slice=ast.Constant(value=str(key))):
                yield key
            case ast.Constant(value=str(option)) if re.fullmatch(r"--[a-z][a-z-]*(/--[a-z-]+)?", option):
                yield option


def json_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from json_keys(item)


def names_of(file: Path) -> set[str]:
    """Every name of a source file, or of a data file: identifiers, keys, options, and the file's own name."""
    own = {file.stem.split(".")[0]}
    if file.suffix == ".json":
        return own | set(json_keys(json.loads(file.read_text(encoding="utf-8"))))
    if file.suffix != ".py":
        return own
    tree = ast.parse(file.read_text(encoding="utf-8"))
    keys = {key for key in keys_and_options(tree) if re.fullmatch(r"[\w-]+(/[\w-]+)?", key)}  # not a sentence
    return own | set(bound_names(tree)) | keys


def old_in_name(name: str, room: str) -> Iterator[str]:
    """The old words in a name."""
    if name in listed("names", room):
        yield name
    parts = words(name)
    for old in listed("parts", room) | listed("parts_of_names", room):
        run = words(old)
        if any(parts[start : start + len(run)] == run for start in range(len(parts))):
            yield old


def docstrings(file: Path) -> str:
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return "\n".join(ast.get_docstring(node) or "" for node in nodes if isinstance(node, documented))


def old_in_prose(text: str, room: str = "") -> Iterator[str]:
    """The old words in a text: whole words anywhere, and names between backticks."""
    for old in listed("parts", room) | listed("prose", room):
        if re.search(rf"(?<![\w-]){re.escape(old)}(?![\w-])", text, re.I):
            yield old
    for span in re.findall(r"`+([^`\n]+)`+", text):
        for name in re.findall(r"[A-Za-z_]\w*", span):
            yield from (old for old in listed("names", room) if old.removesuffix("()") == name and len(name) > 3)


def excepted(where: str, old: str) -> bool:
    return any(entry["where"] == where and entry["word"] == old for entry in OLD.get("exceptions", []))


def in_file(file: Path, room: str) -> list[str]:
    """Lines of what is old in a source file, but for its exceptions."""
    where = file.relative_to(ROOT).as_posix()
    found = [(old, f"in the name {name!r}") for name in sorted(names_of(file)) for old in old_in_name(name, room)]
    if file.suffix == ".py":
        found += [(old, "in a docstring") for old in dict.fromkeys(old_in_prose(docstrings(file), room))]
    new = {old: word for kind in KINDS for old, word in listed(kind, room).items()}
    return [f"{where}: {old!r} {how}: say {new[old]!r}" for old, how in found if not excepted(where, old)]


@pytest.mark.parametrize("room", ROOMS)
def test_no_old_word_is_in_a_room(room):
    files = [SOURCE / f"{room}.py"] if (SOURCE / f"{room}.py").exists() else sorted((SOURCE / room).rglob("*.*"))
    files = [file for file in files if "__pycache__" not in file.parts]
    assert files
    old = [line for file in files for line in in_file(file, room)]
    assert not old, "\n".join(old)


@pytest.mark.parametrize("page", PAGES)
def test_no_old_word_is_on_a_page(page):
    old = {word for word in old_in_prose((ROOT / page).read_text(encoding="utf-8")) if not excepted(page, word)}
    assert not old, f"{page}: {sorted(old)}"


def test_a_name_that_meant_several_things_means_one():
    files = [file for file in SOURCE.rglob("*.py") if "__pycache__" not in file.parts]
    for stem in UNIQUE_FILES:
        assert len([file for file in files if file.stem == stem]) <= 1, stem
    classes = [node.name for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)]
    for name in UNIQUE_CLASSES:
        assert classes.count(name) <= 1, name


def test_exceptions_are_few_and_each_is_needed():
    exceptions = OLD.get("exceptions", [])
    assert len(exceptions) <= 20
    for entry in exceptions:
        file = ROOT / entry["where"]
        assert len(entry["reason"]) > 10
        if file.suffix == ".md":
            assert entry["word"] in old_in_prose(file.read_text(encoding="utf-8"))
        else:
            room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
            names = [old for name in names_of(file) for old in old_in_name(name, room)]
            assert entry["word"] in [*names, *old_in_prose(docstrings(file), room)], entry


@pytest.mark.parametrize(
    ("source", "old"),
    [
        ("def open_picture(): ...", "picture"),
        ("class PictureFolder: ...", "picture"),
        ("def f(pictures): ...", "pictures"),
        ("self.picture_size = 3", "picture"),
        ("x = {'average_decay': 1}", "average_decay"),
        ("x = row['likeliest']", "likeliest"),
        ("typer.Option('--head-epochs')", "head_epochs"),
        ("for one in names: ...", "one"),
        ("class Flow: ...", "Flow"),
        ("def wanted(): ...", "wanted()"),
        ("class Run:\n    odds: int", "odds"),
    ],
)
def test_a_planted_old_name_is_seen(source, old, tmp_path):
    (tmp_path / "planted.py").write_text(source)
    assert old in [word for name in names_of(tmp_path / "planted.py") for word in old_in_name(name, "detect")]


def test_planted_old_words_are_seen_elsewhere(tmp_path):
    assert list(old_in_name("picture_folders", "data")) == ["picture"]  # a file's name
    (tmp_path / "planted.json").write_text('{"rows": [{"picture": 1}]}')
    assert "picture" in names_of(tmp_path / "planted.json")
    (tmp_path / "planted.py").write_text('def f():\n    """Says it aloud, of pictures."""\n')
    assert list(old_in_prose(docstrings(tmp_path / "planted.py"))) == ["pictures", "aloud"]
    assert list(old_in_prose("It gives a `Flow`.")) == ["Flow"]


def test_what_only_looks_alike_is_let_in():
    for name in ("image", "one_hot", "weight_decay", "foundation", "FeatureShape", "replaced", "bone", "settlement"):
        assert list(old_in_name(name, "train")) == []
    assert list(old_in_name("area", "detect")) == []
    assert list(old_in_prose("A flow of data through one place, found again.")) == []
