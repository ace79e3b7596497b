"""What evaluations print and write."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import print_json, print_table
from .panel import class_names

if TYPE_CHECKING:
    from ..data.sources import Pictures, Source
    from ..evaluate.classify import Evaluation


def tell(
    found: Evaluation, about: dict[str, Any], source: Source | None, pictures: Pictures | None, report: Path | None,
    as_json: bool, subsets: Sequence[dict[str, Any]] = (),
) -> None:  # fmt: skip
    """Prints an evaluation, and writes its report."""
    document = found.as_dict() | about | ({"subsets": list(subsets)} if subsets else {})
    for reason in found.skipped:
        print(f"skipped {reason}", file=sys.stderr)
    if report is not None and source is not None and pictures is not None:
        from ..evaluate.report import write_report

        write_report(report, document, found, class_names(source.classes), pictures)
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
    print(f"\n{about['part']} pictures of {about['data']}: {about['split']}", file=sys.stderr)


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
