"""What happens to a picture's pixels before a network sees them: plain data, kept with the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .errors import GodeeperError


@dataclass(frozen=True)
class Preprocess:
    """The crop's side in pixels, and the mean and deviation (of 0..1 RGB) that normalise it: (x - mean) / std.

    The defaults are ImageNet's, as everyone uses them.
    """

    image_size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if self.image_size < 1 or len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise GodeeperError(f"preprocessing is out of range: {self}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocess:
        """The reverse of `as_dict`; GodeeperError for missing or wrong values."""
        try:
            return cls(int(values["image_size"]), tuple(map(float, values["mean"])), tuple(map(float, values["std"])))  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError) as error:
            raise GodeeperError(f"preprocessing cannot be read: {error!r}") from None
