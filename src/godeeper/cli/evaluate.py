"""`evaluate`."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from ..errors import GodeeperError
from .output import Json, print_json, print_table


def evaluate_command(
    run: Annotated[str, typer.Argument(help="A run folder, weights file or published name (see `godeeper models`).")],
    data: Annotated[str, typer.Option(help="`digits`, a class folder, cifar10 ..., hf:OWNER/NAME, wds:SHARDS.")],
    crops: Annotated[int, typer.Option(help="Views a picture: 1, 10 or 144.")] = 1,
    part: Annotated[Literal["test", "train", "all"], typer.Option(help="Which pictures of the data.")] = "test",
    batch_size: Annotated[int, typer.Option(min=1, help="Views at a time.")] = 128,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that decode; by default by the machine.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a torchvision set that is not here yet.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out and count pictures that cannot be decoded.")] = False,
    as_json: Json = False,
) -> None:
    """Count the top-1 and top-5 errors of a model."""
    import torch
    from accelerate import PartialState

    from ..data.crops import check_scheme
    from ..data.loader import default_workers
    from ..data.sources import open_source
    from ..evaluate.classify import evaluate
    from ..models.network import to_device
    from ..models.weights import load
    from .progress import counting

    check_scheme(crops)
    network = load(run)
    source = open_source(data, network.classes, download=download)
    workers = default_workers(data) if workers is None else workers
    if len(source.classes) != network.num_classes:
        raise GodeeperError(f"{str(run)!r} has {network.num_classes} classes without names, {data!r} has {len(source.classes)}")
    pictures = source.part(part)
    processes = PartialState(
        cpu=not torch.accelerator.is_available()
    )  # under torchrun, several, which share the pictures; the first one reports
    device = processes.device
    with counting("evaluating", len(pictures), show=processes.is_main_process) as progress:
        result = evaluate(
            to_device(network, device), pictures, network.preprocess, crops=crops, batch_size=batch_size, workers=workers,
            skip_bad=skip_bad, device=device, progress=progress,
        )  # fmt: skip
    if not processes.is_main_process:
        return
    for reason in result.skipped:
        print(f"skipped {reason}", file=sys.stderr)
    if as_json:
        print_json(result.as_dict() | {"models": [str(run)], "part": part, "split": source.split})
        return
    row = (str(run), crops, result.images, f"{result.top1_error:.2f} %", f"{result.top5_error:.2f} %", len(result.skipped))
    head = ("model", "crops", "images", "top-1 error", "top-5 error", "skipped")
    print_table(head, [row], right=head[1:])
    print(f"\n{part} pictures of {data}: {source.split}", file=sys.stderr)


COMMANDS = (evaluate_command,)
