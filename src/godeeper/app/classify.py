"""The first tab: what an image is, where the network saw it, how the crops voted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import torch
from PIL import Image

from ..data.decode import decode
from ..errors import BadImage, GodeeperError
from ..explain.cam import class_maps, overlay
from ..explain.centre_crop import boxes_of
from ..explain.crop_predictions import CropPrediction as Vote
from ..explain.crop_predictions import class_colours, crop_probabilities, draw_crop_predictions, most_likely
from ..explain.explanation import display_size
from ..labels import display_names
from ..models.network import Network
from .html import button, heading, img_tag, note
from .words import Lang, reason, say

TOP = 5
LARGEST = 20  # MB of a file


@dataclass
class Seen:
    """What a session looks at: the image, each class's probability, the class whose evidence is shown, the votes."""

    image: Image.Image | None = None
    problem: str | None = None  # why there is no image
    too_large: bool = False
    probabilities: list[float] = field(default_factory=list)
    chosen: int = 0
    votes: list[Vote] = field(default_factory=list)

    @property
    def best(self) -> list[int]:
        """The likeliest classes, the first first."""
        order = sorted(range(len(self.probabilities)), key=lambda label: -self.probabilities[label])
        return order[:TOP]


def look(network: Network, file: str | None) -> Seen:
    """What the network says of an image's file; of one that cannot be read, why."""
    if file is None:
        return Seen()
    path = Path(file)
    if path.stat().st_size > LARGEST * 1_000_000:
        return Seen(too_large=True)
    try:
        image = decode(path, "image")
    except BadImage as error:
        return Seen(problem=str(error).removeprefix("image: "))
    probabilities = crop_probabilities(network, image, 1)[0].tolist()
    seen = Seen(image, probabilities=probabilities)
    seen.chosen = seen.best[0]
    return seen


def answer(network: Network | None, seen: Seen, lang: Lang) -> str:
    """The five likeliest classes, each a button with a bar; or why there are none."""
    if network is None:
        return note(say("no_run", lang))
    if seen.too_large:
        return note(say("too_large", lang, limit=LARGEST))
    if seen.problem is not None:
        return note(say("bad_image", lang, reason=reason(seen.problem, lang)))
    if seen.image is None:
        return note(say("no_image", lang))
    names = names_of(network, lang)
    rows = []
    for label in seen.best:
        percent = 100 * seen.probabilities[label]
        bar = f'<span class="bar"><span style="width:{percent:.1f}%"></span></span>'
        text = f'<span class="name">{escape(names[label])}</span>{bar}<span class="percent">{percent:.1f} %</span>'
        rows.append(button(str(label), text, f"{names[label]} {percent:.1f} %", current=label == seen.chosen))
    return heading(say("answer", lang)) + f'<div class="answer">{"".join(rows)}</div>'


def evidence(network: Network | None, seen: Seen, lang: Lang) -> str:
    """The image with what speaks for the chosen class."""
    if network is None or seen.image is None:
        return ""
    size = display_size(seen.image.size)
    heat = class_maps(network, seen.image, [seen.chosen], size)[0]
    name = names_of(network, lang)[seen.chosen]
    title = say("heat", lang, name=name)
    return heading(title) + img_tag(overlay(seen.image.resize(size), heat), title) + note(say("heat_hint", lang))


def vote(network: Network, seen: Seen, scheme: int) -> Seen:
    """The same with the votes of the image's crops."""
    if seen.image is not None:
        crops = boxes_of(network, seen.image.size, scheme)
        seen.votes = most_likely(crops, crop_probabilities(network, seen.image, scheme))
    return seen


def ballots(network: Network | None, seen: Seen, lang: Lang) -> str:
    """Every crop in the colour of the class that it votes for, and how many votes each class has."""
    if network is None or seen.image is None or not seen.votes:
        return ""
    names, colours = names_of(network, lang), class_colours(seen.votes)
    counts = Counter(one.label for one in seen.votes)
    legend = "".join(
        f'<li><span class="dot" style="background:{colours[label]}"></span>{escape(names[label])} <b>{counts[label]}</b></li>'
        for label in list(colours)[:6]
    )
    title = say("votes", lang)
    drawn = img_tag(draw_crop_predictions(seen.image, seen.votes), title)
    return f'{heading(title)}<ul class="legend">{legend}</ul><div class="scroll">{drawn}</div>'


def names_of(network: Network, lang: Lang) -> Sequence[str]:
    """The network's classes; those that have no name are numbers."""
    return display_names(network.classes or tuple(map(str, range(network.num_classes))), lang)


def samples(network: Network | None) -> list[Image.Image]:
    """A few real images to begin with: digits for a network that knows those, else photographs; where scikit-learn is there."""
    if network is None:
        return []
    try:
        if network.classes == tuple("0123456789"):
            from ..data.open import open_data

            images = open_data("digits").test
            firsts = [list(images.labels).index(label) for label in (3, 5, 7, 8)]
            return [images.image(place).resize((64, 64), Image.Resampling.NEAREST) for place in firsts]
        from sklearn.datasets import load_sample_image

        return [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    except (GodeeperError, ImportError):
        return []


def warm(network: Network) -> None:
    """The first pass, so that nobody waits for it."""
    size = network.preprocess.image_size
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 3, size, size, device=next(network.parameters()).device))
