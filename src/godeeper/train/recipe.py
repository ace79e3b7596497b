"""What a training run needs to know besides the network and the images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from ..data.augment import Augment
from ..errors import GodeeperError, unknown
from ..fields import flag, only, quoted

LARGEST = 10**15  # a whole number in the place of a number, which floats still hold


@dataclass(frozen=True)
class TrainConfig:
    """What every training run is asked to do, whatever it learns. GodeeperError, naming the field, for a value out of range."""

    RANGES: ClassVar[dict[str, tuple[float, float]]] = {
        "epochs": (1, 100_000), "batch_size": (1, 1_000_000), "lr": (0, 1000), "momentum": (0, 0.9999),
        "rmsprop_decay": (0, 0.9999), "rmsprop_eps": (0, 1e6), "adamw_lr": (0, 1000), "bias_lr": (0, 1000),
        "weight_decay": (0, 10), "warmup_epochs": (0, 100_000), "step_epochs": (1, 100_000), "step_factor": (0, 1),
        "ema_decay": (0, 1), "clip_norm": (0, 1e9), "checkpoint_minutes": (0, 1e6), "seed": (0, 2**31 - 1),
    }  # fmt: skip

    ONLY: ClassVar[dict[str, tuple[str, object]]] = {  # fields that take effect with one value of another field only
        "rmsprop_decay": ("optimizer", "rmsprop"), "rmsprop_eps": ("optimizer", "rmsprop"), "nesterov": ("optimizer", "sgd"),
        "adamw_lr": ("optimizer", "muon"), "bias_lr": ("optimizer", "muon"),
        "step_epochs": ("schedule", "step"), "step_factor": ("schedule", "step"),
    }  # fmt: skip

    epochs: int = 90
    batch_size: int = 128  # images a step, over all processes
    optimizer: Literal["sgd", "rmsprop", "muon"] = "sgd"  # rmsprop: TensorFlow's, `RMSpropTF`; muon: of filters, `Muon`
    lr: float = 0.1  # of a whole batch, whatever the number of processes
    momentum: float = 0.9
    nesterov: bool = True  # sgd
    rmsprop_decay: float = 0.9  # rmsprop: of the mean square
    rmsprop_eps: float = 1.0  # rmsprop: inside the root
    adamw_lr: float = 0.001  # muon: of linear layers, by AdamW; rises and falls as `lr`
    bias_lr: float = 0.03  # muon: the same of biases and norms
    weight_decay: float = 1e-4  # on filters and linear weights; not on biases and norms
    schedule: Literal["cosine", "linear", "step"] = "cosine"  # how the rate falls after the warm-up: to 0, or in steps
    warmup_epochs: float = 1.0  # the rate rises in a straight line
    step_epochs: int = 8  # schedule "step": the rate is multiplied by `step_factor` every `step_epochs`
    step_factor: float = 0.96
    ema_decay: float = 0.999  # of the averaged weights, the final model; 0: no averaging
    clip_norm: float = 0.0  # the gradient's largest norm; 0: no clipping
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    sync_batch_norm: bool = True  # statistics over the batch of all processes; false: of each process's share
    checkpoint_minutes: float = 10.0  # between checkpoints; there is one after each epoch, too
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in _kinds(type(self)).items():
            _check_kind(f"recipe: {name}", getattr(self, name), kind)
        for name, (low, high) in self.RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise GodeeperError(f"recipe: {name} is {getattr(self, name)}: it must lie between {low:g} and {high:g}")
        for name, choices in _choices(type(self)).items():
            if getattr(self, name) not in choices:
                given = getattr(self, name)
                raise unknown(f"{name} in the recipe", given if isinstance(given, str) else quoted(given), choices)

    def with_overrides(self, settings: Iterable[str]) -> Self:
        """The recipe with settings such as "lr=0.05" or "crop_scale=0.3,1".

        GodeeperError for an unknown field, a bad value, and a setting that takes no effect.
        """
        changes: dict[str, Any] = {}
        for setting in settings:
            name, separator, text = setting.partition("=")
            if not separator:
                raise GodeeperError(f"recipe: {setting!r} is not of the form FIELD=VALUE")
            changes[name.strip()] = _parse(type(self), name.strip(), text.strip())
        recipe = replace(self, **changes)
        for name in changes.keys() & self.ONLY.keys():
            other, value = self.ONLY[name]
            if getattr(recipe, other) != value:
                raise GodeeperError(f"recipe: {name} takes effect with {other}={value} only, not {getattr(recipe, other)}")
        return recipe

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The reverse of `as_dict`; GodeeperError for an unknown field and a bad value.

        Fields that are missing, as they came later, have their defaults, which leave every run as it was.
        """
        only("the recipe", values, (), _kinds(cls))
        fields_of: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**fields_of)


