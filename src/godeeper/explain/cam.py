"""Where in an image the evidence for a class lies: Grad-CAM (arXiv 1610.02391), by captum, on the last stage with filters.

For a network that ends in an average pool and linear layers this is the class activation map of arXiv 1512.04150: the features
weighted by the classifier's own weights, whose sum over all positions is the class's logit without the bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageColor
from torch import Tensor, nn

from ..data.decode import ImageInput, as_image
from ..errors import GodeeperError
from ..eval_mode import eval_mode
from ..models.network import Network
from ..packages import require
from ..papers.notation import LRN, Avg, Definition, Dropout, Max, rows
from .centre_crop import centre_crop, spread_over_image
from .receptive_field import receptive_field

COLOUR_RAMP = ("#140b3c", "#64146e", "#b93255", "#f06e23", "#fcbe28", "#fcfaa0")  # from no evidence to the most


def class_maps(network: Network, image: ImageInput, classes: Sequence[int], size: tuple[int, int] | None = None) -> list[Tensor]:
    """Where in an image the evidence for each class lies: float32 (H, W), 0..1, at the image's size or at `size` (width, height).

    The maps explain the answer to the centre crop, which `predict` gives, and are 0 outside it (`crop_box`). Each is scaled by
    its own maximum; it is 0 everywhere if nothing speaks for the class. The network is left as it was. GodeeperError for an
    unknown class, for an image that cannot be decoded, and without captum.
    """
    image = as_image(image)
    for label in classes:
        if not 0 <= label < network.num_classes:
            raise GodeeperError(f"{network.definition.name} has the classes 0 to {network.num_classes - 1}, not {label}")
    stage = last_features(network.definition)
    with eval_mode(network):
        x = centre_crop(network, image)
        grids = [grad_cam(network, x, network.stages[stage], label) for label in classes]
    field = receptive_field(network.definition, stage)
    return [spread_over_image(grid, field, network, image.size, size) for grid in scale_to_one(grids)]


def grad_cam(network: Network, x: Tensor, layer: nn.Module, label: int) -> Tensor:
    """What each position of a layer adds to a class's logit: (h, w), for one input (1, 3, H, W); below 0 is evidence against.

    The layer's values times their channel's mean gradient, summed over the channels.
    """
    layer_grad_cam = require("captum.attr", "explain").LayerGradCam(network, layer)
    x = x.detach().requires_grad_()  # else a network with frozen weights has no gradients
    attribution: Tensor = layer_grad_cam.attribute(x, target=label)
    return attribution[0, 0].detach().cpu()


def scale_to_one(grids: Sequence[Tensor], shared: bool = False) -> list[Tensor]:
    """Evidence in 0..1: evidence against is 0, the maximum is 1, of each grid or, if `shared`, of all grids together."""
    positive = [grid.clamp(min=0) for grid in grids]
    most = max(grid.max().item() for grid in positive) if shared and positive else 0.0
    return [grid / (most or grid.max().item() or 1.0) for grid in positive]


def last_features(definition: Definition) -> str:
    """The name of the last stage that has filters: pools after it only make its map coarser."""
    plain = (Max, Avg, LRN, Dropout)
    return [name for name, stage in definition.stages.items() if not all(isinstance(row, plain) for row in rows(stage))][-1]


def overlay(image: Image.Image, heat: Tensor) -> Image.Image:
    """The image in grey at the map's size with the map (H, W), 0..1, over it in the colours of `COLOUR_RAMP`."""
    size = heat.shape[1], heat.shape[0]
    enlarged = size[0] > image.width  # a tiny image: its pixels as squares
    grey = image.convert("L").resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.BICUBIC)
    values = heat.numpy()
    channels = np.array([ImageColor.getrgb(colour) for colour in COLOUR_RAMP]).T
    colours = np.stack([np.interp(values, np.linspace(0, 1, len(COLOUR_RAMP)), channel) for channel in channels], 2)
    opacity = 0.6 * np.clip(1.2 * values, 0, 1)[..., None]
    return Image.fromarray((np.asarray(grey)[..., None] * (1 - opacity) + colours * opacity).round().astype(np.uint8))
