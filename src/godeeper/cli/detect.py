"""`detect`: the commands about objects in images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .detect_evaluate import coverage_command, evaluate_command
from .detect_predict import predict_command
from .detect_train import train_command
from .output import Json, print_json, print_table

app = typer.Typer(help="Find objects: Faster R-CNN on any network, and R-CNN as the GoogLeNet paper did it.")
app.command("train")(train_command)
app.command("evaluate")(evaluate_command)
app.command("predict")(predict_command)
app.command("coverage")(coverage_command)


@app.command("tables")
def tables_command(
    results: Annotated[list[Path] | None, typer.Argument(help="What `godeeper detect evaluate --json` printed.")] = None,
    as_json: Json = False,
) -> None:
    """Print the GoogLeNet paper's tables of detection, with results of yours, on whatever data, beside them."""
    from ..detect.paper_tables import HEAD, paper_rows

    rows = paper_rows(results or [])
    if as_json:
        print_json([dict(zip(HEAD, row, strict=True)) for row in rows])
    else:
        print_table(HEAD, rows, right=("mAP",))


@app.command("export")
def export_command(
    run: Annotated[str, typer.Argument(help="A Faster R-CNN's run or weights file.")],
    out: Annotated[Path, typer.Option(help="The file: .onnx or .xml (OpenVINO).")],
    images: Annotated[Path | None, typer.Option(help="A folder of photographs to check the file on.")] = None,
    as_json: Json = False,
) -> None:
    """Write a Faster R-CNN for another engine, and check the file against it on photographs."""
    from dataclasses import asdict

    from ..workflows.exporting import export_detector

    report = export_detector(run, out, images=images)
    if as_json:
        print_json({**asdict(report), "file": str(report.file)})
        return
    check = report.check
    print_table((), [
        ("written", str(report.file)),
        ("size", f"{report.size / 1e6:.1f} MB"),
        ("checked with", f"{check['engine']}, on {check['images']} images"),
        ("same detections", f"{check['same']} of {check['detections']}"),
    ])  # fmt: skip
