"""Pictures -> labels and probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from ..data.augment import normalise
from ..data.decode import decode
from ..data.views import take_views
from ..errors import GodeeperError
from ..models.network import Network, best_device, device_of, to_device
from ..models.weights import load


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture, likeliest first, and their probabilities (0..1)."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]


class Predictor:
    """Names what is in a picture. `model` is a network, or the run folder, weights file or published name of one.

    Calling it with pictures (paths, bytes or PIL pictures) gives a `Prediction` each; BadImage for one that cannot be decoded.
    """

    def __init__(self, model: Network | str | Path) -> None:
        network = model if isinstance(model, Network) else load(model)
        self.network = to_device(network, best_device()).eval()
        self.classes = network.classes or tuple(str(index) for index in range(network.num_classes))

    def __call__(self, pictures: Iterable[str | Path | bytes | Image.Image], *, top: int = 5, crops: int = 1) -> list[Prediction]:
        return list(self.stream(pictures, top=top, crops=crops))

    @torch.inference_mode()
    def stream(
        self, pictures: Iterable[str | Path | bytes | Image.Image], *, top: int = 5, crops: int = 1
    ) -> Iterator[Prediction]:
        """The same, one after the other, each probability averaged over `crops` views."""
        if isinstance(pictures, str | bytes | Path):
            raise GodeeperError("give the pictures as a list, even a single one")
        preprocess = self.network.preprocess
        for picture in pictures:
            image = picture.convert("RGB") if isinstance(picture, Image.Image) else decode(picture)
            crop = take_views(image, preprocess, crops)
            x = normalise(crop.to(device_of(self.network)), preprocess).contiguous(memory_format=torch.channels_last)
            probabilities = self.network(x).float().softmax(1).mean(0)
            if not torch.isfinite(probabilities).all():
                raise GodeeperError("the network's answers are not numbers: its weights are damaged")
            best = probabilities.topk(min(top, len(self.classes)))
            names = tuple(self.classes[index] for index in best.indices.tolist())
            yield Prediction(names, tuple(best.values.tolist()))
