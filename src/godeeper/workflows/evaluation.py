"""Count the errors of classifiers, of one or of several together."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState

from ..data.crops import check_crops
from ..data.dataset import DataSplits, ImageDataset, Split
from ..data.workers import default_workers
from ..destinations import check_output
from ..errors import BadCheckpoint, GodeeperError
from ..evaluate.classify import Member, evaluate_members
from ..evaluate.ensemble import (
    SavedProbabilities,
    check_images,
    combine,
    images_digest,
    read_probabilities,
    save_probabilities,
    subsets,
)  # fmt: skip
from ..evaluate.evaluation import Average, Evaluation
from ..evaluate.evaluation_report import write_report
from ..evaluate.journal import Journal
from ..labels import Lang, display_names
from ..locks import locked
from ..models.comparators import Comparator
from ..models.network import Network, best_device
from ..ranks import fail_together
from ..tensor_files import digest
from ..version import __version__
from .classifiers import Classifier, images_of, members_of, open_classifiers, open_images, open_with_classes, title_of
from .outputs import check_report
from .progress import OnProgress, counter

# What saved probabilities say of where they come from, besides the models' names.
ABOUT = {"data": str, "split": str, "split_note": str, "versions": str, "ilsvrc": bool, "blacklisted": int}


@dataclass(frozen=True)
class EvaluateResult:
    """An evaluation, what it is of, and where its report stands.

    `about` names models, data and versions; `subsets` has the errors of every subset of the models where they were asked for.
    `is_main` is false in all processes but one of torchrun's: their results are the same, and only the first one writes.
    """

    evaluation: Evaluation
    about: dict[str, Any]
    report: Path | None = None
    subsets: tuple[dict[str, Any], ...] = ()
    is_main: bool = True

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints and result.json holds."""
        return self.evaluation.as_dict() | self.about | ({"subsets": list(self.subsets)} if self.subsets else {})