@dataclass(frozen=True)
class Recipe(TrainConfig):
    """One training run of a classifier."""

    RANGES = TrainConfig.RANGES | {
        "image_size": (0, 10_000), "start_size": (0, 10_000), "layer_decay": (0, 1), "freeze_epochs": (0, 100_000),
        "mixup": (0, 100), "cutmix": (0, 100), "label_smoothing": (0, 1), "auxiliary_weight": (0, 100), "shift": (0, 1000),
    }  # fmt: skip

    ONLY = TrainConfig.ONLY | {
        "crop_scale": ("shift", 0), "crop_ratio": ("shift", 0), "alternating_flip": ("hflip", True),
    }  # fmt: skip

    image_size: int = 0  # pixels; 0: the network's own
    start_size: int = 0  # pixels in the first epoch, growing evenly to `image_size` by the last fifth; 0: the same all along
    layer_decay: float = 1.0  # each stage's rate as a share of the next one's; below 1, early stages learn slowly
    freeze_epochs: int = 0  # at first, these epochs train the classifiers only
    batch_norm: Literal["trained", "frozen"] = "trained"  # frozen: as it is in the weights that the run starts from
    label_smoothing: float = 0.1
    mixup: float = 0.0  # alpha of the Beta distribution of the shares of two mixed images; 0: no mixing
    cutmix: float = 0.0  # the same, of their areas; with both, each batch does one or the other
    auxiliary_weight: float = 0.3  # of each auxiliary head's loss, where the table has heads; 0: no heads
    crop_scale: tuple[float, float] = (0.08, 1.0)  # of a training patch, as a share of the image
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    hflip: bool = True
    alternating_flip: bool = False  # each image flipped every other epoch, not by chance
    color_jitter: bool = True  # brightness, contrast, colour
    shift: int = 0  # pixels; above 0, the whole image moved by up to so many each way, reflected at its border, not a crop

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, top in (("crop_scale", 1.0), ("crop_ratio", 100.0)):
            low, high = getattr(self, name)
            if not 0 < low <= high <= top:
                raise GodeeperError(f"recipe: {name} is {low:g},{high:g}: it must rise within 0 (excluded) to {top:g}")
        if self.shift and self.start_size:
            raise GodeeperError("recipe: with a shift, images have one size all along: set start_size=0 (or shift=0)")

    @property
    def augment(self) -> Augment:
        """How training images are varied."""
        return Augment(
            self.crop_scale, self.crop_ratio, self.hflip, self.color_jitter, self.shift, self.hflip and self.alternating_flip
        )

    def size_at(self, epoch: int, full: int) -> int:
        """The side of training images in that epoch, counted from 0: a multiple of 8 until it is `full`."""
        grown = epoch / (0.8 * self.epochs)
        if not self.start_size or grown >= 1:
            return full
        return min(full, int(self.start_size + grown * (full - self.start_size)) // 8 * 8)


def _kinds(recipe: type[TrainConfig]) -> dict[str, Any]:
    hints = get_type_hints(recipe)
    return {field.name: hints[field.name] for field in fields(recipe)}


def _check_kind(name: str, value: Any, kind: Any) -> None:
    """GodeeperError for a value of another type than a field's: recipes are also read from files that people edit."""
    numbers = get_args(kind) if get_origin(kind) is tuple else ()
    if kind is bool:
        flag(name, value)
    elif kind is int and type(value) is not int:
        raise GodeeperError(f"{name} is {quoted(value)}: it must be a whole number")
    elif kind is float and (type(value) not in (int, float) or (type(value) is int and abs(value) > LARGEST)):
        raise GodeeperError(f"{name} is {quoted(value)}: it must be a number")
    elif numbers and (type(value) is not tuple or not (Ellipsis in numbers or len(value) == len(numbers))):
        raise GodeeperError(f"{name} is {quoted(value)}: it must be {'some' if Ellipsis in numbers else len(numbers)} numbers")
    elif numbers:
        for each in value:
            _check_kind(name, each, numbers[0])


def _choices(recipe: type[TrainConfig]) -> dict[str, tuple[str, ...]]:
    return {name: get_args(hint) for name, hint in _kinds(recipe).items() if get_origin(hint) is Literal}


def _parse(recipe: type[TrainConfig], name: str, text: str) -> Any:
    if name not in _kinds(recipe):
        raise unknown("recipe field", name, _kinds(recipe))
    kind = _kinds(recipe)[name]
    try:
        if kind is bool:
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
        if kind in (int, float):
            return kind(text)
        if kind == tuple[float, float]:
            low, high = (float(part) for part in text.split(","))
            return low, high
        if kind == tuple[int, ...]:
            return tuple(int(part) for part in text.split(","))
        return text
    except (KeyError, ValueError):
        expected = {
            bool: "true or false", int: "a whole number", float: "a number", tuple[int, ...]: "whole numbers such as 32,64",
        }.get(kind, "two numbers such as 0.3,1")  # fmt: skip
        raise GodeeperError(f"recipe: {name}={text!r} is not {expected}") from None


recipes: dict[str, Recipe] = {
    # A sound start for photographs of your own. `godeeper train --model googlenet_bn --data FOLDER --out runs/mine`
    "standard": Recipe(),
    # The handwritten digits: small, quick, and only 1,438 images to train on, so crops keep most of each.
    # `godeeper train --model googlenet_bn --small --width 0.25 --data digits --recipe digits --out runs/digits`
    "digits": Recipe(
        epochs=16, batch_size=32, lr=0.05, warmup_epochs=2, weight_decay=5e-4, ema_decay=0.99, label_smoothing=0.05,
        clip_norm=2.0, crop_scale=(0.6, 1.0), color_jitter=False,
    ),
    # arXiv 1409.4842, Section 6: momentum 0.9, the rate cut by 4 % every 8 epochs, averaged weights, heads at 0.3, patches and
    # distortions as printed. Not printed: rate, batch, epochs, weight decay; these are those of Caffe's replication.
    # `godeeper train --model googlenet --data FOLDER --recipe googlenet_2014 --out runs/googlenet`
    "googlenet_2014": Recipe(
        epochs=60, batch_size=32, lr=0.01, momentum=0.9, nesterov=False, weight_decay=2e-4, schedule="step", warmup_epochs=0,
        step_epochs=8, step_factor=0.96, ema_decay=0.9999, label_smoothing=0.0, auxiliary_weight=0.3,
    ),
    # arXiv 1602.07261, Section 4: RMSProp with decay 0.9 and epsilon 1.0, rate 0.045 times 0.94 every 2 epochs, averaged weights.
    # Not printed: momentum, weight decay, averaging's decay, the heads' weight; these are the released code's. Epochs: the
    # figures end between 160 and 200. Batch: of one of the paper's 20 replicas, as released.
    # `godeeper train --model inception_v4 --data FOLDER --recipe inception_2016 --out runs/inception_v4`
    "inception_2016": Recipe(
        epochs=160, batch_size=32, optimizer="rmsprop", lr=0.045, momentum=0.9, rmsprop_decay=0.9, rmsprop_eps=1.0,
        weight_decay=4e-5, schedule="step", warmup_epochs=0, step_epochs=2, step_factor=0.94, ema_decay=0.9999,
        label_smoothing=0.1, auxiliary_weight=0.4,
    ),
    # What the field has found since: a cosine, warm-up, decay on filters only, mixed images, an average of the weights, and
    # images that grow from 128 pixels. A long run: below some 50 epochs, leave the mixing out (`--set mixup=0 --set cutmix=0`).
    # `godeeper train --model inception_v4 --data FOLDER --recipe modern --out runs/modern`
    "modern": Recipe(
        epochs=100, batch_size=512, lr=0.4, warmup_epochs=5, weight_decay=5e-5, ema_decay=0.9999, label_smoothing=0.1,
        mixup=0.2, cutmix=1.0, start_size=128, auxiliary_weight=0.0,
    ),
    # From published weights to images of your own: an epoch of the new classifier alone, then everything, each stage at 90 % of
    # the next one's rate; batch norm as the weights bring it, so that batches may be small and steps many. The papers do not
    # fine-tune.
    # `godeeper train --model inception_v4 --weights timm/inception_v4.tf_in1k --data FOLDER --recipe finetune --out runs/tuned`
    "finetune": Recipe(
        epochs=20, batch_size=8, lr=0.02, layer_decay=0.9, freeze_epochs=1, batch_norm="frozen", warmup_epochs=1,
        weight_decay=1e-4, ema_decay=0.99, clip_norm=1.0, crop_scale=(0.5, 1.0), auxiliary_weight=0.0,
    ),
    # CIFAR-10, by tables with batch norm: whole images, shifted by 2 pixels and flipped every other epoch, Muon for filters
    # (arXiv 2404.00498 and its code), a rate that falls in a straight line.
    # `godeeper train --model googlenet_cifar --data cifar10 --recipe cifar10 --out runs/cifar10`
    "cifar10": Recipe(
        epochs=13, batch_size=500, optimizer="muon", lr=0.12, momentum=0.6, schedule="linear", warmup_epochs=0,
        weight_decay=0.12, ema_decay=0.9, label_smoothing=0.2, auxiliary_weight=0.0, alternating_flip=True, color_jitter=False,
        shift=2,
    ),
    # Images of 32 pixels by any table, with batch norm or without: how the arms of the claims are trained.
    # `godeeper train --model googlenet_bn --small --width 0.25 --data cifar10 --recipe claims --out runs/small`
    "claims": Recipe(
        epochs=30, batch_size=128, lr=0.1, warmup_epochs=1, weight_decay=5e-4, ema_decay=0.998, label_smoothing=0.05,
        crop_scale=(0.4, 1.0), color_jitter=False,
    ),
}  # fmt: skip


def recipe_named(name: str) -> Recipe:
    """The recipe of that name; GodeeperError, with the nearest name, where there is none."""
    if name not in recipes:
        raise unknown("recipe", name, recipes)
    return recipes[name]
