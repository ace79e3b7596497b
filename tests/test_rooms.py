"""Who may import whom: the table of the architecture page, held against every import, and no circle among the files."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import godeeper
from pages import read

SOURCE = Path(godeeper.__file__).parent
FILES = sorted(path.relative_to(SOURCE.parent) for path in SOURCE.rglob("*.py"))
DOORS = {
    "__init__",
    "__main__",
    "cli",
    "notation",
}  # what people come in by: they may import everything, and no room imports them


def floors(page: str) -> tuple[set[str], dict[str, tuple[set[str], str]]]:
    """The ground floor of a page's section on rooms, and its table: room -> the rooms it may import besides, what it holds."""
    section = re.split(r"^## ", read(page), flags=re.M)
    text = next(part for part in section if "tests/test_rooms.py" in part)
    paragraph, _, rows = text.partition("\n| ")
    ground = set(re.findall(r"`(\w+)`", paragraph.partition("tests/test_rooms.py`")[2]))
    table = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\|$", rows, re.M)
    return ground, {room: (set(re.findall(r"`(\w+)`", cell)), holds) for room, holds, cell in table}


GROUND, TABLE = floors("docs/en/architecture.md")
ROOMS = GROUND | set(TABLE)
ALLOWED = {room: GROUND | TABLE[room][0] if room in TABLE else GROUND for room in ROOMS}
STANDARD_LIBRARY_ONLY = {room for room, (_, holds) in TABLE.items() if "standard library only" in holds}
WITHOUT_TORCH = (
    {room for room, (_, holds) in TABLE.items() if "no torch" in holds} | GROUND - {"tensor_files", "eval_mode"} | {"__init__"}
)


def module_of(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file) for file in FILES}


def for_types_only(tree: ast.AST) -> set[ast.AST]:
    """The nodes under `if TYPE_CHECKING:`, which no program runs."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")]
    return {node for block in blocks for statement in block.body for node in ast.walk(statement)}


def imports(source: str, file: Path, types: bool = True) -> Iterator[str]:
    """What a file imports, anywhere in it, by full names: "godeeper.papers.shape.row_output"; `types`: for types too."""
    package = list(file.parts[:-1])
    tree = ast.parse(source)
    skipped = set() if types else for_types_only(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    """The room that a full name is in; `__init__` is the package's own face; None for what is not godeeper's."""
    first, *rest = name.split(".")
    if first != "godeeper":
        return None
    return rest[0] if rest and f"godeeper.{rest[0]}" in MODULES else "__init__"


def trespasses(source: str, file: Path) -> list[str]:
    """The imports of a file that the table does not allow."""
    here = room_of(module_of(file)) or "__init__"
    allowed = {"cli", *ROOMS} if here == "__main__" else ALLOWED.get(here, ROOMS) - DOORS
    lines = []
    for name in imports(source, file):
        there = room_of(name)
        if there is None:
            if here in STANDARD_LIBRARY_ONLY and name.split(".")[0] not in sys.stdlib_module_names:
                lines.append(f"{file}: {name} is not in the standard library")
        elif there != here and there not in allowed and (here not in DOORS or there in DOORS):
            lines.append(f"{file}: {here} may not import {there} ({name})")
    return lines


def imports_torch(source: str) -> bool:
    """Whether a file imports torch when it is itself imported: outside functions, and not for types."""
    tree = ast.parse(source)
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    later = for_types_only(tree) | {node for function in functions for node in ast.walk(function)}
    for node in set(ast.walk(tree)) - later:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "") or ""]
        if any(name.split(".")[0] in ("torch", "torchvision") for name in names):
            return True
    return False


def file_graph(sources: dict[Path, str]) -> dict[str, set[str]]:
    """Module -> the modules that it imports as it runs, also those imported within functions."""
    modules = {module_of(file): file for file in sources}

    def target(name: str) -> str | None:
        return next((module for module in (name, name.rpartition(".")[0]) if module in modules), None)

    graph: dict[str, set[str]] = {}
    for module, file in modules.items():
        targets = {target(name) for name in imports(sources[file], file, types=False)}
        graph[module] = {other for other in targets if other is not None} - {module}
    return graph


def circle(sources: dict[Path, str]) -> list[str]:
    """The modules of a circle of imports, in order, or nothing."""
    try:
        TopologicalSorter(file_graph(sources)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def source_files() -> dict[Path, str]:
    """All but the package's face, which loads what it names when it is used."""
    return {file: (SOURCE.parent / file).read_text() for file in FILES if file != Path("godeeper/__init__.py")}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_keeps_to_its_room(file):
    source = (SOURCE.parent / file).read_text()
    assert trespasses(source, file) == []
    assert not (room_of(module_of(file)) in WITHOUT_TORCH and imports_torch(source))


