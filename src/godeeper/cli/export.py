"""`export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .model_option import Preparation, prepared
from .output import Json, print_json, print_table


def export_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name.")],
    out: Annotated[Path, typer.Option(help="The file: .onnx, .xml (OpenVINO), .pt2 (torch.export) or .pte (ExecuTorch).")],
    precision: Annotated[str, typer.Option(help="fp32 or int8.")] = "fp32",
    images: Annotated[
        Path | None, typer.Option(help="A folder of photographs to check the file on; int8 is calibrated on half of them.")
    ] = None,
    preprocess: Preparation = None,
    with_preprocessing: Annotated[bool, typer.Option(help="Images in, probabilities out (.onnx).")] = False,
    max_drop: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of images that int8 or preprocessing may answer otherwise.")
    ] = 1.0,
    as_json: Json = False,
) -> None:
    """Write a network for another engine, and check the file against the network on photographs."""
    from ..workflows.exporting import export

    report = export(
        prepared(run, preprocess),
        out,
        precision=precision,  # type: ignore[arg-type]
        images=images,
        with_preprocessing=with_preprocessing,
        max_drop=max_drop,
    )
    if as_json:
        print_json({**asdict(report), "file": str(report.file)})
        return
    check = report.check
    rows = [
        ("written", str(report.file)),
        ("size", f"{report.size / 1e6:.1f} MB"),
        ("parameters", f"{report.parameters:,}"),
        ("multiply-adds", f"{report.multiply_adds:,}"),
        ("checked with", f"{check['engine']}, on {check['images']} {'held-out ' if precision == 'int8' else ''}images"),
        ("same top-1", f"{check['same_top1']} of {check['images']}"),
        ("probabilities", f"at most {check['largest_shift']:.1e} away, top-1's {check['mean_shift_of_top1']:.1e} in the mean"),
    ]
    if report.memory:
        weights, running = report.memory["weights"], report.memory["running"]
        rows.append(("memory", f"{running / 1e6:.1f} MB at least, {weights / 1e6:.1f} of them weights"))
        slow = report.memory["slow_operators"]
        rows += [("without XNNPACK", ", ".join(slow))] if slow else []
    print_table((), rows)


COMMANDS = (export_command,)
