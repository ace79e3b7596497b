"""Train a detector, or a part of one, and leave a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator

from ..data.annotations import DetectionDataset
from ..data.description import describe_data
from ..data.open_annotations import open_annotations
from ..detect.detection_recipes import RCNN_RECIPE, DetectionRecipe, MultiBoxRecipe
from ..detect.detector_spec import DetectorSpec, MultiBoxSpec
from ..detect.faster_rcnn import FasterRCNN
from ..detect.faster_rcnn_task import FasterRCNNTask
from ..detect.multibox import MultiBox
from ..detect.multibox_task import MultiBoxTask
from ..detect.proposals import propose_all
from ..detect.regions import BACKGROUND, RegionDataset
from ..errors import GodeeperError, unknown
from ..models.network import Network
from ..models.spec import ModelSpec
from ..models.weights.fill import name_classes
from ..papers.registry import scaled
from ..train.checks import TEST_IMAGES, check_same, check_same_data
from ..train.classification import Classification
from ..train.loop import train_task
from ..train.recipe import Recipe, TrainConfig
from ..train.run import RunFolder
from ..train.task import Task
from .after_epoch import coverage_on, errors_on, mean_average_precision_on
from .detectors import open_proposer
from .models import Model, name_of, spec_of
from .plan import Plan, Value, check_run_folder, new_plan, read_saved, resumed_plan
from .progress import OnMessage, OnProgress, counter, step_counter
from .starting_network import check_takes_effect, starting_network

Method = Literal["faster-rcnn", "rcnn", "multibox"]
COMMAND = "detect train"
RECIPES: Mapping[str, TrainConfig] = {"faster-rcnn": DetectionRecipe(), "rcnn": RCNN_RECIPE, "multibox": MultiBoxRecipe()}
DEFAULTS = {
    "method": "faster-rcnn", "split": "train", "validate": "val", "width": 1.0, "small": False, "pyramid": False,
    "atrous": False, "superpixels": 2.0,
}  # fmt: skip
ONLY = {"pyramid": "faster-rcnn", "atrous": "faster-rcnn", "small": "rcnn", "superpixels": "rcnn", "multibox": "rcnn"}
Evaluate = Callable[[Any], Mapping[str, float]]


@dataclass(frozen=True)
class TrainDetectorResult:
    """A finished run: its folder, and what was measured after each epoch."""

    folder: Path
    metrics: list[dict[str, Any]]


def train_detector(
    out: str | Path,
    model: Model | None = None,
    data: str | Path | None = None,
    *,
    method: Method | None = None,
    split: str | None = None,
    validate: str | None = None,
    weights: str | Path | None = None,
    width: float | None = None,
    pyramid: bool | None = None,
    atrous: bool | None = None,
    small: bool | None = None,
    superpixels: float | None = None,
    multibox: str | Path | None = None,
    overrides: Sequence[str] = (),
    workers: int = 1,
    resume: bool = False,
    on_message: OnMessage | None = None,
    on_progress: OnProgress | None = None,
) -> TrainDetectorResult:
    """Trains a detector on the annotated images in the folder `data`, and leaves a run folder at `out`.

    `method` is "faster-rcnn" (the default), "rcnn" (the region classifier of R-CNN) or "multibox" (proposals for R-CNN). `model`
    is a registered name, a table or spec, a SPEC.json or a run (of which the table is taken); `weights` is the classifier that
    training starts from. Learns from the images of `split` ("train") and tests on those of `validate` ("val"; "none": not at
    all) after each epoch; unsound images and boxes are left out, counted, and reported once. `overrides` are of the method's
    recipe, such as "lr=0.01". `pyramid` and `atrous` are Faster R-CNN's; `small`, `superpixels` and `multibox` (a run) R-CNN's.
    With `resume`, goes on with the run in `out`, for which everything else is known. GodeeperError, naming the thing, for what
    does not go together.
    """
    out = Path(out)
    options = {
        "method": method, "model": None if model is None else name_of(model), "data": None if data is None else str(data),
        "split": split, "validate": validate, "weights": None if weights is None else str(weights), "width": width,
        "small": small, "pyramid": pyramid, "atrous": atrous, "superpixels": superpixels,
        "multibox": None if multibox is None else str(multibox),
    }  # fmt: skip
    plan = _resumed_plan(out, options, overrides) if resume else _new_plan(options, model, overrides)
    check_run_folder(out, plan.options["data"], resume)
    prepare = {"faster-rcnn": _faster_rcnn, "rcnn": _rcnn, "multibox": _multibox}[plan.options["method"]]
    run = _Run(out, plan, model, *_open_images(plan), workers, on_progress)
    make, evaluate = prepare(run)
    left_out = {images.split: images.left_out for images in (run.images, run.held_out) if images is not None}
    train_task(
        make, out, evaluate=evaluate, workers=workers, resume=resume, on_message=on_message, on_step=step_counter(on_progress),
        notes=plan.notes() | run.tested() | {"left_out": {split: each.as_dict() for split, each in left_out.items()}},
        first_messages=[f"{split}: {line}" for split, each in left_out.items() for line in each.lines()] + run.skipped,
    )  # fmt: skip
    return TrainDetectorResult(out, RunFolder(out).metrics())


def _resumed_plan(out: Path, options: Mapping[str, Any], overrides: Sequence[str]) -> Plan[Any]:
    kinds = {name: type(recipe) for name, recipe in RECIPES.items()}
    return resumed_plan(out, COMMAND, kinds, options, DEFAULTS, overrides)


def _new_plan(options: Mapping[str, Any], model: Model | None, overrides: Sequence[str]) -> Plan[Any]:
    method = str(options["method"] or DEFAULTS["method"])
    if method not in RECIPES:
        raise unknown("method", method, RECIPES)
    plan = new_plan(COMMAND, options, DEFAULTS, RECIPES[method], overrides)
    for name, only in ONLY.items():
        if options[name] is not None and method != only:
            raise GodeeperError(f"--{name} is of --method {only}, not of {method}")
    if isinstance(plan.recipe, Recipe):
        check_takes_effect(spec_of(model or ""), plan.recipe, overrides, options["weights"])
    return plan


def _open_images(plan: Plan[Any]) -> tuple[DetectionDataset, DetectionDataset | None]:
    """The images to learn from, and those to test on after each epoch."""
    data, validate = plan.options["data"], plan.options["validate"]
    images = open_annotations(data, plan.options["split"], skip_bad=True)
    if all(objects.difficult.all() for objects in images.objects):
        raise GodeeperError(
            f"the split {images.split!r} of {str(data)!r} has no objects to learn from: annotate some, or choose another split"
        )
    if validate == "none":
        return images, None
    try:
        held_out = open_annotations(data, validate, images.classes, skip_bad=True)
    except GodeeperError as error:
        raise GodeeperError(f"{error} (--validate SPLIT tests on another split, --validate none on no images)") from None
    check_same_data(plan.saved, held_out, TEST_IMAGES)
    return images, held_out


@dataclass(frozen=True)
class _Run:
    """What the three methods are given; `skipped` gets a line for each image that one of them leaves out."""

    out: Path
    plan: Plan[Any]
    model: Model | None
    images: DetectionDataset
    held_out: DetectionDataset | None
    workers: int
    on_progress: OnProgress | None
    skipped: list[str] = field(default_factory=list)

    def tested(self) -> dict[str, Any]:
        """What describes the images to test on, for `check_same_data`."""
        return {} if self.held_out is None else {TEST_IMAGES: describe_data(self.held_out)}

    def network(self, spec: ModelSpec | None = None, **options: Any) -> Network:
        """The classifier to begin with; `spec` is that of a run that goes on."""
        return starting_network(self.out, self.plan, spec_of(self.model or "") if spec is None else spec, **options)

    def saved_spec(self, read: Callable[[Any], Value]) -> Value:
        """The spec of a run that goes on, by its kind's `from_dict`."""
        return read_saved(self.out, read, self.plan.saved["spec"])


