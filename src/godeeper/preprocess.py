"""What happens to an image's pixels before a network sees them: plain data, kept with the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal, get_args

from .errors import GodeeperError

Interpolation = Literal["bilinear", "area", "nearest", "cubic"]


@dataclass(frozen=True)
class Preprocess:
    """The crop's side in pixels and its share of the image's shorter side, how images are resized, mean and deviation.

    Mean and deviation are of RGB in 0..1, and normalise it: (x - mean) / std. The defaults are ImageNet's, as everyone uses them.
    """

    image_size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    crop_fraction: float = 224 / 256
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        numbers = (*self.mean, *self.std, self.crop_fraction)
        sound = all(map(isfinite, numbers)) and len(self.mean) == len(self.std) == 3 and min(self.std) > 0
        sized = 1 <= self.image_size <= 100_000 and 0.01 <= self.crop_fraction <= 1
        if not sound or not sized or self.interpolation not in get_args(Interpolation):
            raise GodeeperError(f"preprocessing is out of range: {self}")

    @property
    def resize(self) -> int:
        """The image's shorter side, in pixels, once it is resized for one crop."""
        return round(self.image_size / self.crop_fraction)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocess:
        """The reverse of `as_dict`; GodeeperError for missing or wrong values."""
        try:
            mean, std = (tuple(float(value) for value in values[name]) for name in ("mean", "std"))
            known = {name: values[name] for name in ("crop_fraction", "interpolation") if name in values}
            return cls(int(values["image_size"]), mean, std, **known)  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise GodeeperError(f"preprocessing cannot be read: {error!r}") from None
