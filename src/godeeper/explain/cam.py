"""Where in an image the evidence for a class lies: Grad-CAM (arXiv 1610.02391), by captum, on the last stage with filters.

For a network that ends in an average pool and linear layers this is the class activation map of arXiv 1512.04150: the features
weighted by the classifier's own weights, whose sum over all places is the class's logit but for the bias.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image, ImageColor
from torch import Tensor, nn

from ..data.augment import normalise
from ..data.crops import Box, View, views
from ..data.views import take
from ..errors import GodeeperError
from ..models.network import Network, device_of
from ..packages import require
from ..papers.notation import LRN, Avg, Definition, Dropout, Max, rows
from .sight import Sight, Span, sight

RAMP = ("#140b3c", "#64146e", "#b93255", "#f06e23", "#fcbe28", "#fcfaa0")  # from no evidence to the most, darkest to lightest


def class_maps(network: Network, image: Image.Image, classes: Sequence[int], size: tuple[int, int] | None = None) -> list[Tensor]:
    """Where in an RGB image the evidence for each class lies: float32 (H, W), 0..1, at the image's size or at `size` (w, h).

    What is explained is the answer to one crop, the centre's, which is what `predict` gives: 0 outside it (`looked_at`). Each
    map is scaled by its own maximum; it is 0 everywhere where nothing speaks for the class. The network is left as it was.
    GodeeperError for a class that there is not, and where captum is missing.
    """
    for label in classes:
        if not 0 <= label < network.num_classes:
            raise GodeeperError(f"{network.definition.name} has the classes 0 to {network.num_classes - 1}, not {label}")
    stage = last_features(network.definition)
    with evaluating(network):
        x = centre_crop(network, image)
        grids = [evidence(network, x, network.stages[stage], label) for label in classes]
    seen = sight(network.definition, stage)
    return [laid(grid, seen, network, image.size, size) for grid in scaled(grids)]


def evidence(network: Network, x: Tensor, layer: nn.Module, label: int) -> Tensor:
    """What each place of a layer says for a class: (h, w), of one image (1, 3, H, W), in units of the class's logit.

    The layer's values times their channel's mean gradient, summed over channels; below 0 is evidence against.
    """
    attribution = require("captum.attr", "explain").LayerGradCam(network, layer)
    x = x.detach().requires_grad_()  # else a network whose weights are frozen has no gradients
    found: Tensor = attribution.attribute(x, target=label)[0, 0].detach().cpu()
    return found


def scaled(grids: Sequence[Tensor], together: bool = False) -> list[Tensor]:
    """Evidence in 0..1: evidence against is 0, the most is 1, in each of the grids or in all together."""
    positive = [grid.clamp(min=0) for grid in grids]
    most = max(grid.max().item() for grid in positive) if together and positive else 0.0
    return [grid / (most or grid.max().item() or 1.0) for grid in positive]


def last_features(definition: Definition) -> str:
    """The last stage that has filters: pools after it only coarsen what it found."""
    plain = (Max, Avg, LRN, Dropout)
    return [name for name, stage in definition.stages.items() if not all(isinstance(row, plain) for row in rows(stage))][-1]


@contextmanager
def evaluating(network: Network) -> Iterator[None]:
    """The network in evaluation; afterwards every part is in the mode in which it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def centre_view(network: Network, size: tuple[int, int]) -> View:
    """The one crop that the network is shown of an image of that width and height."""
    (view,) = views(*size, network.preprocess.image_size, 1, network.preprocess.resize.shorter_side)
    return view


def centre_crop(network: Network, image: Image.Image) -> Tensor:
    """That crop as the network wants it: (1, 3, H, W), normalised, on its device."""
    pixels = take(image, [centre_view(network, image.size)], network.preprocess.resize.interpolation)
    return normalise(pixels.to(device_of(network)), network.preprocess)


def looked_at(network: Network, size: tuple[int, int]) -> Box:
    """The crop in the pixels of an image of that width and height."""
    view = centre_view(network, size)
    x, y = (own / resized for own, resized in zip(size, view.resize, strict=True))
    return stretched(view.box, x, y)


def stretched(box: Box, x: float, y: float) -> Box:
    """The box in an image x times as wide and y times as high: outward to whole pixels, and never empty."""
    left, top = math.floor(box[0] * x + 1e-6), math.floor(box[1] * y + 1e-6)
    right, bottom = math.ceil(box[2] * x - 1e-6), math.ceil(box[3] * y - 1e-6)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def laid(grid: Tensor, seen: Sight, network: Network, image: tuple[int, int], size: tuple[int, int] | None = None) -> Tensor:
    """Values of units that see so much of the centre crop, (h, w), over an image of that width and height: (H, W).

    Each stands in the middle of what its unit sees; linear in between, constant beyond the outermost, 0 outside the crop.
    """
    view = centre_view(network, image)
    width, height = size or image
    across = _weights(width, view.resize[0], (view.box[0], view.box[2]), grid.shape[1], seen[1])
    down = _weights(height, view.resize[1], (view.box[1], view.box[3]), grid.shape[0], seen[0])
    return down @ grid @ across.T


def _weights(pixels: int, resized: int, crop: tuple[int, int], units: int, span: Span) -> Tensor:
    """How much of each unit is at each pixel along one side: (pixels, units)."""
    at = (torch.arange(pixels) + 0.5) * (resized / pixels) - crop[0]  # pixels of the crop
    inside = (at >= 0) & (at < crop[1] - crop[0])
    place = ((at - span.centre) / span.jump).clamp(0, units - 1)
    return (1 - (place[:, None] - torch.arange(units)).abs()).clamp(min=0) * inside[:, None]


def overlay(image: Image.Image, heat: Tensor) -> Image.Image:
    """The image in grey, at the map's size, and the map (H, W), 0..1, over it in the colours of `RAMP`."""
    size = heat.shape[1], heat.shape[0]
    enlarged = size[0] > image.width  # a tiny image: its pixels, as squares
    grey = image.convert("L").resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.BICUBIC)
    values = heat.numpy()
    channels = np.array([ImageColor.getrgb(colour) for colour in RAMP]).T
    colours = np.stack([np.interp(values, np.linspace(0, 1, len(RAMP)), channel) for channel in channels], 2)
    share = 0.6 * np.clip(1.2 * values, 0, 1)[..., None]
    return Image.fromarray((np.asarray(grey)[..., None] * (1 - share) + colours * share).round().astype(np.uint8))
