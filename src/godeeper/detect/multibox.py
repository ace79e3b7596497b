"""MultiBox (Erhan et al., arXiv 1312.2249): a network that sees the whole image once and proposes boxes of objects."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.annotations import Floats
from ..data.pixels import normalise
from ..digests import json_digest
from ..errors import GodeeperError
from ..eval_mode import eval_mode
from ..models.network import Network, device_of
from ..packages import ignore_warnings, require
from ..papers.describe import describe
from ..papers.notation import Definition
from ..preprocess import Preprocess
from ..tensor_files import digest
from .detector_spec import MultiBoxSpec
from .object_loader import pixels

ALPHA = 0.3  # weight of the localization loss against the confidence loss
INITIAL_LOGIT = -2.0  # of every box: few of hundreds hold an object


class MultiBox(nn.Module):
    """The stages of a classifier and a head that predicts boxes, each with a confidence; `network` gives the stages' weights.

    Boxes are predicted as deltas from priors, the cluster centres of the training boxes. The image becomes a square, whatever
    its shape; coordinates are relative to its width and height. GodeeperError for an image size that the table does not take.
    """

    priors: Tensor

    def __init__(self, spec: MultiBoxSpec, network: Network | None = None) -> None:
        super().__init__()
        self.spec = spec
        describe(spec.definition)  # GodeeperError for a size that `Network` would stumble over
        self.network = Network(spec.definition)
        if network is not None:
            self.network.stages.load_state_dict(network.stages.state_dict())
        with torch.no_grad():  # at first, the boxes are the priors, all of low confidence
            linear: nn.Linear = self.network.head["linear"].linear  # type: ignore[assignment]
            linear.weight.view(spec.boxes, 5, -1)[:, :4] = 0
            linear.bias.view(spec.boxes, 5)[:, 4] = INITIAL_LOGIT
        self.register_buffer("priors", torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(spec.boxes, 1))

    @property
    def definition(self) -> Definition:
        """The whole table."""
        return self.network.definition

    @property
    def preprocess(self) -> Preprocess:
        """How images are normalised, and the size of the squares."""
        return self.spec.model.preprocess.with_size(self.spec.image_size)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, 3, size, size), normalised -> boxes (N, K, 4), and logits (N, K) that they hold objects."""
        output = self.network(x).view(len(x), -1, 5)
        box_deltas, logits = output[..., :4], output[..., 4]
        return self.priors + box_deltas, logits

    def resize_normalize(self, images: list[Tensor]) -> Tensor:
        """Images, uint8 (3, H, W) of any shape -> what `forward` takes."""
        size = (self.preprocess.image_size,) * 2
        resized = [F.interpolate(image[None], size, mode="bilinear", antialias=True) for image in images]
        return normalise(torch.cat(resized).to(device_of(self)), self.preprocess).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def propose(self, image: Image.Image) -> Floats:
        """Boxes (N, 4) in pixels of an RGB image, by falling confidence, clipped to it; none below a pixel in width or height."""
        with eval_mode(self):
            boxes, logits = self(self.resize_normalize([pixels(image)]))
        sides = np.array([image.width, image.height] * 2, np.float32)
        order = logits[0].argsort(descending=True, stable=True)
        clipped = boxes[0][order].cpu().numpy().clip(0, 1) * sides
        large: Floats = clipped[(clipped[:, 2] - clipped[:, 0] >= 1) & (clipped[:, 3] - clipped[:, 1] >= 1)]
        return large


def multibox_loss(boxes: Tensor, logits: Tensor, priors: Tensor, objects: list[Tensor]) -> dict[str, Tensor]:
    """Boxes (N, K, 4), logits (N, K), priors (K, 4), the objects of each image (M, 4) -> two losses, means over images.

    Each object is assigned to one prior so that the sum of squared distances is least (at most K objects are assigned).
    `localization` is the squared distance of that prior's box to the object; `confidence` is the cross-entropy of all logits,
    with 1 for assigned priors and 0 for the others.
    """
    optimize = require("scipy.optimize", "detect")
    assigned = torch.zeros_like(logits)
    distance = boxes.new_zeros(())
    costs = [torch.cdist(priors.double(), truth.double()).square() for truth in objects]  # (K, M) each
    on_cpu = torch.cat(costs, 1).cpu().split([len(truth) for truth in objects], 1)  # at once: the device is waited for
    for number, truth in enumerate(objects):
        if not len(truth):
            continue
        of_prior, of_object = (torch.from_numpy(side) for side in optimize.linear_sum_assignment(on_cpu[number].numpy()))
        assigned[number, of_prior] = 1.0
        distance = distance + 0.5 * (boxes[number, of_prior].float() - truth[of_object.to(truth.device)]).square().sum()
    confidence = F.binary_cross_entropy_with_logits(logits.float(), assigned.float(), reduction="sum")
    return {"localization": ALPHA * distance / len(objects), "confidence": confidence / len(objects)}


def cluster_boxes(boxes: Floats, count: int, seed: int) -> Floats:
    """Boxes (N, 4) -> `count` cluster centres (count, 4), by k-means; the boxes themselves, repeated, where they are fewer.

    GodeeperError where there are no boxes.
    """
    distinct = np.unique(boxes, axis=0)
    if not len(distinct):
        raise GodeeperError("there are no objects to make priors of")
    if len(distinct) <= count:
        return np.resize(distinct, (count, 4))
    vq = require("scipy.cluster.vq", "detect")
    ignore_warnings()  # of an empty cluster, whose centre stays where it was
    centres, _ = vq.kmeans2(boxes.astype(np.float64), count, iter=50, minit="++", seed=seed)
    return np.asarray(centres, np.float32)


class MultiBoxProposals:
    """The boxes that a MultiBox network proposes, as a `Proposer`."""

    def __init__(self, multibox: MultiBox) -> None:
        self.multibox = multibox
        self.name = f"multibox {digest(multibox.state_dict())} {json_digest(multibox.spec.as_dict())}"

    def __call__(self, image: Image.Image) -> Floats:
        return self.multibox.propose(image)
