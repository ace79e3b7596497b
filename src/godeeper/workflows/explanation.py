"""Explanations of what a network predicts for an image, as a page, and what activates a channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.crops import check_crops
from ..data.decode import ImageInput, as_image
from ..errors import GodeeperError
from ..explain.branches import check_module
from ..explain.explanation import Explanation
from ..explain.explanation import explain as explain_image
from ..explain.explanation_page import PAGE, PageSubject, check_folder, write_page
from ..explain.top_activations import Activation, top_activations
from ..labels import Lang, display_names
from ..models.load import open_network
from ..models.network import Network, best_device, to_device
from .image_files import files_of
from .progress import OnProgress, counter


@dataclass(frozen=True)
class ExplainResult:
    """An explanation, the names of all classes, and the page if one was written.

    If a channel was searched for: its name, the images that activate it most, and why others could not be decoded.
    """

    model: str
    image: str
    classes: tuple[str, ...]
    explanation: Explanation
    channel: str | None = None
    activations: list[Activation] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    page: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: what explanation.json holds."""
        result = {"model": self.model, "image": self.image, **self.explanation.as_dict(self.classes)}
        if self.channel is not None:
            activations = [activation.as_dict() for activation in self.activations]
            result |= {"channel": self.channel, "top_activations": activations, "skipped": self.skipped}
        return result


def explain(
    model: Network | str | Path,
    image: ImageInput,
    out: Path | None = None,
    *,
    top: int = 3,
    module: str | None = None,
    crops: int = 144,
    channel: str | None = None,
    folder: Path | None = None,
    lang: Lang = "en",
    on_progress: OnProgress | None = None,
) -> ExplainResult:
    """Explains what a run, a weights file, a published name or a network predicts for an image.

    The image is a path, bytes, a PIL image or an array (H, W, 3) of uint8. With `out`, a new or empty folder, a page in `lang`
    with its images is written there. The `top` most likely classes get a map each; `module` is the stage whose branches are
    measured, by default the last; `crops` is 1, 6, 10, 12 or 144. `channel`, such as "4a:17", is searched for in the images below
    `folder`. GodeeperError for what does not exist, and for an image that cannot be decoded.
    """
    check_crops(crops)
    if out is not None:
        check_folder(out)
    search = _channel_search(channel, folder)
    decoded = as_image(image)
    network = open_network(model)
    if isinstance(model, str | Path):
        to_device(network, best_device())
    if module is not None:
        check_module(network.definition, module)
    activations, skipped = _activations(network, *search, on_progress) if search else ([], [])
    progress = counter("predicting crops", on_progress) or _ignore
    explanation = explain_image(network, decoded, top=top, module=module, crops=crops, progress=progress)
    result = ExplainResult(
        model=str(model) if isinstance(model, str | Path) else network.definition.title,
        image=str(image) if isinstance(image, str | Path) else "image",
        classes=network.classes or tuple(map(str, range(network.num_classes))),
        explanation=explanation,
        channel=channel,
        activations=activations,
        skipped=skipped,
        page=None if out is None else out / PAGE,
    )
    if out is not None:
        names = display_names(result.classes, lang)
        size = network.preprocess.resize.size
        subject = PageSubject(decoded, Path(result.image).name, Path(result.model).name, size, names, lang)
        write_page(out, subject, explanation, result.as_dict(), (channel, activations) if channel else None)
    return result


def _channel_search(channel: str | None, folder: Path | None) -> tuple[str, int, list[Path]] | None:
    """The stage, the channel's number and the images to search; GodeeperError for a channel or a folder alone."""
    if channel is None and folder is None:
        return None
    if channel is None or folder is None:
        raise GodeeperError("--channel and --folder go together: name a channel, such as 4a:17, and a folder of images")
    stage, colon, number = channel.rpartition(":")
    if not colon or not number.isdecimal():
        raise GodeeperError(f"--channel {channel!r}: name a stage and a channel's number, such as 4a:17")
    if not folder.is_dir():
        raise GodeeperError(f"--folder {str(folder)!r} is not a folder")
    return stage, int(number), files_of([str(folder)])


def _activations(
    network: Network, stage: str, channel: int, files: list[Path], on_progress: OnProgress | None
) -> tuple[list[Activation], list[str]]:
    progress = counter("searching images", on_progress) or _ignore
    return top_activations(network, files, stage, channel, progress=progress)


def _ignore(done: int, total: int) -> None:
    """Nobody listens."""
