"""`models`, `describe`, `audit`: what needs the papers' tables only, and no torch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ..papers.audit import OTHER_READING, audit
from ..papers.describe import Description, Line, describe
from ..papers.registry import DEFINITIONS, definition
from .output import Json, print_json, print_table


def models_command(name: Annotated[str | None, typer.Argument(help="One model only.")] = None, as_json: Json = False) -> None:
    """List the models, with their parameters and multiply-adds."""
    chosen = [definition(name)] if name else list(DEFINITIONS.values())
    described = {table.name: describe(table) for table in chosen}
    if as_json:
        print_json([_totals(described[table.name]) | {"source": table.source} for table in chosen])
        return
    rows = [
        (t.name, f"{d.parameters:,}", f"{d.multiply_adds / 1e9:.2f} G", d.image_size, t.source)
        for t, d in ((table, described[table.name]) for table in chosen)
    ]
    print_table(("name", "parameters", "multiply-adds", "size", "source"), rows, right=("parameters", "multiply-adds", "size"))


def describe_command(
    name: Annotated[str, typer.Argument(help="A model's name.")],
    image_size: Annotated[int | None, typer.Option(help="Side of the picture in pixels; by default the paper's.")] = None,
    as_json: Json = False,
) -> None:
    """Show every stage of a model: output, parameters, multiply-adds, receptive field."""
    described = describe(name, image_size)
    if as_json:
        lines = {"lines": [asdict(line) for line in described.lines]}
        heads = {key: [asdict(line) for line in lines] for key, lines in described.auxiliary.items()}
        print_json(_totals(described) | lines | {"auxiliary": heads})
        return
    head = ("name", "kind", "output", "parameters", "multiply-adds", "receptive field")
    rows = [_row(line) for line in described.lines]
    rows += [_row(line, f"{key}.") for key, lines in described.auxiliary.items() for line in lines]
    print_table(head, rows, right=head[3:])
    print(
        f"\n{described.name} at {described.image_size}x{described.image_size}: {described.parameters:,} parameters"
        f" ({described.parameters_with_heads:,} with auxiliary heads), {described.multiply_adds:,} multiply-adds,"
        f" {described.depth} layers with parameters, {described.depth_with_pools} with pools;"
        f" smallest picture {described.minimum_size}x{described.minimum_size}"
    )


def audit_command(
    name: Annotated[str | None, typer.Argument(help="A model's name.")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every model of which a paper prints numbers.")] = False,
    as_json: Json = False,
) -> None:
    """Hold every number that a paper prints against what its table gives."""
    if all_models == (name is not None):
        raise typer.BadParameter("give a model's name, or --all")
    findings = {model: audit(model) for model in (OTHER_READING if name is None else [name])}
    if as_json:
        print_json({model: [asdict(finding) for finding in found] for model, found in findings.items()})
        return
    for model, found in findings.items():
        rows = [(f.where, f.printed, f.computed, f.verdict, f.note) for f in found]
        print_table(("where", "printed", "computed", "verdict", "note"), rows, right=("printed", "computed"))
        counts = {verdict: sum(f.verdict == verdict for f in found) for verdict in ("reproduced", "erratum", "unexplained")}
        print(f"\n{model}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + "\n")


def _row(line: Line, prefix: str = "") -> tuple[object, ...]:
    channels, height, width = line.output
    size = f"{height}x{width}x{channels}"
    return prefix + line.name, line.kind, size, f"{line.parameters:,}", f"{line.multiply_adds:,}", line.receptive_field


def _totals(described: Description) -> dict[str, object]:
    names = (
        "name",
        "image_size",
        "minimum_size",
        "parameters",
        "parameters_with_heads",
        "multiply_adds",
        "depth",
        "depth_with_pools",
    )
    return {name: getattr(described, name) for name in names}


COMMANDS = (models_command, describe_command, audit_command)
