"""The training loss."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F


class ClassificationLoss(nn.Module):
    """Cross-entropy of the logits, plus `auxiliary_weight` times that of each auxiliary head (arXiv 1409.4842, Section 5)."""

    def __init__(self, label_smoothing: float = 0.0, auxiliary_weight: float = 0.3) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.auxiliary_weight = auxiliary_weight

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        auxiliary: Mapping[str, Tensor] | None = None,
        other_labels: Tensor | None = None,
        lam: float = 1.0,
    ) -> Tensor:
        """Logits (N, classes), labels (N,), the logits of each head by name -> the loss, a number.

        Of mixed images, `lam` belongs to `labels`, the rest to `other_labels` (N,).
        """
        loss = self._cross_entropy(logits, labels, other_labels, lam)
        for head in (auxiliary or {}).values():
            loss = loss + self.auxiliary_weight * self._cross_entropy(head, labels, other_labels, lam)
        return loss

    def _cross_entropy(self, logits: Tensor, labels: Tensor, other_labels: Tensor | None, lam: float) -> Tensor:
        logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        if other_labels is None or lam == 1:
            return loss
        other = F.cross_entropy(logits, other_labels, label_smoothing=self.label_smoothing)
        return lam * loss + (1 - lam) * other