def test_torch_hubs_door_imports_what_timms_does():
    rooms = {room_of(name) for name in imports(read("hubconf.py"), Path("hubconf.py"))} - {None}
    assert {"models"} <= rooms <= TABLE["timm"][0]


def test_no_circle_of_imports():
    assert circle(source_files()) == []


def test_the_table_is_complete_and_the_same_in_both_languages():
    there = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert there == ROOMS | DOORS
    chinese, table = floors("docs/zh/architecture.md")
    assert chinese == GROUND
    assert {room: rooms for room, (rooms, _) in table.items()} == {room: rooms for room, (rooms, _) in TABLE.items()}
    TopologicalSorter({room: rooms for room, (rooms, _) in TABLE.items()}).prepare()  # no floor is above itself
    assert {"papers"} == STANDARD_LIBRARY_ONLY
    assert {"drawing", "errors", "preprocess"} <= WITHOUT_TORCH
    assert len(FILES) > 100


def test_the_face_opens_every_room_but_the_command_line():
    names = [f"godeeper.{home}" for home in godeeper._HOME.values()]
    assert "godeeper.models.registry" in names
    assert {room_of(name) for name in names} <= ROOMS - {"cli"}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("papers/describe.py", "import torch"),
        ("papers/describe.py", "from numpy import array"),
        ("papers/describe.py", "def f():\n    from ..models.network import Network"),
        ("papers/describe.py", "from .. import models"),
        ("papers/describe.py", "import godeeper"),
        ("data/factory.py", "from ..papers.describe import describe"),
        ("data/factory.py", "import godeeper.train.loop"),
        ("train/loop.py", "from ..explain import cam"),
        ("train/loop.py", "from ..evaluate.classify import evaluate"),
        ("evaluate/classify.py", "from ..deploy.fuse import fuse"),
        ("evaluate/classify.py", "if TYPE_CHECKING:\n    from ..models.network import Network"),
        ("models/network.py", "from ..data.crops import views"),
        ("deploy/predictor.py", "from ..cli.output import print_json"),
        ("deploy/predictor.py", "from .. import __version__"),
        ("explain/page.py", "from ..app.runs import runs"),
        ("errors.py", "from .papers.describe import describe"),
        ("errors.py", "from .cli import main"),
        ("papers/googlenet.py", "from ..notation import Conv"),
        ("errors.py", "from .__main__ import main"),
    ],
)
def test_a_trespasser_is_caught(file, source):
    assert len(trespasses(source, Path("godeeper", file))) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "papers/describe.py",
            "import re\nfrom collections.abc import Mapping\nfrom . import facts\nfrom ..errors import unknown",
        ),
        ("models/network.py", "import torch\nfrom ..papers.notation import Definition"),
        ("train/loop.py", "from ..models.network import Network\nfrom ..data.loader import Batch"),
        ("cli/train.py", "from ..train.loop import train\nfrom . import output"),
        ("__main__.py", "from .cli.main import main"),
        ("__init__.py", "from .models.registry import create_model"),
    ],
)
def test_a_guest_is_let_in(file, source):
    assert trespasses(source, Path("godeeper", file)) == []


@pytest.mark.parametrize(
    "how", ["import godeeper.b", "from .b import x", "def f():\n    from . import b", "class C:\n    from .b import x"]
)
def test_a_planted_circle_is_seen(how):
    planted = {Path("godeeper/a.py"): how, Path("godeeper/b.py"): "from .c import x", Path("godeeper/c.py"): "from . import a"}
    assert set(circle(planted)) == {"godeeper.a", "godeeper.b", "godeeper.c"}


def test_torch_is_seen_where_it_is_imported():
    assert imports_torch("import torch.nn as nn")
    assert imports_torch("from torchvision import models")
    assert not imports_torch("def f():\n    import torch")
    assert not imports_torch("if TYPE_CHECKING:\n    from torch import Tensor")


def test_what_is_imported_for_types_makes_no_circle():
    a = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .b import x"
    assert circle({Path("godeeper/a.py"): a, Path("godeeper/b.py"): "from .a import x"}) == []
