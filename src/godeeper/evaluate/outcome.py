"""What is decided about an image, in whole numbers; and what follows from the decisions of many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

PREDICTED, AHEAD, CONFIDENCE, OWN = range(4)  # columns of `decide`
NOISE = 2e-5  # what a probability may change by, as a share, with the batch and the threads that computed it
NORMAL_95 = 1.959963984540054  # standard deviations on either side that hold 95 % of a normal distribution


def decide(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Probabilities (N, classes), labels (N,) -> (N, 4): class predicted, classes ahead, confidence and own probability.

    A class is ahead of the image's own if it is at least as likely: ties, and values that are not numbers, count against
    the network; more than five count as five. Probabilities are rounded to whole percents.
    """
    own = probabilities.gather(1, labels[:, None])  # (N, 1)
    ahead = (~(probabilities < own)).sum(1) - 1  # without itself
    rival = probabilities.nan_to_num(nan=-1.0).scatter(1, labels[:, None], -2.0).argmax(1)
    predicted = torch.where(ahead == 0, labels, rival)
    likeliest = probabilities.amax(1)
    percents = [(100 * value.double().nan_to_num() + 0.5).floor().long() for value in (likeliest, own[:, 0])]
    return torch.stack([predicted, ahead.clamp(max=5), *percents], 1).int()


def doubtful(probabilities: Tensor, labels: Tensor, *, errors_only: bool = False) -> Tensor:
    """Which images (N,) would be decided differently if a probability changed by a share of `NOISE`.

    With `errors_only`, of all that is decided only the top-1 and top-5 error count.
    """
    low, high = 1 - NOISE, 1 + NOISE
    own = probabilities.gather(1, labels[:, None])
    surely = (probabilities > own * high).sum(1)
    perhaps = (probabilities >= own * low).sum(1) - 1
    result = ((surely < 1) & (perhaps >= 1)) | ((surely < 5) & (perhaps >= 5))
    if errors_only:
        return result
    first = probabilities.amax(1)
    if probabilities.shape[1] > 1:
        result |= probabilities.topk(2).values[:, 1] >= first * low
    for value in (first.double(), own[:, 0].double()):
        result |= (100 * value * low + 0.5).floor() != (100 * value * high + 0.5).floor()
    return result


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
        """Of how many images another class was the likeliest."""
        return int((self.decisions[:, AHEAD] >= 1).sum())

    @property
    def top5_errors(self) -> int:
        """Of how many images five other classes were likelier."""
        return int((self.decisions[:, AHEAD] >= 5).sum())

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
        ahead = self.decisions[:, AHEAD]
        result = {}
        for label in self.labels.unique().tolist():
            of_class = ahead[self.labels == label]
            result[label] = len(of_class), int((of_class >= 1).sum()), int((of_class >= 5).sum())
        return result

    def confusions(self) -> Counter[tuple[int, int]]:
        """How often a class (first) was taken for another (second)."""
        wrong = self.decisions[:, AHEAD] >= 1
        pairs = zip(self.labels[wrong].tolist(), self.decisions[wrong, PREDICTED].tolist(), strict=True)
        return Counter(pairs)

    def worst(self, count: int) -> list[int]:
        """The places of the mistakes made with the greatest confidence, at most `count`."""
        confident, own = self.decisions[:, CONFIDENCE].tolist(), self.decisions[:, OWN].tolist()
        wrong = (self.decisions[:, AHEAD] >= 1).nonzero()[:, 0].tolist()
        return sorted(wrong, key=lambda place: (-confident[place], own[place], place))[:count]

    def calibration(self, bins: int = 10) -> list[tuple[int, int, int]]:
        """By confidence, in `bins` equal parts of 0..100 %: images, the sum of their confidences in percent, how many right."""
        confident, right = self.decisions[:, CONFIDENCE].long(), self.decisions[:, AHEAD] == 0
        part = (confident * bins // 100).clamp(max=bins - 1)
        sums = [torch.bincount(part, weights, bins) for weights in (torch.ones_like(part), confident, right)]
        return [(int(n), int(total), int(correct)) for n, total, correct in zip(*sums, strict=True)]

    def calibration_error(self, bins: int = 10) -> float:
        """The expected calibration error, in percent: how far confidence and accuracy lie apart, over the parts' images."""
        apart = sum(abs(total - 100 * correct) for _, total, correct in self.calibration(bins))
        return apart / self.images


def wilson(errors: int, images: int) -> tuple[float, float]:
    """The 95 % confidence interval of an error, in percent (Wilson, 1927)."""
    share, z = errors / images, NORMAL_95
    middle = share + z * z / (2 * images)
    half = z * sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    scale = 100 / (1 + z * z / images)
    return max(0.0, scale * (middle - half)), min(100.0, scale * (middle + half))
