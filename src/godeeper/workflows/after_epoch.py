"""What is tested after each epoch of a training run."""

from __future__ import annotations

from collections.abc import Callable

from ..data.dataset import ImageDataset
from ..evaluate.classify import evaluate
from ..models.network import Network, device_of


def errors_on(images: ImageDataset, workers: int) -> Callable[[Network], dict[str, float]]:
    """Top-1 and top-5 error (%) of a network on the images; those that cannot be decoded are counted, as a long run goes on."""

    def errors(network: Network) -> dict[str, float]:
        result = evaluate(
            network, images, network.preprocess, workers=workers, skip_bad=True, device=device_of(network)
        )  # fmt: skip
        return {"top1_error": result.top1_error, "top5_error": result.top5_error, "test_skipped": len(result.skipped)}

    return errors
