"""The first tab: the predictions for an image, where the evidence for a class lies, and the prediction for each crop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image

from ..data.decode import decode
from ..data.photos import photographs
from ..errors import BadImage, GodeeperError
from ..eval_mode import eval_mode
from ..explain.cam import class_maps, overlay
from ..explain.canvas import png
from ..explain.centre_crop import boxes_of
from ..explain.crop_predictions import CropPrediction, class_colours, crop_probabilities, draw_crop_predictions, most_likely
from ..explain.explanation import display_size
from ..labels import display_names
from ..models.network import Network, device_of
from ..text import Text
from .app_texts import LARGEST_UPLOAD, AppLang, reason, text
from .fragments import fragment, note

TOP = 5
CLASSES_LISTED = 6  # with their numbers of crops
CLASSES_KNOWN = 10  # listed before there is an image


@dataclass
class ImageState:
    """The image of a session, or why there is none, and what the network predicts for it.

    `read` gives the image each time anew: one of 300 MB for each session, decoded, would soon take all memory.
    """

    read: Callable[[], Image.Image] | None = None
    error: GodeeperError | None = None
    probabilities: list[float] = field(default_factory=list)  # of each class, for the centre crop
    chosen: int = 0  # the class whose evidence is shown
    crops: list[CropPrediction] = field(default_factory=list)

    @property
    def top(self) -> list[int]:
        """The most likely classes, most likely first."""
        order = sorted(range(len(self.probabilities)), key=lambda label: -self.probabilities[label])
        return order[:TOP]


def open_image(network: Network, decoder: Callable[[Path], Image.Image], file: str | None) -> ImageState:
    """Has an uploaded file decoded and predicts its classes; the state has the error if it cannot be read."""
    if file is None:
        return ImageState()

    def read() -> Image.Image:
        try:
            if Path(file).stat().st_size > LARGEST_UPLOAD * 1_000_000:
                raise BadImage(f"the file is larger than {LARGEST_UPLOAD} MB", code="file-too-large")
            return decoder(Path(file))
        except OSError:
            raise BadImage("the upload is no longer there", code="upload-gone") from None

    try:
        return predicted(network, read)
    except BadImage as error:
        return ImageState(error=error)


def predicted(network: Network, read: Callable[[], Image.Image]) -> ImageState:
    """The classes of an image, and the most likely of them as the one whose evidence is shown."""
    state = ImageState(read, probabilities=crop_probabilities(network, read(), 1)[0].tolist())
    state.chosen = state.top[0]
    return state


def predictions(network: Network, state: ImageState, lang: AppLang) -> str:
    """The top-5 predictions, each a button with a bar; or why there are none."""
    if state.error is not None:
        return _unreadable(state.error, lang)
    names = class_names(network, lang)
    if state.read is None:
        more = ["..."] if len(names) > CLASSES_KNOWN else []
        comma = Text(", ", "、").get(lang)
        return note(text("no_image", lang, classes=comma.join([*names[:CLASSES_KNOWN], *more])))
    top = [(label, names[label], 100 * state.probabilities[label]) for label in state.top]
    return fragment("predictions.html", lang, predictions=top, chosen=state.chosen)


def _unreadable(error: GodeeperError, lang: AppLang) -> str:
    return note(text("bad_image", lang, reason=reason(error, lang)))


def heat_map(network: Network, state: ImageState, lang: AppLang) -> str:
    """The image with the evidence for the chosen class; or why it cannot be read any more."""
    if state.read is None:
        return ""
    try:
        image = state.read()
    except BadImage as error:
        return _unreadable(error, lang)
    heat = class_maps(network, image, [state.chosen], display_size(image.size))[0]
    return fragment("heat_map.html", lang, name=class_names(network, lang)[state.chosen], image=png(overlay(image, heat)))


def predict_crops(network: Network, state: ImageState, crops: int) -> ImageState:
    """The state with the prediction for each of the image's crops; one with the error if it cannot be read any more."""
    if state.read is not None:
        try:
            image = state.read()
        except BadImage as error:
            return ImageState(error=error)
        state.crops = most_likely(boxes_of(network, image.size, crops), crop_probabilities(network, image, crops))
    return state


def crop_predictions(network: Network, state: ImageState, lang: AppLang) -> str:
    """Every crop in the colour of its most likely class, and the number of crops of each class."""
    if state.read is None or not state.crops:
        return ""
    try:
        image = state.read()
    except BadImage as error:
        return _unreadable(error, lang)
    names, colours = class_names(network, lang), class_colours(state.crops)
    counts = Counter(crop.label for crop in state.crops)
    classes = [(colours[label], names[label], counts[label]) for label in list(colours)[:CLASSES_LISTED]]
    return fragment("crop_predictions.html", lang, classes=classes, image=png(draw_crop_predictions(image, state.crops)))


def class_names(network: Network, lang: AppLang) -> Sequence[str]:
    """The names of the network's classes; numbers where it has none."""
    return display_names(network.classes or tuple(map(str, range(network.num_classes))), lang)


def samples(network: Network) -> list[Image.Image]:
    """A few real images to begin with: digits for a network of digits, photographs of what the network knows, or any; none
    without scikit-learn.
    """
    known = [photograph.file for photograph in photographs() if photograph.label in (network.classes or ())]
    if known:
        return [decode(file) for file in known]
    try:
        if network.classes == tuple("0123456789"):
            from ..data.open import open_data

            images = open_data("digits").test
            firsts = [list(images.labels).index(label) for label in (3, 5, 7, 8)]
            return [images.image(index).resize((64, 64), Image.Resampling.NEAREST) for index in firsts]
        from sklearn.datasets import load_sample_image

        return [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    except (GodeeperError, ImportError):
        return []


def warm_up(network: Network) -> None:
    """Runs the network once, so that the first visitor does not wait for it."""
    size = network.preprocess.resize.size
    with eval_mode(network), torch.inference_mode():
        network(torch.zeros(1, network.definition.in_channels, size, size, device=device_of(network)))
