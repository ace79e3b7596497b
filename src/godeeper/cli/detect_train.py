"""`detect train`."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from ..errors import BadImage, GodeeperError
from .progress import print_message
from .proposing import Multibox, Superpixels, proposals_of, proposer_of

if TYPE_CHECKING:
    from ..data.annotations import DetectionDataset
    from ..models.network import Network

Method = Literal["faster-rcnn", "rcnn", "multibox"]
DEFAULTS = {
    "method": "faster-rcnn", "split": "train", "validate": "val", "width": 1.0, "small": False, "pyramid": False,
    "atrous": False, "superpixels": 2.0,
}  # fmt: skip
KINDS: dict[str, Any] = {  # of the options that a run keeps
    "method": str, "model": str, "data": str, "split": str, "validate": str, "weights": str | None, "width": int | float,
    "small": bool, "pyramid": bool, "atrous": bool, "superpixels": int | float, "multibox": str | None,
}  # fmt: skip
ONLY = {"pyramid": "faster-rcnn", "atrous": "faster-rcnn", "small": "rcnn", "superpixels": "rcnn", "multibox": "rcnn"}


def train_command(
    out: Annotated[Path, typer.Option(help="The run folder to make.", show_default=False)],
    model: Annotated[str | None, typer.Option(help="A model's name (see `godeeper models`).")] = None,
    data: Annotated[str | None, typer.Option(help="A folder of annotated images: Pascal VOC's or COCO's.")] = None,
    method: Annotated[
        Method | None, typer.Option(help="faster-rcnn (the default), rcnn, or multibox: proposals for rcnn.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which images to learn from; by default train.")] = None,
    validate: Annotated[str | None, typer.Option(help="Which to test on after each epoch, or none; by default val.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Start from this classifier: a run folder, weights file or published name.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="Scales every filter count.")] = None,
    pyramid: Annotated[bool | None, typer.Option("--pyramid", help="faster-rcnn: regions from a feature pyramid.")] = None,
    atrous: Annotated[bool | None, typer.Option("--atrous", help="faster-rcnn: features 8 pixels apart, not 16.")] = None,
    small: Annotated[bool | None, typer.Option("--small", help="rcnn: for regions of 64 pixels and less.")] = None,
    superpixels: Superpixels = None,
    multibox: Multibox = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the images, or regions.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images, or regions, a step, over all processes.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything random.")] = None,
    workers: Annotated[int, typer.Option(min=0, max=999, help="Processes that decode images.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE of the recipe; may be repeated.")] = None,
) -> None:
    """Train a detector, or a part of one, and leave a run folder."""
    given: dict[str, Any] = {
        "method": method, "model": model, "data": data, "split": split, "validate": validate, "weights": weights,
        "width": width, "pyramid": pyramid, "atrous": atrous, "small": small, "superpixels": superpixels, "multibox": multibox,
    }  # fmt: skip
    shorthand = {"epochs": epochs, "batch_size": batch_size, "seed": seed}
    sets = [*(f"{name}={value}" for name, value in shorthand.items() if value is not None), *(settings or [])]
    plan = _resumed(out, given, sets) if resume else _fresh(given, sets)
    folder = Path(plan["data"]).resolve()
    if folder in (out.resolve(), *out.resolve().parents):
        raise GodeeperError(f"--out {str(out)!r} lies in the data {plan['data']!r}: choose a folder outside it")
    trainers = {"faster-rcnn": _train_faster_rcnn, "rcnn": _train_rcnn, "multibox": _train_multibox}
    trainers[plan["method"]](out, plan, workers, resume)


Plan = dict[str, Any]  # the options, and recipe


def _recipe_of(method: str) -> Any:
    """The recipe that a method begins with."""
    from ..detect.detection_recipes import RCNN_RECIPE, DetectionRecipe, MultiBoxRecipe

    return {"faster-rcnn": DetectionRecipe(), "rcnn": RCNN_RECIPE, "multibox": MultiBoxRecipe()}[method]


def _fresh(given: Plan, sets: list[str]) -> Plan:
    for name in ("model", "data"):
        if not given[name]:
            raise typer.BadParameter(f"--{name} is needed (or --resume, to go on with a run)")
    plan = {name: DEFAULTS.get(name) if value is None else value for name, value in given.items()}
    for name, method in ONLY.items():
        if given[name] is not None and plan["method"] != method:
            raise GodeeperError(f"--{name} is of --method {method}, not of {plan['method']}")
    return {**plan, "recipe": _recipe_of(str(plan["method"])).with_overrides(sets)}


def _resumed(out: Path, given: Plan, sets: list[str]) -> Plan:
    """The plan of the run in `out`; GodeeperError where an option says otherwise."""
    from ..train.run import RunFolder

    saved = RunFolder(out).read(*(type(_recipe_of(method)) for method in get_args(Method)))
    if "detect" not in saved:
        raise GodeeperError(f"the run in {str(out)!r} is no detector's: resume it by the command that began it")
    plan = _checked(saved["detect"], out)
    kept = type(_recipe_of(plan["method"])).from_dict(saved["recipe"])
    for name, value in given.items():
        if value is not None and value != plan[name]:
            raise GodeeperError(
                f"--{name} {value} differs from {plan[name]!r} of the run in {str(out)!r}: leave it out to resume"
            )
    if kept.with_overrides(sets) != kept:
        raise GodeeperError(f"the run in {str(out)!r} keeps the recipe it began with: leave --set and the like out to resume")
    return {**plan, "recipe": kept, "saved": saved}


def _checked(plan: Any, out: Path) -> Plan:
    """The options that a run was begun with; GodeeperError where somebody has damaged them."""
    good = isinstance(plan, dict) and plan.keys() == KINDS.keys() and all(isinstance(plan[name], KINDS[name]) for name in KINDS)
    if not good or plan["method"] not in get_args(Method) or "\0" in plan["data"]:
        raise GodeeperError(f"'{out / 'recipe.json'}' is damaged (detect): mend it, or begin again with another --out")
    checked: Plan = plan
    return checked


def _sets(plan: Plan) -> tuple[Any, Any]:
    """The images to learn from, and those to test on, or None."""
    from ..data.open_annotations import open_annotations

    images = open_annotations(plan["data"], plan["split"])
    tested = None if plan["validate"] == "none" else open_annotations(plan["data"], plan["validate"], images.classes)
    return images, tested


def _notes(plan: Plan) -> dict[str, Any]:
    return {"detect": {name: value for name, value in plan.items() if name not in ("recipe", "saved")}}


def _started(out: Path, plan: Plan, resume: bool, **options: Any) -> Network:
    """The network to begin with: with the weights that the plan names, unless a checkpoint will bring its own."""
    import torch

    from ..models.registry import create_model
    from ..preprocess import Preprocess
    from ..train.checkpoint import checkpoints
    from ..train.run import RunFolder

    weights = None if resume and checkpoints(RunFolder(out).checkpoints) else plan["weights"]
    torch.manual_seed(plan["recipe"].seed)
    network = create_model(plan["model"], width=plan["width"], weights=weights, **options)
    if resume:  # weights that the run started from may have brought their own
        network.preprocess = Preprocess.from_dict(plan["saved"]["preprocess"])
    return network


def _figure(name: str, value: float) -> dict[str, float]:
    """A figure of an epoch, left out where the test images have no objects to count."""
    return {} if isnan(value) else {name: value}


def _train_faster_rcnn(out: Path, plan: Plan, workers: int, resume: bool) -> None:
    from ..detect.average_precision import score_detections
    from ..detect.detector import find_all
    from ..detect.faster_rcnn import FasterRCNN
    from ..detect.faster_rcnn_task import FasterRCNNTask
    from ..train.loop import learn

    recipe = plan["recipe"]
    images, tested = _sets(plan)
    detector = FasterRCNN(
        _started(out, plan, resume), images.classes, pyramid=plan["pyramid"],
        atrous=plan["atrous"], image_size=recipe.image_size, longest=recipe.longest, anchors=recipe.anchors,
        regions=recipe.regions,
    )  # fmt: skip

    def mean_average_precision(detector: FasterRCNN) -> dict[str, float]:
        found = find_all(detector, tested, skip_bad=True)  # a bad test image must not end a long run
        scores = score_detections(found.detections, [tested.objects[index] for index in found.indices], tested.classes)
        return {**_figure("map", scores.mean_average_precision), "test_skipped": len(found.skipped)}

    learn(
        partial(FasterRCNNTask, detector, images, recipe), out, evaluate=mean_average_precision if tested else None,
        workers=workers, resume=resume, notes=_notes(plan), on_message=print_message,
    )  # fmt: skip


def _train_rcnn(out: Path, plan: Plan, workers: int, resume: bool) -> None:
    from ..detect.regions import BACKGROUND, RegionDataset
    from ..evaluate.classify import evaluate
    from ..models.network import device_of
    from ..models.weights.fill import name_classes
    from ..train.loop import train

    recipe, proposer = plan["recipe"], proposer_of(plan["superpixels"], plan["multibox"])
    images, tested = _sets(plan)
    classes = (*images.classes, BACKGROUND)
    network = _started(out, plan, resume, num_classes=len(classes), small=plan["small"], aux=recipe.auxiliary_weight > 0)
    name_classes(network, classes)

    preprocess = network.preprocess.with_size(recipe.image_size or network.preprocess.image_size)

    def regions(images: DetectionDataset) -> RegionDataset:
        return RegionDataset(images, proposals_of(proposer, images, workers), preprocess, recipe.seed)

    learnt, held_out = regions(images), None if tested is None else regions(tested)

    def errors(network: Network) -> dict[str, float]:
        assert held_out is not None
        result = evaluate(network, held_out, network.preprocess, workers=workers, skip_bad=True, device=device_of(network))
        return {"top1_error": result.top1_error, "test_skipped": len(result.skipped)}

    train(
        network, learnt, recipe, out, evaluate=errors if held_out else None, workers=workers, resume=resume,
        notes={**_notes(plan), "classes": list(classes)}, on_message=print_message,
    )  # fmt: skip


def _train_multibox(out: Path, plan: Plan, workers: int, resume: bool) -> None:
    from ..detect.multibox import MultiBox
    from ..detect.multibox_task import MultiBoxTask
    from ..detect.proposals import coverage
    from ..train.loop import learn

    recipe = plan["recipe"]
    images, tested = _sets(plan)
    multibox = MultiBox(_started(out, plan, resume), boxes=recipe.boxes, image_size=recipe.image_size or None)

    def covered(multibox: MultiBox) -> dict[str, float]:
        found, there = [], []
        for index, objects in enumerate(tested.objects):
            with suppress(BadImage):  # a bad test image must not end a long run
                found.append(multibox.propose(tested.image(index)))
                there.append(objects)
        return {**_figure("coverage", coverage(found, there).percent), "test_skipped": len(tested) - len(found)}

    learn(
        partial(MultiBoxTask, multibox, images, recipe), out, evaluate=covered if tested else None, workers=workers,
        resume=resume, notes=_notes(plan), on_message=print_message,
    )  # fmt: skip
