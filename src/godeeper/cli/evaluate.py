"""`evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .output import Json, Language
from .panel import Part, architecture, images_of, members_of, models_and_source
from .results import check_outputs, tell

if TYPE_CHECKING:
    from ..data.sources import ImageDataset, Source
    from ..evaluate.classify import Member
    from ..models.comparators import Comparator
    from ..models.network import Network

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
    crops: Annotated[int, typer.Option(help="Views an image: 1, 10, 12 or 144.")] = 1,
    average: Annotated[Literal["softmax", "logits", "max"], typer.Option(help="What is averaged over views.")] = "softmax",
    part: Annotated[Part, typer.Option(help="Which images of the data.")] = "test",
    skip_blacklisted: Blacklist = None,
    save: Annotated[Path | None, typer.Option(help="Keep the probabilities in this file, for `godeeper ensemble`.")] = None,
    report: ReportFolder = None,
    lang: Language = "en",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted evaluation in --report.")] = False,
    batch_size: Annotated[int | None, typer.Option(min=1, max=10**6, help="Views at a time; by default by the machine.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, max=999, help="Processes that decode; by default by machine.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a torchvision set that is not here yet.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out and count images that cannot be decoded.")] = False,
    as_json: Json = False,
) -> None:
    """Count the top-1 and top-5 errors of a model, or of several and of their averaged probabilities."""
    from accelerate import PartialState

    from ..data.crops import check_scheme
    from ..evaluate.classify import evaluate_members
    from ..evaluate.ensemble import save_probabilities
    from ..evaluate.journal import Journal
    from ..models.network import best_device
    from .progress import counting

    check_scheme(crops)
    check_outputs(save, report, resume)
    processes = PartialState(cpu=best_device().type == "cpu")  # under torchrun, several; the first one reports
    models, source = models_and_source(runs, data, download)
    members = members_of(runs, models, source, data, processes.device)
    images, left_out = images_of(source, part, skip_blacklisted)
    about = _about(runs, models, data, part) | {"split": source.split, "blacklisted": left_out}
    journal = None
    if report is not None:
        options = {"crops": crops, "average": average, "saving": save is not None, "skip_bad": skip_bad}
        identity = about | options | _identity(models, members, source, images)
        journal = Journal(report / "partial", identity, resume=resume, rank=processes.process_index)
    with counting("evaluating", len(images), show=processes.is_main_process) as progress:
        found = evaluate_members(
            members, images, crops=crops, average=average, batch_size=batch_size, skip_bad=skip_bad, device=processes.device,
            workers=_workers(data, crops) if workers is None else workers, keep=save is not None, journal=journal,
            progress=progress,
        )  # fmt: skip
    if not processes.is_main_process:
        return
    if save is not None:
        save_probabilities(save, found, source.classes, images, about)
    tell(found, about, source, images, report, lang, as_json)
    if journal is not None:
        journal.remove()


def _workers(data: str, crops: int) -> int:
    """Processes that decode: of 144 passes an image on the CPU, its cores are better left to the network."""
    from ..data.loader import default_workers
    from ..models.network import best_device

    return 0 if crops == 144 and best_device().type == "cpu" else default_workers(data)


def _identity(
    models: Sequence[Network | Comparator], members: Sequence[Member], source: Source, images: ImageDataset
) -> dict[str, Any]:
    """What an evaluation must have in common with one that goes on with it, besides its options."""
    from ..evaluate.ensemble import images_digest
    from ..tensor_files import digest

    return {
        "images": images_digest(images, source.classes),
        "classes": list(source.classes),
        "weights": [digest(model.state_dict()) for model in models],
        "orders": [member.order for member in members],
        "preprocessing": [model.preprocess.as_dict() for model in models],
    }


def _about(runs: Sequence[str], models: Sequence[Network | Comparator], data: str, part: Part) -> dict[str, Any]:
    """What a result says besides its errors."""
    import platform

    import torch

    from .. import __version__

    return {
        "models": [str(run) for run in runs],
        "architectures": [architecture(model) for model in models],
        "data": data,
        "part": part,
        "ilsvrc": data.startswith("ilsvrc:"),
        "versions": f"godeeper {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }


COMMANDS = (evaluate_command,)