def _faster_rcnn(run: _Run) -> tuple[Callable[[Accelerator], Task], Evaluate | None]:
    options, recipe = run.plan.options, run.plan.recipe
    if run.plan.resumes:
        spec = run.saved_spec(DetectorSpec.from_dict)
        network = run.network(spec.model)
    else:
        network = run.network()
        spec = DetectorSpec.of(
            network.spec, run.images.classes, pyramid=options["pyramid"], atrous=options["atrous"],
            image_size=recipe.image_size, longest=recipe.longest, anchors=recipe.anchors,
            pyramid_channels=scaled(DetectorSpec.pyramid_channels, options["width"]),
            pyramid_units=scaled(DetectorSpec.pyramid_units, options["width"]),
        )  # fmt: skip
    detector = FasterRCNN(spec, network, regions=recipe.regions)
    evaluate = None if run.held_out is None else mean_average_precision_on(run.held_out)
    return partial(FasterRCNNTask, detector, run.images, recipe), evaluate


def _multibox(run: _Run) -> tuple[Callable[[Accelerator], Task], Evaluate | None]:
    width, recipe = run.plan.options["width"], run.plan.recipe
    if run.plan.resumes:
        spec = run.saved_spec(MultiBoxSpec.from_dict)
        network = run.network(spec.model)
    else:
        network = run.network()
        channels, units = scaled(MultiBoxSpec.channels, width), scaled(MultiBoxSpec.units, width)
        spec = MultiBoxSpec.of(network.spec, recipe.image_size, boxes=recipe.boxes, channels=channels, units=units)
    evaluate = None if run.held_out is None else coverage_on(run.held_out)
    return partial(MultiBoxTask, MultiBox(spec, network), run.images, recipe), evaluate


def _rcnn(run: _Run) -> tuple[Callable[[Accelerator], Task], Evaluate | None]:
    options, recipe = run.plan.options, run.plan.recipe
    assert isinstance(recipe, Recipe)
    classes = (*run.images.classes, BACKGROUND)
    if run.plan.resumes:
        network = run.network(run.saved_spec(ModelSpec.from_dict))
        check_same({"classes": network.classes}, {"classes": classes})
    else:
        network = run.network(num_classes=len(classes), aux=recipe.auxiliary_weight > 0)
        name_classes(network, classes)
    proposer = open_proposer(options["superpixels"], options["multibox"])
    preprocess = network.preprocess.with_size(recipe.image_size or network.preprocess.image_size)

    def regions(images: DetectionDataset) -> RegionDataset:
        progress = counter("proposing", run.on_progress)
        proposals = propose_all(proposer, images, workers=run.workers, skip_bad=True, progress=progress)
        run.skipped.extend(f"skipped {reason}" for reason in proposals.skipped)
        return RegionDataset(images.subset(proposals.indices), proposals.boxes, preprocess, recipe.seed)

    training_regions = regions(run.images)
    evaluate = None if run.held_out is None else errors_on(regions(run.held_out), run.workers)
    return partial(Classification, network, training_regions, recipe), evaluate
