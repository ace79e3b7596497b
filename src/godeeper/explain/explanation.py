"""What a network says of one image, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..data.crops import Box
from ..errors import GodeeperError
from ..models.network import Network
from .branches import Part, branch_maps, check_module, contributions, modules
from .cam import centre_crop, class_maps, evaluating, last_features, looked_at
from .votes import Vote, crop_probabilities, crop_views, votes_of

SMALLEST, LARGEST = 320, 640  # pixels: the longer side of an image as it is shown


@dataclass(frozen=True)
class Explanation:
    """What a network says of an image, and why. Classes are numbers; maps are (H, W), 0..1, of the image as it is shown."""

    crop: Box  # in the image's pixels: what answer, maps and parts are about
    answer: list[tuple[int, float]]  # classes and probabilities, likeliest first
    stage: str  # that the maps are of
    maps: list[Tensor]  # of those classes
    module: str | None  # whose branches the parts are; None: the network has none
    parts: list[Part]  # what each adds to the logits of those classes
    part_maps: list[Tensor]  # of the likeliest class, a map a branch
    votes: list[Vote]
    mean: list[float]  # each class's probability, averaged over the crops

    def tally(self) -> list[tuple[int, int]]:
        """The classes voted for and their numbers of votes, those with most first."""
        return sorted(Counter(vote.label for vote in self.votes).items(), key=lambda one: (-one[1], -self.mean[one[0]], one[0]))

    def as_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """The same as JSON has it, without maps."""
        return {
            "crop": list(self.crop),
            "predictions": [{"label": classes[label], "probability": probability} for label, probability in self.answer],
            "module": self.module,
            "branches": [{"branch": part.name, "adds": list(part.adds)} for part in self.parts],  # a number a prediction
            "crops": len(self.votes),
            "votes": [{"label": classes[label], "votes": n, "probability": self.mean[label]} for label, n in self.tally()],
        }


def explain(
    network: Network, image: Image.Image, *, top: int = 3, module: str | None = None, crops: int = 144,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Explanation:  # fmt: skip
    """Explains the answer to an RGB image: maps of the `top` likeliest classes, a module's branches, the votes of the crops.

    `module` is a stage, by default the last with branches. `progress` is told how many crops have voted, and of how many.
    GodeeperError for an unknown module and another number of crops than 1, 10, 12 and 144.
    """
    stage = check_module(network.definition, module) if module is not None or modules(network.definition) else None
    with evaluating(network), torch.inference_mode():
        probabilities = network(centre_crop(network, image)).softmax(1)[0].cpu()
    if not torch.isfinite(probabilities).all():
        raise GodeeperError("the network's answers are not numbers: its weights are damaged")
    best = probabilities.topk(min(top, network.num_classes))
    labels = best.indices.tolist()
    size = shown_size(image.size)
    said = crop_probabilities(network, image, crops, progress)
    return Explanation(
        crop=looked_at(network, image.size),
        answer=list(zip(labels, best.values.tolist(), strict=True)),
        stage=last_features(network.definition),
        maps=class_maps(network, image, labels, size),
        module=stage,
        parts=contributions(network, image, labels, stage) if stage else [],
        part_maps=branch_maps(network, image, labels[0], stage, size) if stage else [],
        votes=votes_of(crop_views(network, image.size, crops), said),
        mean=said.mean(0).tolist(),
    )


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """The width and height that an image is shown at: tiny ones several times as large, large ones smaller."""
    longer = max(size)
    scale = -(-SMALLEST // longer) if longer < SMALLEST else min(1.0, LARGEST / longer)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
