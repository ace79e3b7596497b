"""What a run is asked to do, kept in its folder, so that a resumed run does the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..destinations import check_output
from ..errors import GodeeperError, unknown
from ..fields import flag, number, only, quoted
from ..train.recipe import TrainConfig
from ..train.run import RECIPE_FILE, RunFolder

Config = TypeVar("Config", bound=TrainConfig)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Plan(Generic[Config]):
    """The options and the recipe of a run.

    `command` is the one that resumes it, as "train"; `saved` is what a run that goes on says of itself, empty for a new one.
    """

    command: str
    options: Mapping[str, Any]
    recipe: Config
    saved: Mapping[str, Any] = field(default_factory=dict)

    @property
    def resumes(self) -> bool:
        """Whether the run goes on."""
        return bool(self.saved)

    def notes(self) -> dict[str, Any]:
        """What the run's description keeps, for `resumed_plan`."""
        return {"command": self.command, "options": dict(self.options)}


def new_plan(
    command: str, options: Mapping[str, Any], defaults: Mapping[str, Any], recipe: Config, overrides: Sequence[str]
) -> Plan[Config]:
    """The plan of a new run: options that are None take their default. GodeeperError for a missing one and a bad override."""
    chosen = {name: defaults.get(name) if value is None else value for name, value in options.items()}
    for name in ("model", "data"):
        if chosen[name] is None:
            raise GodeeperError(f"--{name} is needed (or --resume, to go on with a run)")
    return Plan(command, chosen, recipe.with_overrides(overrides))


def resumed_plan(
    out: Path,
    command: str,
    recipes: Mapping[str, type[Config]],
    options: Mapping[str, Any],
    defaults: Mapping[str, Any],
    overrides: Sequence[str],
) -> Plan[Config]:
    """The plan of the run in `out`; `recipes` are the kinds of recipe by the run's `method`, "" where it has none.

    GodeeperError for a run of another command or made by a script, and for an option or override that says otherwise.
    """
    saved = RunFolder(out).read()
    if "command" not in saved:
        raise GodeeperError(f"the run in {str(out)!r} was made from Python: go on with it there, by train(..., resume=True)")
    if saved["command"] != command:
        raise GodeeperError(f"the run in {str(out)!r} goes on by `godeeper {saved['command']} --resume --out {out}`")
    kept = read_saved(out, lambda kept: _sound_options(kept, options, defaults, recipes), saved.get("options"))
    for name, value in options.items():
        if value is not None and value != kept[name]:
            raise GodeeperError(
                f"--{name} {value} differs from {kept[name]!r} of the run in {str(out)!r}: leave it out to resume"
            )
    recipe = read_saved(out, recipes[kept.get("method", "")].from_dict, saved["recipe"])
    if recipe.with_overrides(overrides) != recipe:
        raise GodeeperError(f"the run in {str(out)!r} keeps the recipe it began with: leave --set and the like out to resume")
    return Plan(command, kept, recipe, saved)


def read_saved(out: Path, read: Callable[[Any], Value], value: Any) -> Value:
    """`read(value)`, of the description of the run in `out`; GodeeperError, naming the file, where the value is damaged."""
    try:
        return read(value)
    except GodeeperError as error:
        raise GodeeperError(f"'{out / RECIPE_FILE}' is damaged ({error}): mend it, or begin again with another --out") from None


def _sound_options(kept: Any, names: Iterable[str], defaults: Mapping[str, Any], recipes: Collection[str]) -> dict[str, Any]:
    """Options of a run, which somebody may have edited: each is of its default's type; else a text, or nothing but for model and
    data.
    """
    options = only("the options", kept, names)
    for name, value in options.items():
        default = defaults.get(name, "" if name in ("model", "data") else None)
        if isinstance(default, float):
            number(f"options: {name}", value)
        elif isinstance(default, bool):
            flag(f"options: {name}", value)
        elif not isinstance(value, str) and (value is not None or default is not None):
            raise GodeeperError(f"options: {name} is {quoted(value)}: it must be a text")
    if options.get("method", "") not in recipes:
        raise unknown("method", options["method"], recipes)
    return options


def check_run_folder(out: Path, data: str, resumes: bool) -> None:
    """GodeeperError unless a run may lie there: in a folder of its own, not among the images, where its own would be classes."""
    if not resumes:
        check_output(out, "--out")
    if Path(data).is_dir() and Path(data).resolve() in (out.resolve(), *out.resolve().parents):
        raise GodeeperError(f"--out {str(out)!r} lies in the data {data!r}: choose a folder outside it")
