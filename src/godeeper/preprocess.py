"""What happens to an image's pixels before a network sees them: plain data, kept with the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any, Literal, Self, cast, get_args

from .errors import GodeeperError
from .fields import number, only, quoted

Interpolation = Literal["bilinear", "bicubic", "nearest", "area"]
ResizeMode = Literal["crop", "squash"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LARGEST_SIZE = 10_000  # pixels
MEAN_AND_STD = {"mean": (-1000.0, 1000.0), "std": (1e-4, 1e4)}  # of values in 0..1: others leave nothing of an image


def _are_numbers(*values: Any) -> bool:
    return all(type(value) is int or (type(value) is float and isfinite(value)) for value in values)


@dataclass(frozen=True)
class Resize:
    """How an image becomes `size` x `size` pixels.

    "crop" scales the shorter side to `size / crop_fraction` and cuts out the centre; "squash" scales both sides alone, without
    regard to the aspect ratio. `antialias` averages over the pixels that a smaller image has no room for, as Pillow does;
    TensorFlow and Keras do not. GodeeperError for values out of range.
    """

    size: int = 224
    mode: ResizeMode = "crop"
    crop_fraction: float = 224 / 256
    interpolation: Interpolation = "bilinear"
    antialias: bool = True

    def __post_init__(self) -> None:
        in_range = (
            type(self.size) is int
            and 1 <= self.size <= LARGEST_SIZE
            and self.mode in get_args(ResizeMode)
            and _are_numbers(self.crop_fraction)
            and 0.01 <= self.crop_fraction <= 1
            and self.interpolation in get_args(Interpolation)
            and isinstance(self.antialias, bool)
        )
        if not in_range:
            words = ", ".join(f"{field.name}={quoted(getattr(self, field.name))}" for field in fields(self))
            raise GodeeperError(f"preprocessing is out of range: {words}")

    @property
    def shorter_side(self) -> int:
        """The image's shorter side, in pixels, before the centre is cut out."""
        return self.size if self.mode == "squash" else round(self.size / self.crop_fraction)


@dataclass(frozen=True)
class Normalize:
    """(x - mean) / std of RGB values in 0..1. The defaults are ImageNet's, as everyone uses them."""

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        for name, (low, high) in MEAN_AND_STD.items():
            values = getattr(self, name)
            if len(values) != 3:
                raise GodeeperError(f"preprocessing: {name} has {len(values)} numbers, not one each of red, green, blue")
            for value in values:
                number(f"preprocessing: {name}", value, low, high)


RANGES = {  # what networks are fed, by what people call it
    "-1..1": Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "0..1": Normalize((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "0..255": Normalize((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
    "imagenet": Normalize(),
}


@dataclass(frozen=True)
class Preprocess:
    """Resizing, then normalisation."""

    resize: Resize = Resize()
    normalize: Normalize = Normalize()

    @classmethod
    def of(
        cls,
        size: int = 224,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
        **resize: Any,
    ) -> Self:
        """The two in one call; `resize` are further fields of `Resize`."""
        return cls(Resize(size, **resize), Normalize(mean, std))

    @property
    def image_size(self) -> int:
        """The side, in pixels, of what the network sees."""
        return self.resize.size

    def with_size(self, size: int) -> Self:
        """The same for images of another size."""
        return replace(self, resize=replace(self.resize, size=size))

    def adjusted(self, words: str) -> Self:
        """The same but for what `words` say, with commas between: a range, a resize mode, a filter, a size: "0..1,squash".

        GodeeperError for a word that means nothing here.
        """
        resize, normalize = self.resize, self.normalize
        for word in (part.strip() for part in words.split(",")):
            if word in RANGES:
                normalize = RANGES[word]
            elif word in get_args(ResizeMode):
                resize = replace(resize, mode=cast(ResizeMode, word))
            elif word in get_args(Interpolation):
                resize = replace(resize, interpolation=cast(Interpolation, word))
            elif word.isascii() and word.isdigit() and len(word) < 6:
                resize = replace(resize, size=int(word))
            else:
                known = ", ".join([*RANGES, *get_args(ResizeMode), *get_args(Interpolation)])
                raise GodeeperError(f"preprocessing {word!r} is unknown: give some of {known}, or a size in pixels")
        return replace(self, resize=resize, normalize=normalize)

    @property
    def words(self) -> str:
        """What `adjusted` takes to mean the same, as far as it has words for it."""
        mean, std = self.normalize.mean, self.normalize.std
        own = f"mean {' '.join(f'{x:.3g}' for x in mean)} std {' '.join(f'{x:.3g}' for x in std)}"
        values = next((word for word, known in RANGES.items() if known == self.normalize), own)
        return f"{values},{self.resize.mode},{self.resize.interpolation},{self.resize.size}"

    def whole(self) -> Self:
        """The same for whole images: nothing is cut off but what a square has no room for."""
        return replace(self, resize=replace(self.resize, crop_fraction=1.0))

    def transforms(self) -> Any:
        """The same as a `torchvision.transforms.v2` pipeline: PIL image or uint8 tensor -> float tensor (3, size, size)."""
        import torch
        from torchvision.transforms import v2

        how = self.resize
        mode = v2.InterpolationMode("box" if how.interpolation == "area" else how.interpolation)
        resized = [how.size, how.size] if how.mode == "squash" else how.shorter_side
        by_pillow = how.interpolation in ("nearest", "area")  # torchvision has other nearest pixels of tensors, and no averages
        antialias = how.antialias or by_pillow  # PIL images are always resized with it
        first = [v2.ToPILImage()] if by_pillow else [] if antialias else [v2.ToImage()]
        return v2.Compose([
            *first,
            v2.Resize(resized, mode, antialias=antialias),
            v2.CenterCrop(how.size),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(self.normalize.mean), list(self.normalize.std)),
        ])  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is the reverse."""
        normalize = {name: list(values) for name, values in asdict(self.normalize).items()}
        return {"resize": asdict(self.resize), "normalize": normalize}

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """The reverse of `as_dict`; GodeeperError for missing, unknown or wrong values."""
        only("the preprocessing", values, ("resize", "normalize"))
        resize = only("the preprocessing's resize", values["resize"], (field.name for field in fields(Resize)))
        normalize = only("the preprocessing's normalize", values["normalize"], MEAN_AND_STD)
        for name, numbers in normalize.items():
            if not isinstance(numbers, list):
                raise GodeeperError(f"preprocessing: {name} is {quoted(numbers)}: it must be a list of three numbers")
        return cls(Resize(**resize), Normalize(**{name: tuple(numbers) for name, numbers in normalize.items()}))
