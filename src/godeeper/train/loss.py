"""The training loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..models.network import Network


class Objective(nn.Module):
    """Cross-entropy of the logits, plus `auxiliary_weight` times that of each auxiliary head (arXiv 1409.4842, Section 5).

    This, not the network, is what distributed training wraps: every parameter takes part in its forward pass.
    """

    def __init__(self, network: Network, label_smoothing: float = 0.0, auxiliary_weight: float = 0.3) -> None:
        super().__init__()
        self.network = network
        self.label_smoothing = label_smoothing
        self.auxiliary_weight = auxiliary_weight

    def forward(self, images: Tensor, labels: Tensor, others: Tensor | None = None, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) and labels (N,) -> the loss, and the logits (N, classes).

        Of mixed images, `share` belongs to `labels`, the rest to `others`.
        """
        logits, auxiliary = self.network.with_auxiliary(images)

        def cross_entropy(logits: Tensor) -> Tensor:
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=self.label_smoothing)
            if others is None or share == 1:
                return loss
            return share * loss + (1 - share) * F.cross_entropy(logits.float(), others, label_smoothing=self.label_smoothing)

        loss = cross_entropy(logits)
        for head in auxiliary.values():
            loss = loss + self.auxiliary_weight * cross_entropy(head)
        return loss, logits
