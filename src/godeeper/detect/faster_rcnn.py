"""Faster R-CNN (arXiv 1506.01497) on any network of the family, through torchvision's detection library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import detection as torchvision_detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from ..errors import GodeeperError
from ..models.build import build_stages, initialise
from ..models.network import Network, device_of
from ..papers.detection import aligned, levels, split, stage_outputs, trunk
from ..papers.registry import scaled
from ..papers.shape import FeatureShape
from .detections import Detections
from .loader import pixels

BatchNorm = Literal["sync", "frozen"]
PYRAMID = 256  # channels of every level of a feature pyramid, and
REGION = 7, 1024  # the grid that regions are pooled to there, the units that describe one (arXiv 1612.03144)
SCORE_THRESHOLD = 0.05  # a detection's least score


class FasterRCNN(nn.Module):
    """A detector: `network` up to the 16-pixel stride over the whole image, the rest of it over each region.

    With `pyramid`, all of it over the image, regions taken from a feature pyramid. `atrous` keeps features 8 pixels apart.
    Images are resized until their shorter side has `image_size` pixels, the longer one at most `longest`. `anchors` are the
    sides, in pixels of the resized image, of the squares that boxes are guessed from, each also twice as high and as wide.
    `regions` are learnt from in each image. The network's weights are taken over, not shared; `classes` are without background.
    """

    def __init__(
        self, network: Network, classes: Sequence[str], *, pyramid: bool = False, atrous: bool = False, image_size: int = 600,
        longest: int = 1000, anchors: Sequence[int] = (32, 64, 128, 256, 512), regions: int = 128,
    ) -> None:  # fmt: skip
        super().__init__()
        if pyramid and atrous:
            raise GodeeperError("atrous features and a feature pyramid are two answers to one question: choose one of them")
        self.definition = network.definition
        self.classes, self.preprocess = tuple(classes), network.preprocess
        self.arguments: dict[str, Any] = {
            "name": network.arguments["name"], "width": network.arguments["width"], "pyramid": pyramid, "atrous": atrous,
            "image_size": image_size, "longest": longest, "anchors": list(anchors), "regions": regions,
        }  # fmt: skip
        parts = _pyramid_parts(network, tuple(anchors)) if pyramid else _classical_parts(network, atrous, tuple(anchors))
        backbone, anchor_generator, pool, head, units = parts
        normalize = self.preprocess.normalize
        self.rcnn = torchvision_detection.FasterRCNN(
            backbone, min_size=image_size, max_size=longest, image_mean=normalize.mean, image_std=normalize.std,
            rpn_anchor_generator=anchor_generator,
            rpn_head=_ProposalHead(backbone.out_channels, anchor_generator.num_anchors_per_location()[0]),
            box_roi_pool=pool, box_head=head, box_predictor=_predictor(units, len(classes)),
            box_batch_size_per_image=regions, box_score_thresh=SCORE_THRESHOLD, rpn_post_nms_top_n_test=300,
        )  # fmt: skip
        self.rcnn.transform = Resized(image_size, longest, normalize.mean, normalize.std)

    def losses(self, images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Images (3, H, W) in 0..1, and of each its `boxes` (N, 4) and `labels` (N,) from 1 on -> the four losses by name."""
        self.rcnn.train(self.training)
        losses = self.rcnn(list(images), [dict(target) for target in targets])
        return {name.removeprefix("loss_"): loss for name, loss in losses.items()}

    @torch.inference_mode()
    def find(self, image: Image.Image) -> Detections:
        """What is in an RGB image: scores of at least 0.05, at most 100, after suppression at a Jaccard overlap of 0.5."""
        was_training = self.training
        (found,) = self.eval().rcnn([pixels(image).to(device_of(self)).float() / 255])
        self.train(was_training)
        boxes, labels, scores = (found[name].cpu().numpy() for name in ("boxes", "labels", "scores"))
        return Detections(boxes, labels - 1, scores)

    def freeze_batch_norm(self) -> None:
        """Keeps the statistics, scales and shifts of the network's batch norm as they are, also in training."""
        for module in list(self.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                    setattr(module, name, _frozen(child))


class Resized(GeneralizedRCNNTransform):  # type: ignore[misc]
    """Torchvision's transform, but with sizes in whole numbers: an exported detector has the same, to the pixel."""

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        before = torch._shape_as_tensor(image)[-2:]
        least, most = before.min(), before.max()
        (size,), longest = self.min_size, self.max_size
        after = torch.where(most * size <= longest * least, before * size // least, before * longest // most).clamp(min=1)
        sides: Any = after.unbind()  # as tensors, which tracing follows
        image = F.interpolate(image[None], size=sides, mode="bilinear", align_corners=False)[0]
        if target is not None:
            target["boxes"] = resize_boxes(target["boxes"], before.tolist(), after.tolist())
        return image, target


class _Frozen:
    """What a frozen batch norm does in training: the same as in evaluation."""

    def train(self, mode: bool = True) -> Any:
        return super().train(False)  # type: ignore[misc]


class FrozenBatchNorm1d(_Frozen, nn.BatchNorm1d):
    """Batch norm that neither learns nor measures: (N, C)."""


class FrozenBatchNorm2d(_Frozen, nn.BatchNorm2d):
    """Batch norm that neither learns nor measures: (N, C, H, W)."""


def _frozen(module: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    module.__class__ = FrozenBatchNorm1d if isinstance(module, nn.BatchNorm1d) else FrozenBatchNorm2d
    return module.requires_grad_(False).eval()


class Trunk(nn.Module):
    """Images (N, 3, H, W) -> the features of each tapped stage, by name; with a pyramid, all of its channels."""

    def __init__(self, stages: nn.ModuleDict, taps: Sequence[str], channels: Sequence[int], pyramid: int = 0) -> None:
        super().__init__()
        self.stages, self.taps = stages, tuple(taps)
        self.pyramid = FeaturePyramidNetwork(list(channels), pyramid, LastLevelMaxPool()) if pyramid else None
        self.out_channels = pyramid or channels[-1]

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        tapped = {}
        for name, stage in self.stages.items():
            x = stage(x)
            if name in self.taps:
                tapped[name] = x
        features = tapped if self.pyramid is None else self.pyramid(tapped)
        return {name: one.float() for name, one in features.items()}  # so that anchors are of whole precision


# Boxes take the precision of the shifts that they are computed with; in bf16 they would move in steps of 2 pixels and more.
class _ProposalHead(RPNHead):  # type: ignore[misc]
    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        odds, shifts = super().forward(x)
        return [one.float() for one in odds], [one.float() for one in shifts]


class _Predictor(FastRCNNPredictor):  # type: ignore[misc]
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, shifts = super().forward(x)
        return logits.float(), shifts.float()


class RegionHead(nn.Module):
    """The rest of the network: regions (R, C, h, w) -> what its classifier would see, (R, units)."""

    def __init__(self, stages: nn.ModuleDict, head: nn.ModuleDict) -> None:
        super().__init__()
        self.stages, self.head = stages, head

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        for stage in (*self.stages.values(), *self.head.values()):
            x = stage(x)
        return x.flatten(1)


Parts = tuple[Trunk, AnchorGenerator, MultiScaleRoIAlign, nn.Module, int]


def _classical_parts(network: Network, atrous: bool, anchors: tuple[int, ...]) -> Parts:
    definition = network.definition
    last, shapes = split(definition), stage_outputs(definition)
    stages = _with_weights(trunk(definition, atrous), network)
    later = nn.ModuleDict({name: stage for name, stage in network.stages.items() if name not in stages})
    head = nn.ModuleDict(dict(list(network.head.items())[:-1]))  # without the classifier
    units: int = list(network.head.values())[-1].linear.in_features  # type: ignore[union-attr, assignment]
    # A region is pooled to the grid that the later stages see of a whole image.
    grid = shapes[last].height
    pool = MultiScaleRoIAlign([last], grid, sampling_ratio=2)
    generator = AnchorGenerator((anchors,), ((0.5, 1.0, 2.0),))
    return Trunk(stages, [last], [shapes[last].channels]), generator, pool, RegionHead(later, head), units


def _pyramid_parts(network: Network, anchors: tuple[int, ...]) -> Parts:
    found = levels(network.definition)
    stages = _with_weights(aligned(network.definition), network)
    width = float(network.arguments["width"])  # type: ignore[arg-type]
    channels, units, grid = scaled(PYRAMID, width), scaled(REGION[1], width), REGION[0]
    if len(anchors) != len(found) + 1:
        raise GodeeperError(
            f"a pyramid of {network.definition.name} has {len(found) + 1} levels, each with anchors of its own:"
            f" name {len(found) + 1} sides, not {len(anchors)}"
        )
    backbone = Trunk(stages, list(found), [shape.channels for shape in found.values()], channels)
    generator = AnchorGenerator(tuple((side,) for side in anchors), ((0.5, 1.0, 2.0),) * len(anchors))
    pool = MultiScaleRoIAlign(list(found), grid, sampling_ratio=2)
    head = TwoMLPHead(channels * grid**2, units)
    initialise(head)
    return backbone, generator, pool, head, units


def _predictor(units: int, classes: int) -> nn.Module:
    """What names a region, with background as class 0, and shifts its box: near equal odds and no shift at first, as printed."""
    predictor = _Predictor(units, classes + 1)
    nn.init.normal_(predictor.cls_score.weight, std=0.01)
    nn.init.normal_(predictor.bbox_pred.weight, std=0.001)
    nn.init.zeros_(predictor.cls_score.bias)
    nn.init.zeros_(predictor.bbox_pred.bias)
    return predictor


def _with_weights(stages: Any, network: Network) -> nn.ModuleDict:
    """These stages as modules, which differ from the network's in strides and padding only, with its weights."""
    size = network.definition.image_size
    modules, _ = build_stages(stages, FeatureShape(network.definition.in_channels, size, size), network.definition.batch_norm)
    for name, module in modules.items():
        module.load_state_dict(network.stages[name].state_dict())
    return modules
