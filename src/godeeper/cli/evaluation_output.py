"""An evaluation on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .output import print_json, print_table, show

if TYPE_CHECKING:
    from ..workflows.evaluation import EvaluateResult


def print_evaluation(result: EvaluateResult, as_json: bool) -> None:
    """The errors of every model and of all together, as a table or as one JSON document."""
    for reason in result.evaluation.skipped:
        show(f"skipped {reason}", err=True)
    if result.report is not None:
        show(f"report: {result.report / 'report.html'}", err=True)
    values = result.as_dict()
    if as_json:
        print_json(values)
        return
    _print_errors(values)
    if result.subsets:
        show()
        rows = [
            (
                len(subset["models"]),
                f"{subset['top1_error']:.2f} %",
                f"{subset['top5_error']:.2f} %",
                " + ".join(subset["models"]),
            )
            for subset in result.subsets
        ]
        print_table(("size", "top-1 error", "top-5 error", "models"), rows, right=("size", "top-1 error", "top-5 error"))
    show(f"\n{values['split']} images of {values['data']}: {values['split_note']}", err=True)


def _print_errors(values: dict[str, Any]) -> None:
    head = ("model", "crops", "images", "top-1 error", "95 %", "top-5 error", "95 %", "skipped")
    rows = [(member["model"], member) for member in values["members"]]
    if len(rows) > 1:
        rows.append(("all together", values))
    lines = []
    for name, errors in rows:
        cells = []
        for top in ("top1", "top5"):
            low, high = errors[f"{top}_interval"]
            cells += [f"{errors[f'{top}_error']:.2f} %", f"{low:.2f}-{high:.2f}"]
        lines.append((name, values["crops"], errors["images"], *cells, len(values["skipped"])))
    print_table(head, lines, right=head[1:])
