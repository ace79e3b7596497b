"""The fourth tab: the run folders below a folder, their curves and their recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from ..data.description import description_text
from ..errors import GodeeperError
from ..files import is_text
from ..papers.serialize import definition_from_dict
from ..train.curves import TESTED, draw_curves
from ..train.run import RunFolder
from .app_texts import AppLang, text
from .fragments import fragment, note

DEPTH = 3  # levels of folders searched
MAX_RUNS = 50  # the newest
FACTS = ("run", "model", "data", "optimizer")
SETTINGS = ("batch_size", "lr")


def find_runs(folder: Path) -> list[str]:
    """The run folders below a folder, the newest first, by their paths from there; those that are no UTF-8 no browser shows."""
    if not folder.is_dir():
        return []
    times: dict[str, float] = {}
    for depth in range(1, DEPTH + 1):
        for file in folder.glob("/".join(["*"] * depth) + "/metrics.jsonl"):
            name = file.parent.relative_to(folder).as_posix()
            with suppress(OSError):  # it went meanwhile, or is a link to nowhere
                if is_text(name):
                    times[name] = file.stat().st_mtime
    return sorted(times, key=lambda name: -times[name])[:MAX_RUNS]


def curves(folder: Path, chosen: Sequence[str], lang: AppLang) -> str:
    """The curves of the chosen runs and a row for each; names that are not among `find_runs` are ignored."""
    known = find_runs(folder)
    if not known:
        return note(text("no_runs", lang, folder=folder))
    names = [name for name in chosen if name in known]
    if not names:
        return note(text("choose_one", lang))
    records = {name: _records(folder / name) for name in names}
    metrics = {name: lines for name, lines in records.items() if lines}
    unreadable = [name for name in names if not records[name]]
    chart, problem = _chart(metrics)
    tested = [name for name in TESTED if any(name in lines[-1] for lines in metrics.values())]
    rows = [_row(folder / name, name, lines, tested) for name, lines in metrics.items()]
    titles = [text(key, lang) for key in (*FACTS, *SETTINGS, "epochs", "loss", *tested, "seconds")]
    return fragment(
        "runs.html", lang, unreadable=unreadable, chart=chart, problem=problem, titles=titles, rows=rows, texts=len(FACTS)
    )


def _records(run: Path) -> list[dict[str, Any]]:
    """The metrics of a run; none where they cannot be read, as the run went meanwhile."""
    try:
        return RunFolder(run).metrics()
    except (GodeeperError, OSError):
        return []


def _chart(metrics: Mapping[str, Sequence[dict[str, Any]]]) -> tuple[bytes | None, str]:
    """The curves as a PNG, or why there are none."""
    if not metrics:
        return None, ""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "curves.png"
        try:
            draw_curves(metrics, file)
        except GodeeperError as error:
            return None, str(error)
        return file.read_bytes(), ""


def _row(run: Path, name: str, records: Sequence[dict[str, Any]], tested: Sequence[str]) -> list[object]:
    """A run: its model, data and recipe, and the metrics of its last epoch."""
    model, data, recipe = _description(run)
    last = records[-1]
    seconds = [record["seconds"] for record in records if isinstance(record.get("seconds"), float | int)]
    settings = [recipe.get(key, "") for key in ("optimizer", *SETTINGS)]
    results = [f"{last[key]:.2f}" if isinstance(last.get(key), float | int) else "" for key in tested]
    pace = f"{median(seconds):.1f}" if seconds else ""
    return [name, model, data, *settings, last["epoch"], f"{last['loss']:.3f}", *results, pace]


def _description(run: Path) -> tuple[str, str, Mapping[str, Any]]:
    """The title of a run's model, its data and its recipe; empty if its description is damaged."""
    try:
        description = RunFolder(run).read()
        spec = description["spec"].get("model", description["spec"])  # a detector's spec contains its classifier's
        model = definition_from_dict(spec.get("definition")).title
    except (GodeeperError, OSError, AttributeError):
        return "", "", {}
    options = description.get("options")
    images = description.get("images")  # a run from Python has no options
    data = options.get("data") if isinstance(options, dict) else description_text(images) if isinstance(images, dict) else images
    return model, str(data or ""), description["recipe"]
