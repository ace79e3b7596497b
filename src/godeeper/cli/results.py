"""What evaluations print and write, and where they may."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GodeeperError
from ..labels import Lang, named
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..data.sources import ImageDataset, Source
    from ..evaluate.classify import Evaluation


# What a report's folder may hold before the report is whole.
OURS = {"partial", "report.html", "report.md", "calibration.png", "crops.png", "mistakes"}


def check_outputs(save: Path | None, report: Path | None, resume: bool) -> None:
    """GodeeperError, before any work is done, unless the results can be written without overwriting others."""
    if resume and report is None:
        raise GodeeperError("--resume needs the --report folder of the interrupted evaluation")
    resuming = resume and report is not None and (report / "partial").is_dir()
    if save is not None:
        if save.suffix != ".safetensors":
            raise GodeeperError(f"--save {str(save)!r}: name a .safetensors file")
        if not save.parent.is_dir():
            raise GodeeperError(f"--save {str(save)!r}: there is no folder {str(save.parent)!r}")
        if save.exists() and not resuming:  # else it is that evaluation's own
            raise GodeeperError(f"--save {str(save)!r} is there already: name another file")
        _check_writable(save)
    if report is not None:
        _check_report(report, resuming)


def _check_report(report: Path, resuming: bool) -> None:
    if str(report) == ".":  # also what an empty name means
        raise GodeeperError("--report needs a folder of its own: name one")
    if report.exists() and not report.is_dir():
        raise GodeeperError(f"--report {str(report)!r} is a file: name a folder")
    found = {entry.name for entry in report.iterdir()} if report.is_dir() else set()
    if "result.json" in found:
        raise GodeeperError(f"--report {str(report)!r} holds a report already: name another folder")
    if found and not (resuming and found <= OURS) and found != {"partial"}:  # of which the journal says what to do
        raise GodeeperError(f"--report {str(report)!r} is not empty: it holds {min(found - {'partial'})!r}; name another folder")
    if find_spec("matplotlib") is None:
        raise GodeeperError("a report's charts need matplotlib: pip install 'godeeper[demo]'")


def _check_writable(file: Path) -> None:
    trial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise GodeeperError(f"cannot write {str(file)!r}: {error.strerror}") from None


def tell(
    found: Evaluation, about: dict[str, Any], source: Source | None, images: ImageDataset | None, report: Path | None,
    lang: Lang, as_json: bool, subsets: Sequence[dict[str, Any]] = (),
) -> None:  # fmt: skip
    """Prints an evaluation, and writes its report, which names classes in `lang`."""
    document = found.as_dict() | about | ({"subsets": list(subsets)} if subsets else {})
    for reason in found.skipped:
        print(f"skipped {reason}", file=sys.stderr)
    if report is not None and source is not None and images is not None:
        from ..evaluate.report import write_report

        write_report(report, document, found, named(source.classes, lang), images)
        print(f"report: {report / 'report.html'}", file=sys.stderr)
    if as_json:
        print_json(document)
        return
    _print_errors(document)
    if subsets:
        print()
        lines = [
            (len(one["models"]), f"{one['top1_error']:.2f} %", f"{one['top5_error']:.2f} %", " + ".join(one["models"]))
            for one in subsets
        ]
        print_table(("size", "top-1 error", "top-5 error", "models"), lines, right=("size", "top-1 error", "top-5 error"))
    print(f"\n{about['part']} images of {about['data']}: {about['split']}", file=sys.stderr)


def _print_errors(document: dict[str, Any]) -> None:
    head = ("model", "crops", "images", "top-1 error", "95 %", "top-5 error", "95 %", "skipped")
    members = [(one["model"], one) for one in document["members"]]
    lines = []
    for name, one in [*members, *([("all together", document)] if len(members) > 1 else [])]:
        errors = []
        for number in (1, 5):
            low, high = one[f"top{number}_interval"]
            errors += [f"{one[f'top{number}_error']:.2f} %", f"{low:.2f}-{high:.2f}"]
        lines.append((name, document["crops"], one["images"], *errors, len(document["skipped"])))
    print_table(head, lines, right=head[1:])
