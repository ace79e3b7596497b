"""Faster R-CNN (arXiv 1506.01497) on any of the networks, with torchvision's detection library."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

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
from ..eval_mode import eval_mode
from ..models.build import build_stages, initialise
from ..models.network import Network, device_of
from ..papers.detection import aligned, levels, split, stage_outputs, trunk
from ..papers.notation import Definition, Stage
from ..papers.shape import FeatureShape
from ..train.batch_norm import batch_norms
from .detections import Detections
from .detector_spec import PYRAMID_GRID, DetectorSpec
from .object_loader import pixels

ASPECT_RATIOS = (0.5, 1.0, 2.0)  # of anchors: height / width
SCORE_THRESHOLD = 0.05  # of a detection, at least


class FasterRCNN(nn.Module):
    """A detector made of a classifier: up to a stride of 16 pixels it runs on the whole image, the rest of it on each region.

    `spec` says what it is; the weights are fresh, or copied from `network`. In training, `regions` are sampled from each image
    to learn from. GodeeperError for a table that no detector can be made of.
    """

    def __init__(self, spec: DetectorSpec, network: Network | None = None, *, regions: int = 128) -> None:
        super().__init__()
        self.spec = spec
        network = Network(spec.model) if network is None else network
        layout = _pyramid_layout(spec, network) if spec.pyramid else _classical_layout(spec, network)
        normalize = spec.model.preprocess.normalize
        self.rcnn = torchvision_detection.FasterRCNN(
            layout.backbone, min_size=spec.image_size, max_size=spec.longest,
            image_mean=normalize.mean, image_std=normalize.std,
            rpn_anchor_generator=layout.anchors,
            rpn_head=_ProposalHead(layout.backbone.out_channels, layout.anchors.num_anchors_per_location()[0]),
            box_roi_pool=layout.pool, box_head=layout.region_head, box_predictor=_box_predictor(layout.units, len(spec.classes)),
            box_batch_size_per_image=regions, box_score_thresh=SCORE_THRESHOLD, rpn_post_nms_top_n_test=300,
        )  # fmt: skip
        self.rcnn.transform = ResizeNormalize(spec.image_size, spec.longest, normalize.mean, normalize.std)
        self.frozen_batch_norm = False

    @property
    def definition(self) -> Definition:
        """The table of the classifier."""
        return self.spec.model.definition

    @property
    def classes(self) -> tuple[str, ...]:
        """What is found, in label order."""
        return self.spec.classes

    def losses(self, images: Sequence[Tensor], targets: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The four losses by name, in training mode.

        Images (3, H, W) in 0..1; each target has `boxes` (N, 4) and `labels` (N,), counted from 1 as 0 is background.
        """
        losses = self.rcnn(list(images), [dict(target) for target in targets])
        return {name.removeprefix("loss_"): loss for name, loss in losses.items()}

    @torch.inference_mode()
    def find(self, image: Image.Image) -> Detections:
        """The objects of an RGB image: scores of at least 0.05, non-maximum suppression at an IoU of 0.5, at most 100."""
        with eval_mode(self):
            (output,) = self.rcnn([pixels(image).to(device_of(self)).float() / 255])
        boxes, labels, scores = (output[name].cpu().numpy() for name in ("boxes", "labels", "scores"))
        detections = Detections(boxes, labels - 1, scores)
        if fault := detections.fault(len(self.classes), image.size):
            raise GodeeperError(f"the detector finds {fault}: its weights are damaged")
        return detections

    def freeze_batch_norm(self) -> None:
        """Keeps the statistics, scales and shifts of the network's batch norm as they are, also in training."""
        if not batch_norms(self):
            raise GodeeperError(f"recipe: batch_norm=frozen, but {self.definition.name} has no batch norm: leave it out")
        self.frozen_batch_norm = True
        for norm in batch_norms(self):
            norm.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Sets training or evaluation mode; frozen batch norm stays in evaluation."""
        super().train(mode)
        for norm in batch_norms(self) if self.frozen_batch_norm else ():
            norm.eval()
        return self


class ResizeNormalize(GeneralizedRCNNTransform):  # type: ignore[misc]
    """Torchvision's transform with integer arithmetic for sizes, which an exported detector repeats exactly."""

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        before = torch._shape_as_tensor(image)[-2:]
        shorter, longer = before.min(), before.max()
        (size,), longest = self.min_size, self.max_size
        fits = longer * size <= longest * shorter
        after = torch.where(fits, before * size // shorter, before * longest // longer).clamp(min=1)
        sides: Any = after.unbind()  # tensors, which tracing follows
        image = F.interpolate(image[None], size=sides, mode="bilinear", align_corners=False)[0]
        if target is not None:
            target["boxes"] = resize_boxes(target["boxes"], before.tolist(), after.tolist())
        return image, target


class Backbone(nn.Module):
    """Images (N, 3, H, W) -> the features of each stage named in `taps`; with a pyramid, all of `pyramid` channels."""

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
        return {name: feature.float() for name, feature in features.items()}  # anchors take over their precision


class RegionHead(nn.Module):
    """The rest of the network: regions (R, C, h, w) -> the input of its classifier, (R, units)."""

    def __init__(self, stages: nn.ModuleDict, head: nn.ModuleDict) -> None:
        super().__init__()
        self.stages, self.head = stages, head

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        for stage in (*self.stages.values(), *self.head.values()):
            x = stage(x)
        return x.flatten(1)


# Boxes take the precision of the box deltas that they are computed with; in bf16 they would move in steps of 2 pixels or more.
class _ProposalHead(RPNHead):  # type: ignore[misc]
    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        logits, box_deltas = super().forward(x)
        return [_floats(level) for level in logits], [_floats(level) for level in box_deltas]


class _BoxPredictor(FastRCNNPredictor):  # type: ignore[misc]
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, box_deltas = super().forward(x)
        return _floats(logits), _floats(box_deltas)


def _floats(answers: Tensor) -> Tensor:
    """Answers in float32; while objects are found, GodeeperError where one is no number: torchvision would drop it in silence."""
    if torch.is_inference_mode_enabled() and not torch.isfinite(answers).all():
        raise GodeeperError("the detector's answers are not numbers: its weights are damaged")
    return answers.float()


def _box_predictor(units: int, classes: int) -> nn.Module:
    """The last layers: class logits, background first, and box deltas, initialised as the paper prints: small, without bias."""
    predictor = _BoxPredictor(units, classes + 1)
    nn.init.normal_(predictor.cls_score.weight, std=0.01)
    nn.init.normal_(predictor.bbox_pred.weight, std=0.001)
    nn.init.zeros_(predictor.cls_score.bias)
    nn.init.zeros_(predictor.bbox_pred.bias)
    return predictor


class _Layout(NamedTuple):
    """A network divided into what torchvision's Faster R-CNN asks for; the region head gives (R, units)."""

    backbone: Backbone
    anchors: AnchorGenerator
    pool: MultiScaleRoIAlign
    region_head: nn.Module
    units: int


def _classical_layout(spec: DetectorSpec, network: Network) -> _Layout:
    """arXiv 1506.01497: one level of features; the later stages and the head run on each region."""
    definition = spec.model.definition
    last, shapes = split(definition), stage_outputs(definition)
    stages = _with_weights(trunk(definition, spec.atrous), network)
    later = nn.ModuleDict({name: copy.deepcopy(stage) for name, stage in network.stages.items() if name not in stages})
    head = nn.ModuleDict({name: copy.deepcopy(stage) for name, stage in list(network.head.items())[:-1]})  # no classifier
    units: int = list(network.head.values())[-1].linear.in_features  # type: ignore[union-attr, assignment]
    return _Layout(
        Backbone(stages, [last], [shapes[last].channels]),
        AnchorGenerator((spec.anchors,), (ASPECT_RATIOS,)),
        MultiScaleRoIAlign([last], shapes[last].height, sampling_ratio=2),  # the grid that the later stages see of a whole image
        RegionHead(later, head),
        units,
    )


def _pyramid_layout(spec: DetectorSpec, network: Network) -> _Layout:
    """arXiv 1612.03144: levels of features 4 to 32 pixels apart and one above; two fully connected layers on each region."""
    taps = levels(spec.model.definition)
    if len(spec.anchors) != len(taps) + 1:
        raise GodeeperError(
            f"a pyramid of {spec.model.definition.name} has {len(taps) + 1} levels, each with one side of anchor:"
            f" give {len(taps) + 1} anchors, not {len(spec.anchors)}"
        )
    stages = _with_weights(aligned(spec.model.definition), network)
    channels = spec.pyramid_channels
    backbone = Backbone(stages, list(taps), [shape.channels for shape in taps.values()], channels)
    generator = AnchorGenerator(tuple((side,) for side in spec.anchors), (ASPECT_RATIOS,) * len(spec.anchors))
    pool = MultiScaleRoIAlign(list(taps), PYRAMID_GRID, sampling_ratio=2)
    head = TwoMLPHead(channels * PYRAMID_GRID**2, spec.pyramid_units)
    initialise(head)
    return _Layout(backbone, generator, pool, head, spec.pyramid_units)


def _with_weights(stages: Mapping[str, Stage], network: Network) -> nn.ModuleDict:
    """The modules of these stages with the network's weights; they differ from the network's own in strides and padding only."""
    size = network.definition.image_size
    modules, _ = build_stages(stages, FeatureShape(network.definition.in_channels, size, size), network.definition.batch_norm)
    for name, module in modules.items():
        module.load_state_dict(network.stages[name].state_dict())
    return modules
