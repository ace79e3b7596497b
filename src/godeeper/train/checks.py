"""What is checked before a run begins or goes on."""

from __future__ import annotations

from hashlib import sha256

from ..data.dataset import ImageDataset, ImageStream
from ..errors import GodeeperError
from ..models.network import Network
from ..papers.describe import check_size, minimum_size
from .recipe import Recipe


def fingerprint(images: ImageDataset | ImageStream) -> str:
    """How many training images there are, and a digest of their labels."""
    if isinstance(images, ImageStream):
        return f"{len(images)} images"
    digest = sha256(" ".join(map(str, images.labels)).encode()).hexdigest()[:8]
    return f"{len(images)} images (labels {digest})"


def check_same(then: str, now: str) -> None:
    """GodeeperError unless a run goes on with the images it began with."""
    if then != now:
        raise GodeeperError(f"the data have changed since the run began: {then} then, {now} now; bring them back to resume")


def check_sizes(network: Network, recipe: Recipe, sizes: set[int]) -> None:
    """GodeeperError for training images of a size that the network cannot take."""
    minimum = minimum_size(network.definition, heads=len(network.auxiliary) > 0)
    if min(sizes) < minimum:
        field = "start_size" if recipe.start_size else "image_size"
        raise GodeeperError(
            f"recipe: {field} gives images of {min(sizes)} pixels; {network.definition.name} needs at least {minimum} to train"
        )
    for size in sizes:
        check_size(network.definition, size, size)
