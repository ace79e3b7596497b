"""Find the objects in images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.decode import ImageInput, as_image, check_list, decode
from ..destinations import check_output
from ..detect.detections import Detections
from ..errors import BadImage, GodeeperError
from ..explain.canvas import require_chinese_font
from ..explain.draw_detections import draw_detections
from ..labels import Lang, display_names
from .detectors import Models, open_detector
from .outputs import check_drawing
from .progress import OnProgress, Progress


@dataclass(frozen=True)
class FindResult:
    """What is in images: for each image, in order, its Detections or, where it cannot be decoded, the BadImage."""

    outcomes: list[Detections | BadImage]
    classes: tuple[str, ...]

    @property
    def bad(self) -> list[BadImage]:
        """The images that could not be decoded, each with its reason."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, BadImage)]


def find_objects(
    models: Models,
    images: Sequence[ImageInput],
    *,
    threshold: float = 0.5,
    superpixels: float | None = None,
    multibox: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> FindResult:
    """The objects in each image whose score is at least `threshold`, by falling score.

    `models`, `superpixels` and `multibox` are as in `evaluate_detector`. Images are paths, bytes, PIL images or arrays (H, W, 3)
    of uint8; one that cannot be decoded stops nothing. GodeeperError for what does not go together.
    """
    check_list(images)
    detector = open_detector(models, superpixels, multibox)
    outcomes: list[Detections | BadImage] = []
    for image in images:
        try:
            outcomes.append(detector.find(as_image(image)).at_least(threshold))
        except BadImage as error:
            outcomes.append(error)
        if on_progress is not None:
            on_progress(Progress("detecting", len(outcomes), len(images)))
    return FindResult(outcomes, detector.classes)


def drawing_files(plot: Path, files: Sequence[Path]) -> list[Path]:
    """A file for each image's drawing, all different: `plot` itself for one image, else .png files in the folder `plot`.

    GodeeperError unless they can be written without touching one of the images.
    """
    if len(files) == 1 and not plot.is_dir():
        check_drawing(plot, files)
        return [plot]
    check_output(plot, "--plot")
    if plot.resolve() in {file.resolve().parent for file in files}:
        raise GodeeperError(f"--plot {str(plot)!r} is the folder of the images: name another folder")
    drawings: dict[Path, None] = {}
    for file in files:
        numbers = ("", *(f"-{number}" for number in range(2, len(files) + 1)))
        candidates = (plot / f"{file.stem}{number}.png" for number in numbers)
        drawings[next(candidate for candidate in candidates if candidate not in drawings)] = None
    return list(drawings)


def check_plot(plot: Path, files: Sequence[Path], lang: Lang = "en") -> None:
    """GodeeperError, before any work is done, unless `plot_objects` can draw the images' objects."""
    drawing_files(plot, files)
    if lang != "en":
        require_chinese_font()


def plot_objects(result: FindResult, files: Sequence[Path], plot: Path, lang: Lang = "en") -> list[Path]:
    """Draws what `find_objects` found in these files into `plot`: one file, or a folder for several. The files written."""
    names = display_names(result.classes, lang)
    written = []
    for file, outcome, drawing in zip(files, result.outcomes, drawing_files(plot, files), strict=True):
        if not isinstance(outcome, BadImage):
            draw_detections(decode(file), outcome, names, drawing)
            written.append(drawing)
    return written