def evaluate(
    models: Sequence[Classifier],
    data: str | Path,
    *,
    crops: int = 1,
    average: Average = "softmax",
    split: Split = "test",
    skip_blacklisted: Path | None = None,
    save: Path | None = None,
    report: Path | None = None,
    lang: Lang = "en",
    resume: bool = False,
    batch_size: int | None = None,
    workers: int | None = None,
    download: bool = False,
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> EvaluateResult:
    """Top-1 and top-5 error of each model, and of their averaged probabilities, over `crops` crops of each image.

    `models` are runs, weights files, published names, networks of torchvision and timm ("timm:NAME"), or networks. `save` keeps
    the probabilities for `recombine`; `report` is a folder for report.html, in which an interrupted evaluation goes on with
    `resume`. Under torchrun the processes share the images. GodeeperError for what does not go together; BadImage for an image
    that cannot be decoded, unless `skip_bad`.
    """
    data = str(data)
    check_crops(crops)
    processes = PartialState(cpu=best_device().type == "cpu")
    with _kept_to_this(report, save, resume):
        with fail_together():
            names, networks = open_classifiers(models)
            splits = open_images(data, networks, download, split)
            members = members_of(names, networks, splits, data, processes.device)
            images, left_out = images_of(splits, split, skip_blacklisted)
            about = _about(names, networks, data, split) | {"split_note": splits.split_note, "blacklisted": left_out}
            options = {"crops": crops, "average": average, "saving": save is not None, "skip_bad": skip_bad}
            identity = about | options | _identity(networks, members, splits, images)
            journal = None if report is None else Journal(report / "partial", identity, resume=resume)
        evaluation = evaluate_members(
            members, images, crops=crops, average=average, batch_size=batch_size, skip_bad=skip_bad, device=processes.device,
            workers=_workers(data, crops) if workers is None else workers, keep=save is not None, journal=journal,
            progress=counter("evaluating", on_progress),
        )  # fmt: skip
        result = EvaluateResult(evaluation, about, report, is_main=processes.is_main_process)
        if result.is_main and save is not None:
            save_probabilities(save, evaluation, splits.classes, images, about, replaces=resume)
        if result.is_main and report is not None and journal is not None:
            write_report(report, result.as_dict(), evaluation, display_names(splits.classes, lang), images)
            journal.remove()
    return result


def recombine(
    files: Sequence[Path],
    data: str | Path | None = None,
    *,
    count_subsets: bool = False,
    skip_blacklisted: Path | None = None,
    report: Path | None = None,
    lang: Lang = "en",
) -> EvaluateResult:
    """The errors of models whose probabilities `evaluate` saved, and of all of them together, without running any.

    `data` are the images that they are of, held against the files; a report needs them, as it shows some. GodeeperError where
    the files are of other images or classes.
    """
    for option, value in {"--report": report, "--skip-blacklisted": skip_blacklisted}.items():
        if value is not None and data is None:
            raise GodeeperError(f"{option} needs the images: name them with --data")
    _check_outputs(None, report, False)  # before anything is read
    saved = [read_probabilities(file) for file in files]
    evaluation = combine(saved)
    for file in saved:
        _check_about(file)
    about = {name: saved[0].about[name] for name in ABOUT}
    for field in ("models", "architectures"):
        about[field] = [name for file in saved for name in file.about[field]]
    rows = tuple(_subset_errors(evaluation)) if count_subsets else ()
    result = EvaluateResult(evaluation, about, report, rows)
    if data is not None:
        splits = open_with_classes(str(data), saved[0].classes, False, about["split"])
        images, _ = images_of(splits, about["split"], skip_blacklisted)
        check_images(saved[0], images, splits.classes, str(data))
        if report is not None:
            with _kept_to_this(report):
                write_report(report, result.as_dict(), evaluation, display_names(splits.classes, lang), images)
    return result


def _kept_to_this(report: Path | None, save: Path | None = None, resume: bool = False) -> AbstractContextManager[None]:
    """Keeps a report's folder, where there is one, to this evaluation. GodeeperError where outputs cannot be written."""
    _check_outputs(save, report, resume)
    return nullcontext() if report is None else locked(report, lambda: _check_outputs(save, report, resume))


def _check_outputs(save: Path | None, report: Path | None, resume: bool) -> None:
    if resume and report is None:
        raise GodeeperError("--resume needs the --report folder of the interrupted evaluation")
    resuming = resume and report is not None and (report / "partial").is_dir()
    if save is not None:
        check_output(save, "--save", (".safetensors",), replaces=resuming)
    if report is not None:
        check_report(report, resuming)


def _workers(data: str, crops: int) -> int:
    """Processes that decode: of 144 passes an image on the CPU, its cores are better left to the network."""
    return 0 if crops == 144 and best_device().type == "cpu" else default_workers(data)


def _identity(
    networks: Sequence[Network | Comparator], members: Sequence[Member], splits: DataSplits, images: ImageDataset
) -> dict[str, Any]:
    """What an evaluation must have in common with one that goes on with it, besides its options."""
    return {
        "images": images_digest(images, splits.classes),
        "classes": list(splits.classes),
        "weights": [digest(network.state_dict()) for network in networks],
        "orders": [member.order for member in members],
        "preprocessing": [network.preprocess.as_dict() for network in networks],
    }


def _about(names: Sequence[str], networks: Sequence[Network | Comparator], data: str, split: Split) -> dict[str, Any]:
    """What a result says besides its errors."""
    return {
        "models": list(names),
        "architectures": [title_of(network) for network in networks],
        "data": data,
        "split": split,
        "ilsvrc": data.startswith("ilsvrc:"),
        "versions": f"godeeper {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }


def _check_about(saved: SavedProbabilities) -> None:
    """BadCheckpoint where probabilities do not say what `_about`, and `evaluate` besides, say of them."""
    for name, kind in ABOUT.items():
        if type(saved.about.get(name)) is not kind:
            raise BadCheckpoint(f"{saved.file!r} does not say what its {name} is: evaluate again with --save")


def _subset_errors(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [
        {
            "models": [evaluation.members[position] for position in subset.members],
            "top1_error": subset.outcomes.top1_error,
            "top5_error": subset.outcomes.top5_error,
        }
        for subset in subsets(evaluation)
    ]
