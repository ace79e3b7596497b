"""`evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .evaluation_output import print_evaluation
from .model_option import Preparation, prepared
from .output import Json, Language
from .progress import progress_bar

Blacklist = Annotated[Path | None, typer.Option(help="Of ILSVRC's images, leave out those that this file lists.")]
ReportFolder = Annotated[
    Path | None, typer.Option("--report", help="Write report.html, report.md and result.json into this folder.")
]


def evaluate_command(
    runs: Annotated[
        list[str],
        typer.Argument(help="Run folders, weights files, published names, torchvision:NAME, timm:NAME; several: an ensemble."),
    ],
    data: Annotated[
        str, typer.Option(help="`digits`, a class folder, cifar10 ..., hf:OWNER/NAME, wds:SHARDS, ilsvrc:VAL[,KIT].")
    ],
    crops: Annotated[int, typer.Option(help="Crops of an image: 1, 6, 10, 12 or 144.")] = 1,
    average: Annotated[Literal["softmax", "logits", "max"], typer.Option(help="What is averaged over crops.")] = "softmax",
    split: Annotated[Literal["test", "train", "all"], typer.Option(help="Which images of the data.")] = "test",
    preprocess: Preparation = None,
    skip_blacklisted: Blacklist = None,
    save: Annotated[Path | None, typer.Option(help="Keep the probabilities in this file, for `godeeper ensemble`.")] = None,
    report: ReportFolder = None,
    lang: Language = "en",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted evaluation in --report.")] = False,
    batch_size: Annotated[int | None, typer.Option(min=1, max=10**6, help="Crops a pass; by default by the machine.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, max=999, help="Processes that decode; by default by machine.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a torchvision set that is not here yet.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out and count images that cannot be decoded.")] = False,
    as_json: Json = False,
) -> None:
    """Count the top-1 and top-5 errors of a model, or of several and of their averaged probabilities."""
    from ..workflows.evaluation import evaluate

    with progress_bar() as on_progress:
        result = evaluate(
            [prepared(run, preprocess) for run in runs], data, crops=crops, average=average, split=split,
            skip_blacklisted=skip_blacklisted, save=save, report=report, lang=lang, resume=resume,
            batch_size=batch_size, workers=workers, download=download, skip_bad=skip_bad, on_progress=on_progress,
        )  # fmt: skip
    if result.is_main:
        print_evaluation(result, as_json)


COMMANDS = (evaluate_command,)
