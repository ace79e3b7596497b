"""Who may enter which room: the imports of every file, against the design page."""

import ast
import sys
from pathlib import Path

import pytest

import godeeper

SOURCE = Path(godeeper.__file__).parent
ROOMS = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
FILES = sorted(path.relative_to(SOURCE.parent) for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")

# A room that lists whom it may import may import nobody else here; one that lists whom it may not, everybody else.
MAY = {
    "errors": set(),
    "preprocess": {"errors"},
    "papers": {"errors"},
    "files": set(),
    "labels": {"text"},
    "templating": set(),
    "version": set(),
    "packages": {"errors"},
    "tensor_files": {"errors", "files"},
    "drawing": {"papers", "errors"},
    "models": {"papers", "labels", "errors", "preprocess", "tensor_files"},
}
MAY_NOT = {
    "data": {"models", "train", "evaluate", "detect", "deploy", "drawing", "explain", "app", "claims"},
    "evaluate": {"models", "train", "detect", "app", "claims"},
    "train": {"evaluate", "detect", "deploy", "app", "claims"},
    "detect": {"deploy", "explain", "app", "claims"},
    "deploy": {"serve", "app", "claims"},
    "serve": {"train", "evaluate", "detect", "explain", "app", "claims"},
    "explain": {"app", "claims"},
    "app": {"claims"},
    "claims": {"detect", "deploy", "explain", "app"},
}
WITHOUT_TORCH = {"papers", "drawing", "errors", "preprocess"}  # the standard library only


def imports(source, module):
    """The modules that the file of `module` imports, anywhere in it, by their full names."""
    package = module.split(".") if module.endswith(".__init__") else module.split(".")[:-1]
    package = [part for part in package if part != "__init__"]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def room(module):
    """The room of godeeper that a full name is in; the house itself is `godeeper`; None for others' modules."""
    first, *rest = module.split(".")
    if first != "godeeper":
        return None
    return rest[0] if rest and rest[0] in ROOMS else "godeeper"


def violations(source, module):
    """The imports of a file that the rules forbid."""
    here = room(module)
    for imported in imports(source, module):
        there = room(imported)
        if there is None:
            if here in WITHOUT_TORCH and imported.split(".")[0] not in sys.stdlib_module_names:
                yield f"{module}: {imported} is not in the standard library"
        elif there not in (here, "godeeper") or (there == "godeeper" and here in MAY):
            allowed = there in MAY[here] if here in MAY else there not in MAY_NOT.get(here, set())
            if not allowed or (there == "cli" and here != "__main__"):
                yield f"{module}: {here} may not import {there} ({imported})"


def module_of(file):
    return ".".join(file.with_suffix("").parts)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_keeps_to_its_room(file):
    assert list(violations((SOURCE.parent / file).read_text(), module_of(file))) == []


def test_the_front_door_opens_every_room_but_the_command_line():
    found = list(imports((SOURCE / "__init__.py").read_text(), "godeeper.__init__"))
    assert "godeeper.models.registry.create_model" in found
    lazily = [f"godeeper.{home}" for home in godeeper._HOME.values()]
    assert not any(room(module) == "cli" for module in found + lazily)


def test_the_rooms_are_there():
    assert {"papers", "models", "data", "train", "evaluate", "deploy", "serve", "explain", "claims", "cli", "errors"} <= ROOMS
    assert len(FILES) > 20
    assert "godeeper.papers.facts.Fact" in imports((SOURCE / "papers/audit.py").read_text(), "godeeper.papers.audit")
    assert "godeeper.errors.GodeeperError" in imports((SOURCE / "papers/audit.py").read_text(), "godeeper.papers.audit")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("godeeper.papers.describe", "import torch"),
        ("godeeper.papers.describe", "from numpy import array"),
        ("godeeper.papers.describe", "def f():\n    from ..models.network import Network"),
        ("godeeper.papers.describe", "from .. import models"),
        ("godeeper.papers.__init__", "from ..preprocess import Preprocess"),
        ("godeeper.papers.describe", "import godeeper"),
        ("godeeper.data.dataset", "from ..models import network"),
        ("godeeper.data.dataset", "import godeeper.train.loop"),
        ("godeeper.data.dataset", "from .. import explain"),
        ("godeeper.drawing.draw", "import torch"),
        ("godeeper.drawing.draw", "from ..explain.cam import overlay"),
        ("godeeper.explain.explanation_page", "from ..app.html import table"),
        ("godeeper.app.runs", "from ..claims.figures import figure_png"),
        ("godeeper.claims.rmsprop", "from ..deploy.fuse import fuse"),
        ("godeeper.evaluate.classify", "if TYPE_CHECKING:\n    from ..models.network import Network"),
        ("godeeper.evaluate.classify", "from godeeper.train import loop"),
        ("godeeper.train.loop", "from ..evaluate.classify import evaluate"),
        ("godeeper.train.loop", "from ..deploy import predictor"),
        ("godeeper.train.task", "from ..detect.faster_rcnn_task import Detection"),
        ("godeeper.data.voc", "from ..detect.iou import box_iou"),
        ("godeeper.detect.rcnn", "from ..explain.draw_detections import draw_detections"),
        ("godeeper.models.network", "from ..data.crops import views"),
        ("godeeper.models.network", "from ..train.loss import Objective"),
        ("godeeper.deploy.predictor", "from ..cli.output import print_json"),
        ("godeeper.deploy.predictor", "from ..serve.server import serve"),
        ("godeeper.errors", "from .cli import main"),
        ("godeeper.preprocess", "import torch"),
    ],
)
def test_a_trespasser_is_caught(module, source):
    assert len(list(violations(source, module))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("godeeper.papers.describe", "import re\nfrom collections.abc import Mapping\nfrom . import facts"),
        ("godeeper.papers.describe", "from ..errors import GodeeperError"),
        ("godeeper.papers.__init__", "from .describe import describe"),
        ("godeeper.models.network", "import torch\nfrom ..papers.shape import FeatureShape\nfrom ..preprocess import Preprocess"),
        ("godeeper.train.loop", "from ..models.network import Network\nfrom ..data.loader import Batch"),
        ("godeeper.evaluate.classify", "import torch\nfrom ..data.dataset import Images"),
        ("godeeper.cli.train", "from ..train.loop import train\nfrom ..version import __version__\nfrom . import output"),
        ("godeeper.__main__", "from .cli.main import main"),
    ],
)
def test_a_guest_is_let_in(module, source):
    assert list(violations(source, module)) == []
