"""How each crop of an image votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..data.augment import normalise
from ..data.crops import View, sheets, views
from ..data.views import Laid, passes, resample, take
from ..deploy.predictor import default_batch_size
from ..models.network import Network, device_of
from .cam import evaluating

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # of Okabe and Ito: told apart by all eyes
GREY = "#9aa0a6"  # of classes that few crops vote for
TILE, GAP, BAR, COLUMNS = 56, 4, 6, 12  # pixels: a crop, the space around it, the bar below; crops a row


@dataclass(frozen=True)
class Vote:
    """What the network says of one crop: its likeliest class, and that class's probability (0..1)."""

    view: View
    label: int
    probability: float


def crop_votes(network: Network, image: Image.Image, scheme: int = 144) -> list[Vote]:
    """The vote of each of the 1, 10, 12 or 144 crops of an RGB image, in the order of `godeeper.views`."""
    return votes_of(crop_views(network, image.size, scheme), crop_probabilities(network, image, scheme))


def crop_views(network: Network, size: tuple[int, int], scheme: int) -> list[View]:
    """The crops that the network is shown of an image of that width and height."""
    return views(*size, network.preprocess.image_size, scheme, network.preprocess.resize.shorter_side)


@torch.inference_mode()
def crop_probabilities(
    network: Network, image: Image.Image, scheme: int = 144, progress: Callable[[int, int], None] = lambda done, of: None
) -> Tensor:
    """What the network says of each crop: (crops, classes), on the CPU; their mean is the answer of `predict --crops`.

    `progress` is told how many crops are done, and of how many.
    """
    drawn, places = sheets(crop_views(network, image.size, scheme))
    on = Laid(resample(image, drawn, network.preprocess.resize.interpolation), places)
    size, device = network.preprocess.image_size, device_of(network)
    every: list[Tensor] = []
    with evaluating(network):
        for batch in passes([on], size, default_batch_size(size, device)):
            every.append(network(normalise(batch.to(device), network.preprocess)).softmax(1).cpu())
            progress(sum(map(len, every)), len(places))
    return torch.cat(every)


def votes_of(crops: Sequence[View], probabilities: Tensor) -> list[Vote]:
    """The votes that probabilities (crops, classes) are."""
    best, labels = probabilities.max(1)
    return [Vote(*vote) for vote in zip(crops, labels.tolist(), best.tolist(), strict=True)]


def vote_colours(votes: Sequence[Vote]) -> dict[int, str]:
    """A colour for each class voted for, those with most votes first; after six, all are grey."""
    counted = sorted(Counter(vote.label for vote in votes).items(), key=lambda one: (-one[1], one[0]))
    return {label: COLOURS[place] if place < len(COLOURS) else GREY for place, (label, _) in enumerate(counted)}


def draw_votes(image: Image.Image, votes: Sequence[Vote]) -> Image.Image:
    """Every crop small, framed in its class's colour (`vote_colours`), above a bar as long as the class is probable.

    Twelve a row: four corners, the centre and the whole square, each beside its mirror image. Of 144 crops, a row is one square:
    left, middle and right (or upper, middle and lower), at 256, then at 288, 320 and 352.
    """
    colours = vote_colours(votes)
    step = TILE + 2 * GAP
    columns, lines = min(COLUMNS, len(votes)), -(-len(votes) // COLUMNS)
    sheet = Image.new("RGBA", (columns * step, lines * (step + BAR)))
    draw = ImageDraw.Draw(sheet)
    crops = take(image, [vote.view for vote in votes])
    for place, (vote, pixels) in enumerate(zip(votes, crops, strict=True)):
        left, top, colour = place % COLUMNS * step, place // COLUMNS * (step + BAR), colours[vote.label]
        draw.rectangle((left + 1, top + 1, left + step - 2, top + step - 2), fill=colour)
        small = Image.fromarray(pixels.permute(1, 2, 0).numpy()).resize((TILE, TILE), Image.Resampling.BICUBIC)
        sheet.paste(small, (left + GAP, top + GAP))
        length = round((step - 3) * vote.probability)
        draw.rectangle((left + 1, top + step, left + 1 + length, top + step + BAR - 3), fill=colour)
    return sheet
