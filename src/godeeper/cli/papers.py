"""`models`, `describe`, `audit`: what needs the papers' tables only, and no torch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ..models.weights.published import PUBLISHED, Published
from ..papers.audit import AUDITED, audit
from ..papers.describe import Description, StageDescription, describe
from ..papers.facts import PRINTED_ERRORS
from ..papers.notation import Definition
from ..papers.registry import DEFINITIONS, definition
from ..workflows.models import spec_of
from .output import Json, print_json, print_table


def models_command(name: Annotated[str | None, typer.Argument(help="One model's card.")] = None, as_json: Json = False) -> None:
    """List the models: parameters, multiply-adds, printed errors, published weights; of one model, all that is known."""
    chosen = [definition(name)] if name else list(DEFINITIONS.values())
    described = {table.name: describe(table) for table in chosen}
    if as_json:
        documents = [_document(table, described[table.name]) for table in chosen]
        print_json(documents)
    elif name:
        _print_card(chosen[0], described[name])
    else:
        head = ("name", "parameters", "multiply-adds", "size", "printed errors", "weights")
        rows = [
            (
                d.name, f"{d.parameters:,}", f"{d.multiply_adds / 1e9:.2f} G", d.image_size,
                _errors(d.name), _first(_published(d.name)),
            )
            for d in described.values()
        ]  # fmt: skip
        print_table(head, rows, right=head[1:4])
        print("\nprinted errors: top-1 / top-5 in percent, one model, one crop; sources and all weights: godeeper models NAME")


def _print_card(table: Definition, described: Description) -> None:
    print(f"{table.name}: {table.source}\n")
    print_table(
        (),
        [
            ("parameters", f"{described.parameters:,} ({described.parameters_with_heads:,} with auxiliary heads)"),
            ("multiply-adds", f"{described.multiply_adds:,} at {described.image_size}x{described.image_size}"),
            ("smallest image", f"{described.minimum_size}x{described.minimum_size}"),
            ("layers", f"{described.depth} with parameters, {described.depth_with_pools} with pools"),
            ("auxiliary heads", ", ".join(f"{head} on {aux.on}" for head, aux in table.auxiliary.items()) or "none"),
            ("printed errors", f"{_errors(table.name)}, {PRINTED_ERRORS[table.name][2]}" if _errors(table.name) else "none"),
        ],
    )
    weights = _published(table.name)
    if not weights:
        print("\nno published weights")
        return
    print()
    rows = [
        (
            w.name, w.classes, *(f"{100 - a:.2f} %" if a else "" for a in (w.top1_accuracy, w.top5_accuracy)),
            f"{w.preprocess.image_size} of {w.preprocess.resize.shorter_side}, {w.preprocess.resize.interpolation}",
            w.licence, w.url,
        )
        for w in weights
    ]  # fmt: skip
    head = ("weights", "classes", "top-1 error", "top-5 error", "images", "licence", "from")
    print_table(head, rows, right=head[1:4])
    print("\nerrors as published: " + "; ".join(sorted({w.source for w in weights})))


def _document(table: Definition, described: Description) -> dict[str, object]:
    top1, top5, where = PRINTED_ERRORS.get(table.name, (None, None, None))
    printed = {"top1_error": top1, "top5_error": top5, "where": where}
    weights = [asdict(weights) for weights in _published(table.name)]
    return _totals(described) | {"source": table.source, "printed": printed, "weights": weights}


def _published(name: str) -> list[Published]:
    return [weights for weights in PUBLISHED.values() if weights.architecture == name]


def _first(weights: list[Published]) -> str:
    return "" if not weights else weights[0].name + (f" +{len(weights) - 1}" if len(weights) > 1 else "")


def _errors(name: str) -> str:
    if name not in PRINTED_ERRORS:
        return ""
    top1, top5, _ = PRINTED_ERRORS[name]
    return f"{'-' if top1 is None else top1} / {top5}"


def describe_command(
    model: Annotated[str, typer.Argument(help="A model's name, a run, or a SPEC.json.")],
    image_size: Annotated[int | None, typer.Option(help="Side of the image in pixels; by default the model's own.")] = None,
    as_json: Json = False,
) -> None:
    """Show every stage of a model: output, parameters, multiply-adds, receptive field; with --json, its spec too.

    What --json prints is a SPEC.json: edit its table, and train it with --model.
    """
    spec = spec_of(model)
    described = describe(spec.definition, image_size or spec.preprocess.image_size)
    if as_json:
        stages = [asdict(stage) for stage in described.stages]
        heads = {key: [asdict(stage) for stage in stages] for key, stages in described.auxiliary.items()}
        print_json(_totals(described) | {"stages": stages, "auxiliary": heads, "spec": spec.as_dict()})
        return
    head = ("name", "kind", "output", "parameters", "multiply-adds", "receptive field")
    rows = [_row(stage) for stage in described.stages]
    rows += [_row(stage, f"{key}.") for key, stages in described.auxiliary.items() for stage in stages]
    print_table(head, rows, right=head[3:])
    print(
        f"\n{described.name} at {described.image_size}x{described.image_size}: {described.parameters:,} parameters"
        f" ({described.parameters_with_heads:,} with auxiliary heads), {described.multiply_adds:,} multiply-adds,"
        f" {described.depth} layers with parameters, {described.depth_with_pools} with pools;"
        f" smallest image {described.minimum_size}x{described.minimum_size}"
    )


def audit_command(
    name: Annotated[str | None, typer.Argument(help="A model's name.")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every model of which a paper prints numbers.")] = False,
    as_json: Json = False,
) -> None:
    """Hold every number that a paper prints against what its table gives."""
    if all_models == (name is not None):
        raise typer.BadParameter("give a model's name, or --all")
    findings = {model: audit(model) for model in (AUDITED if name is None else [name])}
    if as_json:
        print_json({model: [asdict(finding) for finding in found] for model, found in findings.items()})
        return
    for model, found in findings.items():
        rows = [(f.where, f.printed, f.computed, f.verdict, f.note) for f in found]
        print_table(("where", "printed", "computed", "verdict", "note"), rows, right=("printed", "computed"))
        counts = {verdict: sum(f.verdict == verdict for f in found) for verdict in ("reproduced", "erratum", "unexplained")}
        print(f"\n{model}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + "\n")


def _row(stage: StageDescription, prefix: str = "") -> tuple[object, ...]:
    channels, height, width = stage.output
    size = f"{height}x{width}x{channels}"
    return prefix + stage.name, stage.kind, size, f"{stage.parameters:,}", f"{stage.multiply_adds:,}", stage.receptive_field


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
