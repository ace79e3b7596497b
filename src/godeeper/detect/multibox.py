"""MultiBox (Erhan et al., arXiv 1312.2249): a network that looks once at the whole image and names places of objects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.augment import normalise
from ..data.objects import Floats
from ..errors import BadCheckpoint, GodeeperError
from ..models.network import Network, device_of
from ..models.registry import create_model
from ..models.weights import weights_file
from ..packages import require
from ..papers.describe import describe
from ..papers.notation import Conv, FullyConnected, Linear, Stage
from ..papers.registry import scaled
from ..preprocess import Preprocess
from ..tensor_files import digest, load_tensors, save_tensors
from .loader import pixels
from .weights import fill

ALPHA = 0.3  # of the places' loss against the confidences'
CONV, UNITS = 64, 512  # of the head
RARE = -2.0  # the log odds at first that a place holds an object: few of hundreds do


class MultiBox(nn.Module):
    """`network` up to its last stage, then a head that keeps where things are: `boxes` places, each with a confidence.

    Places are told as shifts from priors, the centres of the training boxes' clusters. Whatever its shape, the image becomes a
    square of `image_size` pixels; coordinates are shares of its width and height. GodeeperError for a size that does not fit.
    """

    priors: Tensor

    def __init__(self, network: Network, *, boxes: int = 200, image_size: int | None = None) -> None:
        super().__init__()
        width = float(network.arguments["width"])  # type: ignore[arg-type]
        head: dict[str, Stage] = {
            "conv": Conv(scaled(CONV, width)),
            "fc": FullyConnected(scaled(UNITS, width)),
            "linear": Linear(5 * boxes),
        }
        size = image_size or network.preprocess.image_size
        self.definition = replace(network.definition, head=head, auxiliary={}, image_size=size)
        describe(self.definition)  # refuses, in words, what `Network` could only stumble over
        self.preprocess = network.preprocess.with_size(size)
        self.network = Network(self.definition)
        self.network.stages.load_state_dict(network.stages.state_dict())
        with torch.no_grad():  # the first guess is the priors, and that few of them hold an object
            linear: nn.Linear = self.network.head["linear"].linear  # type: ignore[assignment]
            linear.weight.view(boxes, 5, -1)[:, :4] = 0
            linear.bias.view(boxes, 5)[:, 4] = RARE
        self.register_buffer("priors", torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(boxes, 1))
        self.arguments: dict[str, Any] = {
            "name": network.arguments["name"], "width": width, "boxes": boxes, "image_size": size,
        }  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, size, size), normalised -> places (N, boxes, 4), and log odds that they hold objects (N, boxes)."""
        out = self.network(x).view(len(x), -1, 5)
        return self.priors + out[..., :4], out[..., 4]

    def squares(self, images: list[Tensor]) -> Tensor:
        """Images, uint8 (3, H, W) of any shape -> what `forward` takes."""
        size = (self.preprocess.image_size,) * 2
        resized = [F.interpolate(image[None], size, mode="bilinear", antialias=True) for image in images]
        return normalise(torch.cat(resized).to(device_of(self)), self.preprocess).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def propose(self, image: Image.Image) -> Floats:
        """Boxes (N, 4) in an RGB image, surest first, cut at its edges; those less than a pixel wide or high are left out."""
        was_training = self.training
        places, odds = self.eval()(self.squares([pixels(image)]))
        self.train(was_training)
        sides = np.array([image.width, image.height] * 2, np.float32)
        boxes = places[0][odds[0].argsort(descending=True, stable=True)].cpu().numpy().clip(0, 1) * sides
        result: Floats = boxes[(boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)]
        return result


def multibox_loss(places: Tensor, odds: Tensor, priors: Tensor, objects: list[Tensor]) -> dict[str, Tensor]:
    """Places (N, K, 4), log odds (N, K), priors (K, 4), each image's objects (M, 4) -> both losses, means over images.

    Each object is given to one prior, so that their squared distances are least in all (at most K of the objects are); what that
    prior's place is off by is the loss `places`, and to be confident there, and nowhere else, is the loss `confidence`.
    """
    scipy = require("scipy.optimize", "detect")
    matched = torch.zeros_like(odds)
    off = places.new_zeros(())
    for number, boxes in enumerate(objects):
        if not len(boxes):
            continue
        distances = torch.cdist(priors.double(), boxes.double()).square()
        ours, theirs = (torch.from_numpy(side) for side in scipy.linear_sum_assignment(distances.cpu().numpy()))
        matched[number, ours] = 1.0
        off = off + 0.5 * (places[number, ours].float() - boxes[theirs.to(boxes.device)]).square().sum()
    confidence = F.binary_cross_entropy_with_logits(odds.float(), matched.float(), reduction="sum")
    return {"places": ALPHA * off / len(objects), "confidence": confidence / len(objects)}


def cluster(boxes: Floats, count: int, seed: int) -> Floats:
    """The centres (count, 4) of that many clusters of boxes (N, 4): k-means from boxes drawn by `seed`.

    Fewer different boxes than that are repeated. GodeeperError where there are none.
    """
    different = np.unique(boxes, axis=0)
    if not len(different):
        raise GodeeperError("there are no objects to learn the places of")
    if len(different) <= count:
        return np.resize(different, (count, 4))
    centres = np.random.default_rng(seed).choice(different, count, replace=False)
    for _ in range(50):
        nearest = ((centres**2).sum(1) - 2 * boxes @ centres.T).argmin(1)  # of squared distances, less what a box adds to all
        sums, sizes = np.zeros((count, 4)), np.bincount(nearest, minlength=count)[:, None]
        np.add.at(sums, nearest, boxes)
        moved = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres).astype(np.float32)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


class MultiBoxProposals:
    """What a MultiBox network proposes, as a `Proposer`."""

    def __init__(self, multibox: MultiBox) -> None:
        self.multibox = multibox
        self.name = f"multibox {digest(multibox.state_dict())}"

    def __call__(self, image: Image.Image) -> Floats:
        return self.multibox.propose(image)


def save_multibox(multibox: MultiBox, path: str | Path) -> None:
    """Writes a MultiBox network's weights, arguments and preprocessing."""
    save_tensors(Path(path), multibox.state_dict(), {"multibox": multibox.arguments, "preprocess": multibox.preprocess.as_dict()})


def load_multibox(source: str | Path) -> MultiBox:
    """The MultiBox network of a run folder or weights file, in evaluation mode; BadCheckpoint where there is none."""
    file = weights_file(Path(source))
    tensors, metadata = load_tensors(file)
    if "multibox" not in metadata:
        raise BadCheckpoint(f"{str(file)!r} holds no MultiBox network: give a run of `godeeper detect train --method multibox`")
    try:
        options = dict(metadata["multibox"])
        if type(options["boxes"]) is not int or not 1 <= options["boxes"] <= 10_000:
            raise ValueError(f"boxes is {options['boxes']!r}")
        network = create_model(options.pop("name"), num_classes=1, width=options.pop("width"))
        network.preprocess = Preprocess.from_dict(metadata["preprocess"])
        multibox = MultiBox(network, **options)
    except (GodeeperError, KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{str(file)!r} describes a network that this version cannot make: {error}") from None
    fill(multibox, tensors, file)
    return multibox.eval()
