"""What the network predicts for each crop of an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..data.crops import CropBox
from ..data.decode import ImageInput, as_image
from ..data.pixels import cut_crops, default_batch_size, normalise
from ..eval_mode import eval_mode
from ..models.network import Network, device_of
from .centre_crop import boxes_of

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito's, safe for colour-blind readers
GREY = "#9aa0a6"  # of the classes that few crops predict
TILE, GAP, BAR, COLUMNS = 56, 4, 6, 12  # pixels: a crop, the space around it, the bar below; crops per row


@dataclass(frozen=True)
class CropPrediction:
    """The most likely class of one crop, and its probability (0..1)."""

    crop_box: CropBox
    label: int
    probability: float


def crop_predictions(network: Network, image: ImageInput, crops: int = 144) -> list[CropPrediction]:
    """The prediction for each of the 1, 6, 10, 12 or 144 crops of an image, in the order of `godeeper.crop_boxes`."""
    image = as_image(image)
    return most_likely(boxes_of(network, image.size, crops), crop_probabilities(network, image, crops))


@torch.inference_mode()
def crop_probabilities(
    network: Network, image: Image.Image, crops: int = 144, progress: Callable[[int, int], None] = lambda done, total: None
) -> Tensor:
    """The probabilities of each crop of an RGB image: (crops, classes), on the CPU; their mean is what `predict --crops` gives.

    `progress` is called with the number of crops done and the number of all crops.
    """
    resize, device = network.preprocess.resize, device_of(network)
    pixels = cut_crops(image, boxes_of(network, image.size, crops), resize)  # (crops, 3, size, size)
    batches: list[Tensor] = []
    with eval_mode(network):
        for batch in pixels.split(default_batch_size(resize.size, device)):
            batches.append(network(normalise(batch.to(device), network.preprocess)).softmax(1).cpu())
            progress(sum(map(len, batches)), len(pixels))
    return torch.cat(batches)


def most_likely(crops: Sequence[CropBox], probabilities: Tensor) -> list[CropPrediction]:
    """The most likely class of each crop, from probabilities (crops, classes)."""
    best, labels = probabilities.max(1)
    return [
        CropPrediction(crop_box, label, probability)
        for crop_box, label, probability in zip(crops, labels.tolist(), best.tolist(), strict=True)
    ]


def class_colours(predictions: Sequence[CropPrediction]) -> dict[int, str]:
    """A colour for each predicted class, those of most crops first; all are grey after the sixth."""
    counts = sorted(Counter(crop.label for crop in predictions).items(), key=lambda item: (-item[1], item[0]))
    return {label: COLOURS[rank] if rank < len(COLOURS) else GREY for rank, (label, _) in enumerate(counts)}


def draw_crop_predictions(image: Image.Image, predictions: Sequence[CropPrediction]) -> Image.Image:
    """Every crop of an RGB image, framed in its class's colour (`class_colours`), above a bar as long as its probability.

    Twelve per row: four corners, the centre and the whole square, each beside its mirror image. Of 144 crops, a row is one
    square: left, middle and right (or upper, middle and lower), at scale 256, then at 288, 320 and 352.
    """
    colours = class_colours(predictions)
    step = TILE + 2 * GAP
    columns, lines = min(COLUMNS, len(predictions)), -(-len(predictions) // COLUMNS)
    canvas = Image.new("RGBA", (columns * step, lines * (step + BAR)))
    draw = ImageDraw.Draw(canvas)
    crops = cut_crops(image, [crop.crop_box for crop in predictions])
    for index, (crop, pixels) in enumerate(zip(predictions, crops, strict=True)):
        left, top, colour = index % COLUMNS * step, index // COLUMNS * (step + BAR), colours[crop.label]
        draw.rectangle((left + 1, top + 1, left + step - 2, top + step - 2), fill=colour)
        small = Image.fromarray(pixels.permute(1, 2, 0).numpy()).resize((TILE, TILE), Image.Resampling.BICUBIC)
        canvas.paste(small, (left + GAP, top + GAP))
        length = round((step - 3) * crop.probability)
        draw.rectangle((left + 1, top + step, left + 1 + length, top + step + BAR - 3), fill=colour)
    return canvas
