"""`evaluate`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..errors import GodeeperError
from .output import Json
from .panel import Part, architecture, members_of, models_and_source, pictures_of
from .results import tell

Blacklist = Annotated[Path | None, typer.Option(help="Of ILSVRC's pictures, leave out those that this file lists.")]
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
    crops: Annotated[int, typer.Option(help="Views a picture: 1, 10, 12 or 144.")] = 1,
    average: Annotated[Literal["softmax", "logits", "max"], typer.Option(help="What is averaged over views.")] = "softmax",
    part: Annotated[Part, typer.Option(help="Which pictures of the data.")] = "test",
    skip_blacklisted: Blacklist = None,
    save: Annotated[Path | None, typer.Option(help="Keep the probabilities in this file, for `godeeper ensemble`.")] = None,
    report: ReportFolder = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted evaluation in --report.")] = False,
    batch_size: Annotated[int | None, typer.Option(min=1, max=10**6, help="Views at a time; by default by the machine.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, max=999, help="Processes that decode; by default by machine.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a torchvision set that is not here yet.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out and count pictures that cannot be decoded.")] = False,
    as_json: Json = False,
) -> None:
    """Count the top-1 and top-5 errors of a model, or of several and of their averaged probabilities."""
    import torch
    from accelerate import PartialState

    from ..data.crops import check_scheme
    from ..data.loader import default_workers
    from ..evaluate.classify import evaluate_members
    from ..evaluate.ensemble import pictures_digest, save_probabilities
    from ..evaluate.journal import Journal
    from ..tensor_files import digest
    from .progress import counting

    check_scheme(crops)
    if workers is None:  # of 144 passes a picture, the cores are better left to the network
        workers = 0 if crops == 144 and not torch.accelerator.is_available() else default_workers(data)
    check_outputs(save, report, resume)
    processes = PartialState(cpu=not torch.accelerator.is_available())  # under torchrun, several; the first one reports
    models, source = models_and_source(runs, data, download)
    members = members_of(runs, models, source, data, processes.device)
    pictures, left_out = pictures_of(source, part, skip_blacklisted)
    about = _about(runs, data, part) | {"split": source.split, "blacklisted": left_out}
    about["architectures"] = [architecture(model) for model in models]
    journal = None
    if report is not None:
        identity = about | {
            "crops": crops, "average": average, "saving": save is not None, "skip_bad": skip_bad,
            "pictures": pictures_digest(pictures, source.classes), "classes": list(source.classes),
            "weights": [digest(model.state_dict()) for model in models],
            "orders": [member.order for member in members], "preprocessing": [model.preprocess.as_dict() for model in models],
        }  # fmt: skip
        journal = Journal(report / "partial", identity, resume=resume, rank=processes.process_index)
    with counting("evaluating", len(pictures), show=processes.is_main_process) as progress:
        found = evaluate_members(
            members, pictures, crops=crops, average=average, batch_size=batch_size, skip_bad=skip_bad, device=processes.device,
            workers=workers, keep=save is not None, journal=journal,
            progress=progress,
        )  # fmt: skip
    if not processes.is_main_process:
        return
    if save is not None:
        save_probabilities(save, found, source.classes, pictures, about)
    tell(found, about, source, pictures, report, as_json)
    if journal is not None:
        journal.remove()


OURS = {
    "partial",
    "report.html",
    "report.md",
    "calibration.png",
    "crops.png",
    "mistakes",
}  # in a report's folder, till it is whole


def check_outputs(save: Path | None, report: Path | None, resume: bool) -> None:
    """GodeeperError, before any work is done, unless the results can be written without overwriting others."""
    if resume and report is None:
        raise GodeeperError("--resume needs the --report folder of the interrupted evaluation")
    resuming = resume and report is not None and (report / "partial").is_dir()
    if save is not None:
        if save.suffix != ".safetensors":
            raise GodeeperError(f"--save {str(save)!r}: name a .safetensors file")
        if not save.parent.is_dir():
            raise GodeeperError(f"--save {str(save)!r}: there is no folder {str(save.parent)!r}")
        if save.exists() and not resuming:  # else it is that evaluation's own
            raise GodeeperError(f"--save {str(save)!r} is there already: name another file")
        _check_writable(save)
    if report is not None:
        _check_report(report, resuming)


def _check_report(report: Path, resuming: bool) -> None:
    if str(report) == ".":  # also what an empty name means
        raise GodeeperError("--report needs a folder of its own: name one")
    if report.exists() and not report.is_dir():
        raise GodeeperError(f"--report {str(report)!r} is a file: name a folder")
    found = {entry.name for entry in report.iterdir()} if report.is_dir() else set()
    if "result.json" in found:
        raise GodeeperError(f"--report {str(report)!r} holds a report already: name another folder")
    if found and not (resuming and found <= OURS) and found != {"partial"}:  # of which the journal says what to do
        raise GodeeperError(f"--report {str(report)!r} is not empty: it holds {min(found - {'partial'})!r}; name another folder")
    if find_spec("matplotlib") is None:
        raise GodeeperError("a report's charts need matplotlib: pip install 'godeeper[demo]'")


def _check_writable(file: Path) -> None:
    trial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise GodeeperError(f"cannot write {str(file)!r}: {error.strerror}") from None


def _about(runs: Sequence[str], data: str, part: Part) -> dict[str, Any]:
    """What a result says besides its errors."""
    import platform

    import torch

    from .. import __version__

    return {
        "models": [str(run) for run in runs],
        "data": data,
        "part": part,
        "ilsvrc": data.startswith("ilsvrc:"),
        "versions": f"godeeper {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }


COMMANDS = (evaluate_command,)
