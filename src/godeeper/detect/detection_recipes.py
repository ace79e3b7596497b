"""What a training run of a detector is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import GodeeperError
from ..papers.facts_googlenet import GOOGLENET_MULTIBOX
from ..train.recipe import Recipe, TrainConfig
from .detector_spec import DETECTOR_SIZES, MULTIBOX_SIZES, check_geometry


@dataclass(frozen=True)
class ObjectRecipe(TrainConfig):
    """What training runs on images with objects have in common."""

    lr: float = 0.02
    ema_decay: float = 0.99
    clip_norm: float = 10.0
    hflip: bool = True
    color_jitter: bool = True  # brightness, contrast, colour


@dataclass(frozen=True)
class DetectionRecipe(ObjectRecipe):
    """One training run of Faster R-CNN; the defaults suit some hundred images and a network that has batch norm."""

    RANGES = TrainConfig.RANGES | {"image_size": DETECTOR_SIZES, "longest": DETECTOR_SIZES, "regions": (1, 10_000)}

    epochs: int = 36
    batch_size: int = 4
    image_size: int = 600  # pixels of the shorter side
    longest: int = 1000  # pixels of the longer side, at most
    anchors: tuple[int, ...] = (32, 64, 128, 256, 512)  # sides, in pixels of the resized image
    regions: int = 128  # sampled from each image to learn from
    batch_norm: Literal["trained", "frozen"] = "trained"  # frozen: as it is in the weights that the run starts from

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            check_geometry(self.image_size, self.longest, self.anchors)
        except GodeeperError as error:
            raise GodeeperError(f"recipe: {error}") from None


@dataclass(frozen=True)
class MultiBoxRecipe(ObjectRecipe):
    """One training run of a MultiBox network."""

    RANGES = TrainConfig.RANGES | {"image_size": (0, MULTIBOX_SIZES[1]), "boxes": (1, 10_000)}

    epochs: int = 60
    batch_size: int = 16
    image_size: int = 0  # pixels of the square that images are resized to; 0: the network's own
    boxes: int = GOOGLENET_MULTIBOX  # arXiv 1409.4842, Section 8


# R-CNN's region classifier. Regions are warped already, so nothing is cropped; there are tens of thousands, many alike.
RCNN_RECIPE = Recipe(
    epochs=4, batch_size=128, lr=0.05, warmup_epochs=0.2, weight_decay=5e-4, ema_decay=0.99, label_smoothing=0.0,
    clip_norm=2.0, auxiliary_weight=0.0, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0),
)  # fmt: skip
