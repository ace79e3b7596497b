"""What is decided about an image, in whole numbers, and what follows from the decisions about many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

PREDICTED, RANK, CONFIDENCE, OWN = range(4)  # columns of `decide`
NORMAL_95 = 1.959963984540054  # standard deviations on either side that hold 95 % of a normal distribution


def decide(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Probabilities (N, classes), labels (N,) -> int32 (N, 4): predicted class, rank, confidence, own probability.

    The rank of an image's own class is how many others are at least as likely: 0 is right, 5 or more, counted as 5, a top-5
    error. Ties, and values that are not numbers, count against the network. The probabilities of the most likely class and of
    the own class are rounded to whole percents.
    """
    own = probabilities.gather(1, labels[:, None])  # (N, 1)
    rank = (~(probabilities < own)).sum(1) - 1  # without itself
    rival = probabilities.nan_to_num(nan=-1.0).scatter(1, labels[:, None], -2.0).argmax(1)
    predicted = torch.where(rank == 0, labels, rival)
    most_likely = probabilities.amax(1)
    percents = [(100 * value.double().nan_to_num() + 0.5).floor().long() for value in (most_likely, own[:, 0])]
    return torch.stack([predicted, rank.clamp(max=5), *percents], 1).int()


@dataclass(frozen=True)
class Outcomes:
    """What one model, or several together, decided about N images: labels (N,), decisions (N, 4) as `decide` gives them."""

    labels: Tensor
    decisions: Tensor

    @property
    def images(self) -> int:
        """How many images were evaluated."""
        return len(self.labels)

    @property
    def top1_errors(self) -> int:
        """Of how many images another class was the most likely."""
        return int((self.decisions[:, RANK] >= 1).sum())

    @property
    def top5_errors(self) -> int:
        """Of how many images five other classes were more likely."""
        return int((self.decisions[:, RANK] >= 5).sum())

    @property
    def top1_error(self) -> float:
        """In percent."""
        return 100 * self.top1_errors / self.images

    @property
    def top5_error(self) -> float:
        """In percent."""
        return 100 * self.top5_errors / self.images

    def class_errors(self) -> dict[int, tuple[int, int, int]]:
        """Of each class that has images: how many, top-1 errors and top-5 errors."""
        rank = self.decisions[:, RANK]
        result = {}
        for label in self.labels.unique().tolist():
            of_class = rank[self.labels == label]
            result[label] = len(of_class), int((of_class >= 1).sum()), int((of_class >= 5).sum())
        return result

    def confusions(self) -> Counter[tuple[int, int]]:
        """How often a class (first) was taken for another (second)."""
        wrong = self.decisions[:, RANK] >= 1
        pairs = zip(self.labels[wrong].tolist(), self.decisions[wrong, PREDICTED].tolist(), strict=True)
        return Counter(pairs)

    def worst(self, count: int) -> list[int]:
        """The rows of the mistakes made with the greatest confidence, at most `count`."""
        confident, own = self.decisions[:, CONFIDENCE].tolist(), self.decisions[:, OWN].tolist()
        wrong = (self.decisions[:, RANK] >= 1).nonzero()[:, 0].tolist()
        return sorted(wrong, key=lambda row: (-confident[row], own[row], row))[:count]

    def calibration(self, bins: int = 10) -> list[tuple[int, int, int]]:
        """By confidence, in `bins` equal bins of 0..100 %: images, the sum of their confidences in percent, how many right."""
        confident, right = self.decisions[:, CONFIDENCE].long(), self.decisions[:, RANK] == 0
        bin_of = (confident * bins // 100).clamp(max=bins - 1)
        sums = [torch.bincount(bin_of, weights, bins) for weights in (torch.ones_like(bin_of), confident, right)]
        return [(int(n), int(total), int(correct)) for n, total, correct in zip(*sums, strict=True)]

    def calibration_error(self, bins: int = 10) -> float:
        """The expected calibration error, in percent: the distance of confidence and accuracy of each bin, over all images."""
        distance = sum(abs(total - 100 * correct) for _, total, correct in self.calibration(bins))
        return distance / self.images


def wilson(errors: int, images: int) -> tuple[float, float]:
    """The 95 % confidence interval of an error, in percent (Wilson, 1927)."""
    share, z = errors / images, NORMAL_95
    middle = share + z * z / (2 * images)
    half = z * sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    scale = 100 / (1 + z * z / images)
    return max(0.0, scale * (middle - half)), min(100.0, scale * (middle + half))
