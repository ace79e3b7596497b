"""`detect`: the commands about objects in images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .detect_find import Data, Split, evaluate_command, percent, predict_command
from .detect_train import train_command
from .output import Json, print_json, print_table
from .proposing import Multibox, Superpixels, proposals_of, proposer_of

app = typer.Typer(help="Find objects: Faster R-CNN on any network, and R-CNN as the 2014 paper did it.")
app.command("train")(train_command)
app.command("evaluate")(evaluate_command)
app.command("predict")(predict_command)


@app.command("coverage")
def coverage_command(
    data: Data,
    split: Split = "test",
    superpixels: Superpixels = None,
    multibox: Multibox = None,
    workers: Annotated[int, typer.Option(min=0, max=999, help="Processes that propose regions.")] = 1,
    as_json: Json = False,
) -> None:
    """Count how many objects the proposals cover, at a Jaccard overlap of 0.5."""
    from ..data.open_annotations import open_annotations
    from ..detect.proposals import coverage

    images = open_annotations(data, split)
    proposer = proposer_of(2.0 if superpixels is None else superpixels, multibox)
    found = coverage(proposals_of(proposer, images, workers), images.objects)
    if as_json:
        percents = found.percent if found.objects else None
        print_json({"images": len(images), "objects": found.objects, "coverage": percents, "proposals": found.proposals})
        return
    print_table(("images", "objects", "covered", "proposals an image"), [
        (len(images), found.objects, percent(found.percent), f"{found.proposals:.0f}"),
    ])  # fmt: skip


@app.command("tables")
def tables_command(
    results: Annotated[list[Path] | None, typer.Argument(help="What `godeeper detect evaluate --json` printed.")] = None,
    as_json: Json = False,
) -> None:
    """Print the 2014 paper's tables of detection, with results of yours, on whatever data, beside them."""
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

    from ..deploy.detector_export import export_detector

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
