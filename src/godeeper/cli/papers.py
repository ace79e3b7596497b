"""`models`, `describe`, `audit`: the networks as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, get_args

import typer

from ..models.weights.published import PUBLISHED, Published
from ..models.weights.shipped import Shipped, shipped, shipped_of
from ..papers.audit import AUDITED, Finding, Verdict, audit
from ..papers.describe import Description, StageDescription, describe
from ..papers.notation import Definition
from ..papers.printed_errors import PRINTED_ERRORS
from ..papers.registry import DEFINITIONS, definition
from ..workflows.models import spec_of
from .output import Json, print_json, print_table, show


def models_command(
    name: Annotated[str | None, typer.Argument(help="One model, or one network that comes with godeeper.")] = None,
    as_json: Json = False,
) -> None:
    """List the models: parameters, multiply-adds, printed errors, published weights; of one model, all that is known."""
    if name and name in shipped():
        _print_shipped_card(shipped()[name], as_json)
        return
    chosen = list(DEFINITIONS.values()) if name is None else [definition(name)]
    descriptions = {table.name: describe(table) for table in chosen}
    if as_json:
        print_json([_as_json(table, descriptions[table.name]) for table in chosen])
    elif name is not None:
        _print_card(chosen[0], descriptions[name])
    else:
        head = ("name", "parameters", "multiply-adds", "size", "printed errors", "weights")
        rows = [
            (
                d.name, f"{d.parameters:,}", f"{d.multiply_adds / 1e9:.2f} G", d.image_size,
                _errors(d.name), _first(_published(d.name)),
            )
            for d in descriptions.values()
        ]  # fmt: skip
        print_table(head, rows, right=head[1:4])
        show("\nprinted errors: top-1 / top-5 in percent, one model, one crop; sources and all weights: godeeper models NAME")
        _print_shipped(list(shipped().values()))


def _print_card(table: Definition, description: Description) -> None:
    show(f"{table.name}: {table.source}\n")
    print_table(
        (),
        [
            ("parameters", f"{description.parameters:,} ({description.parameters_with_heads:,} with auxiliary heads)"),
            ("multiply-adds", f"{description.multiply_adds:,} at {description.image_size}x{description.image_size}"),
            ("smallest image", f"{description.minimum_size}x{description.minimum_size}"),
            ("layers", f"{description.depth} with parameters, {description.depth_with_pools} with pools"),
            ("auxiliary heads", ", ".join(f"{head} on {aux.on}" for head, aux in table.auxiliary.items()) or "none"),
            ("printed errors", f"{_errors(table.name)}, {PRINTED_ERRORS[table.name][2]}" if _errors(table.name) else "none"),
        ],
    )
    _print_shipped(shipped_of(table.name))
    weights = _published(table.name)
    if not weights:
        show("\nno published weights")
        return
    show()
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
    show("\nerrors as published: " + "; ".join(sorted({w.source for w in weights})))


def _print_shipped(networks: list[Shipped]) -> None:
    """The networks that come with godeeper, if any."""
    if not networks:
        return
    head = ("comes with godeeper", "model", "parameters", "multiply-adds", "size", "classes", "top-1 error", "95 %", "images")
    rows = [
        (
            n.name, n.title, f"{n.parameters:,}", f"{n.multiply_adds / 1e9:.2f} G", n.image_size, len(n.classes["en"]),
            f"{n.top1_error:.2f} %", _interval(n.top1_interval), n.images,
        )
        for n in networks
    ]  # fmt: skip
    show()
    print_table(head, rows, right=head[2:])


def _print_shipped_card(network: Shipped, as_json: bool) -> None:
    """All that is known of a network that comes with godeeper."""
    if as_json:
        print_json(asdict(network))
        return
    crops = "1 crop" if network.crops == 1 else f"{network.crops} crops"
    show(f"{network.name}: comes with godeeper\n")
    print_table(
        (),
        [
            ("model", network.title),
            ("parameters", f"{network.parameters:,}"),
            ("multiply-adds", f"{network.multiply_adds:,} at {network.image_size}x{network.image_size}"),
            ("classes", ", ".join(network.classes["en"])),
            ("", ", ".join(network.classes["zh"])),
            ("tested on", f"{network.images:,} images of {network.data}, {crops}"),
            ("top-1 error", f"{network.top1_error:.2f} % (95 %: {_interval(network.top1_interval)})"),
            ("top-5 error", f"{network.top5_error:.2f} % (95 %: {_interval(network.top5_interval)})"),
            *(("trained by" if key == "train" else "evaluated by", command) for key, command in network.commands.items()),
            ("file", f"{network.file} ({network.file.stat().st_size / 1e6:.2f} MB, half precision)"),
        ],
    )


def _interval(interval: Sequence[float]) -> str:
    return "-".join(f"{bound:.2f}" for bound in interval)


def _as_json(table: Definition, description: Description) -> dict[str, object]:
    top1, top5, where = PRINTED_ERRORS.get(table.name, (None, None, None))
    printed = {"top1_error": top1, "top5_error": top5, "where": where}
    weights = [asdict(weights) for weights in _published(table.name)]
    ours = [asdict(network) for network in shipped_of(table.name)]
    return _totals(description) | {"source": table.source, "printed": printed, "weights": weights, "shipped": ours}


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
    description = describe(spec.definition, spec.preprocess.image_size if image_size is None else image_size)
    if as_json:
        stages = [asdict(stage) for stage in description.stages]
        heads = {key: [asdict(stage) for stage in stages] for key, stages in description.auxiliary.items()}
        print_json(_totals(description) | {"stages": stages, "auxiliary": heads, "spec": spec.as_dict()})
        return
    head = ("name", "kind", "output", "parameters", "multiply-adds", "receptive field")
    rows = [_row(stage) for stage in description.stages]
    rows += [_row(stage, f"{key}.") for key, stages in description.auxiliary.items() for stage in stages]
    print_table(head, rows, right=head[3:])
    show(
        f"\n{description.name} at {description.image_size}x{description.image_size}: {description.parameters:,} parameters"
        f" ({description.parameters_with_heads:,} with auxiliary heads), {description.multiply_adds:,} multiply-adds,"
        f" {description.depth} layers with parameters, {description.depth_with_pools} with pools;"
        f" smallest image {description.minimum_size}x{description.minimum_size}"
    )


def audit_command(
    name: Annotated[str | None, typer.Argument(help="A model's name.")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every model of which a paper prints numbers.")] = False,
    as_json: Json = False,
) -> None:
    """Compare every number that a paper prints with what its table gives."""
    if all_models == (name is not None):
        raise typer.BadParameter("give a model's name, or --all")
    audits = {model: audit(model) for model in (AUDITED if name is None else [name])}
    if as_json:
        print_json({model: [_finding_as_json(finding) for finding in findings] for model, findings in audits.items()})
        return
    for model, findings in audits.items():
        rows = [(finding.where, finding.printed, finding.computed, finding.verdict, finding.note.en) for finding in findings]
        print_table(("where", "printed", "computed", "verdict", "note"), rows, right=("printed", "computed"))
        verdicts = Counter(finding.verdict for finding in findings)
        show(f"\n{model}: {', '.join(f'{verdicts[verdict]} {verdict}' for verdict in get_args(Verdict))}\n")


def _finding_as_json(finding: Finding) -> dict[str, object]:
    return {"where": finding.where} | asdict(finding) | {"note": finding.note.en}


def _row(stage: StageDescription, prefix: str = "") -> tuple[object, ...]:
    channels, height, width = stage.output
    size = f"{height}x{width}x{channels}"
    return prefix + stage.name, stage.kind, size, f"{stage.parameters:,}", f"{stage.multiply_adds:,}", stage.receptive_field


def _totals(description: Description) -> dict[str, object]:
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
    return {name: getattr(description, name) for name in names}


COMMANDS = (models_command, describe_command, audit_command)
