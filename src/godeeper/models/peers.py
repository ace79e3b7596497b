"""Other libraries' networks of the same kind as ours: what speed is compared with."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..papers.registry import DEFINITIONS, variant

if TYPE_CHECKING:
    from torch import nn

    from .network import Network

TIMM = {"inception_v3": "inception_v3", "inception_v4": "inception_v4", "inception_resnet_v2": "inception_resnet_v2"}
TORCHVISION = {"googlenet": "googlenet", "googlenet_bn": "googlenet", "googlenet_torchvision": "googlenet"}


def peer_of(network: Network) -> tuple[str, nn.Module] | None:
    """The peer's name and its network, with fresh weights, in evaluation mode; None where there is none of that size."""
    name = network.definition.name
    if name not in DEFINITIONS or network.definition != variant(DEFINITIONS[name], num_classes=network.num_classes):
        return None
    classes = network.num_classes
    if name in TORCHVISION:
        import torchvision

        kept = {"weights": None, "aux_logits": False, "init_weights": True, "transform_input": False, "num_classes": classes}
        return f"torchvision {TORCHVISION[name]}", torchvision.models.get_model(TORCHVISION[name], **kept).eval()
    if name in TIMM and find_spec("timm"):
        import timm

        return f"timm {TIMM[name]}", timm.create_model(TIMM[name], num_classes=classes).eval()
    return None
