"""What a network predicts for one image, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..data.crops import Box
from ..data.decode import ImageInput, as_image
from ..errors import GodeeperError
from ..eval_mode import eval_mode
from ..models.network import Network
from .branches import BranchContribution, branch_contributions, branch_maps, check_module, stages_with_branches
from .cam import class_maps, last_features
from .centre_crop import boxes_of, centre_crop, crop_box
from .crop_predictions import CropPrediction, crop_probabilities, most_likely

SMALLEST, LARGEST = 320, 640  # pixels: the longer side of an image as it is displayed


@dataclass(frozen=True)
class Explanation:
    """What a network predicts for an image, and why. Classes are indices; maps are (H, W), 0..1, at `display_size`."""

    crop: Box  # in the image's pixels: what predictions, maps and branches are about
    predictions: list[tuple[int, float]]  # classes and their probabilities, most likely first
    stage: str  # of the maps
    maps: list[Tensor]  # of the classes in `predictions`
    module: str | None  # the stage with the branches; None: the network has none
    branches: list[BranchContribution]  # to the logits of the classes in `predictions`
    branch_maps: list[Tensor]  # of the most likely class, one per branch
    crop_predictions: list[CropPrediction]
    mean_probabilities: list[float]  # of each class, over the crops

    def crop_counts(self) -> list[tuple[int, int]]:
        """The classes that crops predict and in how many crops, most crops first."""
        counts = Counter(crop.label for crop in self.crop_predictions)
        return sorted(counts.items(), key=lambda item: (-item[1], -self.mean_probabilities[item[0]], item[0]))

    def as_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """JSON-ready, without the maps; `classes` are the names of all classes."""
        mean = self.mean_probabilities
        return {
            "crop": list(self.crop),
            "predictions": [{"label": classes[label], "probability": probability} for label, probability in self.predictions],
            "module": self.module,
            "branches": [{"branch": item.branch, "logits": list(item.logits)} for item in self.branches],
            "crops": len(self.crop_predictions),
            "crop_predictions": [
                {"label": classes[label], "crops": count, "probability": mean[label]} for label, count in self.crop_counts()
            ],
        }


def explain(
    network: Network, image: ImageInput, *, top: int = 3, module: str | None = None, crops: int = 144,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Explanation:  # fmt: skip
    """Explains a network's answer to an image (path, bytes, PIL image or uint8 array (H, W, 3)).

    Maps of the `top` most likely classes, the contributions of the branches of `module` (a stage; by default the last with
    branches), and the prediction for each of 1, 6, 10, 12 or 144 `crops`. `progress` is called with the number of crops done and
    of all crops. GodeeperError for an unknown module, another number of crops, and an image that cannot be decoded.
    """
    if top < 1:
        raise GodeeperError(f"top is {top}: at least one class is explained")
    image = as_image(image)
    has_branches = module is not None or bool(stages_with_branches(network.definition))
    stage = check_module(network.definition, module) if has_branches else None
    with eval_mode(network), torch.inference_mode():
        probabilities = network(centre_crop(network, image)).softmax(1)[0].cpu()
    if not torch.isfinite(probabilities).all():
        raise GodeeperError("the network's outputs are not finite: its weights are damaged")
    best = probabilities.topk(min(top, network.num_classes))
    labels = best.indices.tolist()
    size = display_size(image.size)
    by_crop = crop_probabilities(network, image, crops, progress)
    return Explanation(
        crop=crop_box(network, image.size),
        predictions=list(zip(labels, best.values.tolist(), strict=True)),
        stage=last_features(network.definition),
        maps=class_maps(network, image, labels, size),
        module=stage,
        branches=branch_contributions(network, image, labels, stage) if stage else [],
        branch_maps=branch_maps(network, image, labels[0], stage, size) if stage else [],
        crop_predictions=most_likely(boxes_of(network, image.size, crops), by_crop),
        mean_probabilities=by_crop.mean(0).tolist(),
    )


def display_size(size: tuple[int, int]) -> tuple[int, int]:
    """The width and height at which an image is displayed: tiny ones several times as large, large ones smaller."""
    longer = max(size)
    scale = -(-SMALLEST // longer) if longer < SMALLEST else min(1.0, LARGEST / longer)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
