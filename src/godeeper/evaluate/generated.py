"""How far generated images are from real ones, from their features: FID, KID and Inception Score, in float64 throughout.

The definitions are those of pytorch-fid 0.3, torch-fidelity 0.4 and clean-fid 0.1.35, which agree on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import GodeeperError

Array = NDArray[np.float64]
Features = NDArray[np.float32] | Array

ROUNDING = 1e-3  # of the largest eigenvalue: how far below 0 others may be, of covariances that were computed in float32
BLOCK = 4096  # rows that are in float64 at the same time
KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000  # torch-fidelity's and clean-fid's
SPLITS = 10  # of the Inception Score, as everyone since arXiv 1606.03498
SEED = 2020  # torch-fidelity's: subsets and shuffled images are the same as its own


@dataclass(frozen=True)
class FeatureStatistics:
    """The mean (D,) and the covariance (D, D) of features, all that FID needs of a set of images."""

    mu: Array
    sigma: Array

    @classmethod
    def of(cls, features: Features) -> FeatureStatistics:
        """Those of features (N, D), the covariance divided by N - 1. GodeeperError for fewer than 2 and for infinite ones."""
        count = len(features)
        if count < 2:
            raise GodeeperError(f"FID takes at least 2 images a side, and thousands to mean anything, not {count}")
        blocks = [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]
        mu, sigma = np.zeros(features.shape[1]), np.zeros((features.shape[1], features.shape[1]))
        for block in blocks:
            mu += features[block].sum(axis=0, dtype=np.float64) / count
        for block in blocks:  # a million features stay in float32
            centred = features[block] - mu
            sigma += centred.T @ centred
        if not np.isfinite(sigma).all():
            raise GodeeperError("the network gives features that are not finite: take other weights, or --precision fp32")
        return cls(mu, sigma / (count - 1))


def frechet_distance(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^1/2): arXiv 1706.08500, equation 6.

    S_a S_b has the eigenvalues of R' S_b R, with R R' = S_a: real, not negative, and found without a matrix root, which is slow
    and gives complex numbers where a covariance is singular, as it is of fewer images than features: R has fewer columns then.
    Rounding below 0 is 0. GodeeperError for statistics of other features, for a matrix with negative variances, and for numbers
    beyond float64.
    """
    if a.mu.shape != b.mu.shape:
        raise GodeeperError(f"statistics of {len(a.mu)} and of {len(b.mu)} features cannot be compared: use one network for both")
    with np.errstate(over="ignore", invalid="ignore"):
        values, vectors = np.linalg.eigh(a.sigma)
        some = values > values[-1] * len(values) * np.finfo(np.float64).eps  # the others are 0, but for rounding
        root = vectors[:, some] * np.sqrt(values[some])  # (units, rank)
        product = root.T @ b.sigma @ root
        squares = np.linalg.eigvalsh((product + product.T) / 2) if np.isfinite(product).all() else np.full(1, np.inf)
        for eigenvalues in (values, squares):
            if len(eigenvalues) and eigenvalues[0] < -ROUNDING * eigenvalues[-1]:
                raise GodeeperError(
                    "the statistics' sigma is no covariance of features: its variance is negative along some direction"
                )
        trace = np.sqrt(squares.clip(0)).sum()
        difference = a.mu - b.mu
        distance = float(difference @ difference + np.trace(a.sigma) + np.trace(b.sigma) - 2 * trace)
    if not np.isfinite(distance):
        raise GodeeperError("the distance of the two statistics is beyond float64: they are not those of one network's features")
    return max(distance, 0.0)


def kernel_distance(a: Features, b: Features) -> tuple[float, float]:
    """KID, arXiv 1801.01401: the unbiased squared maximum mean discrepancy of features (N, D) and (M, D), kernel (x y / D + 1)^3.

    The mean and the deviation over 100 subsets of 1,000 images, or of as many as the smaller side has; where that is all of both,
    every subset is the same, and the deviation 0. GodeeperError for fewer than 2 images, and for other features.
    """
    size = min(len(a), len(b), KID_SUBSET_SIZE)
    if size < 2:
        raise GodeeperError(f"KID takes at least 2 images a side, not {size}")
    if a.shape[1] != b.shape[1]:
        raise GodeeperError(f"{a.shape[1]} and {b.shape[1]} features cannot be compared: use one network for both")
    subsets = 1 if size == len(a) == len(b) else KID_SUBSETS
    random = np.random.RandomState(SEED)
    distances = []
    for _ in range(subsets):
        x = a[random.choice(len(a), size, replace=False)].astype(np.float64)
        y = b[random.choice(len(b), size, replace=False)].astype(np.float64)
        within = _kernel(x, x), _kernel(y, y)
        own = sum(kernel.sum() - np.trace(kernel) for kernel in within) / (size * (size - 1))
        distances.append(own - 2 * _kernel(x, y).sum() / size**2)
    return float(np.mean(distances)), float(np.std(distances))


def _kernel(x: Array, y: Array) -> Array:
    kernel: Array = (x @ y.T / x.shape[1] + 1) ** 3
    return kernel


def inception_score(logits: Features) -> tuple[float, float]:
    """The exponential of the mean divergence of an image's class probabilities from those of all, arXiv 1606.03498.

    `logits` are (N, classes); the mean and the deviation over 10 splits of the shuffled images. GodeeperError for fewer than 10.
    """
    if len(logits) < SPLITS:
        raise GodeeperError(f"the Inception Score takes at least {SPLITS} images, one a split, not {len(logits)}")
    shuffled = logits[np.random.RandomState(SEED).permutation(len(logits))].astype(np.float64)
    shuffled -= shuffled.max(axis=1, keepdims=True)
    log_p = shuffled - np.log(np.exp(shuffled).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    scores = []
    for split in range(SPLITS):
        part = slice(split * len(p) // SPLITS, (split + 1) * len(p) // SPLITS)
        divergence = (p[part] * (log_p[part] - np.log(p[part].mean(axis=0).clip(np.finfo(float).tiny)))).sum(axis=1)
        scores.append(np.exp(divergence.mean()))
    return float(np.mean(scores)), float(np.std(scores))
