"""Name what is in images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from accelerate import PartialState

from ..data.crops import check_crops
from ..data.decode import ImageInput
from ..deploy.export_metadata import is_exported
from ..deploy.prediction_table import FORMATS, write_predictions
from ..deploy.predictor import Prediction, Predictor
from ..deploy.table_parts import check_table, fingerprint
from ..errors import BadImage
from ..labels import Lang
from ..models.load import open_network
from ..models.network import Network, best_device
from .progress import OnProgress, Progress, counter

FEW_CROPS = 16


@dataclass(frozen=True)
class PredictResult:
    """What was predicted: for each image, in order, a Prediction or, where it cannot be decoded, the BadImage."""

    outcomes: list[Prediction | BadImage]
    classes: tuple[str, ...]

    @property
    def bad(self) -> list[BadImage]:
        """The images that could not be decoded, each with its reason."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, BadImage)]


@dataclass(frozen=True)
class TableResult:
    """A table of predictions or embeddings: its file, how many images, and the seconds in all and by stage.

    `is_main` is false in all processes but one of torchrun's, which write one table together.
    """

    file: Path
    images: int
    engine: str
    seconds: float
    by_stage: Mapping[str, float]
    is_main: bool = True


def predict(
    model: Network | str | Path,
    images: Sequence[ImageInput],
    *,
    top: int = 5,
    crops: int = 1,
    engine: str = "auto",
    precision: str = "auto",
    on_progress: OnProgress | None = None,
) -> PredictResult:
    """The `top` most likely classes of each image, over `crops` crops, by a run, a weights file, an exported file or a network.

    Images are paths, bytes, PIL images or arrays (H, W, 3) of uint8. Where `engine` is auto, torch computes up to 16 crops: to
    load another engine takes longer than it saves. GodeeperError where model, engine and precision do not go together; an
    image that cannot be decoded stops nothing.
    """
    check_crops(crops)
    if engine == "auto" and precision != "int8" and len(images) * crops <= FEW_CROPS and not is_exported(model):
        engine = "torch"
    predictor = Predictor(model, engine, precision)
    outcomes: list[Prediction | BadImage] = []
    for outcome in predictor.outcomes(images, top=top, crops=crops):
        outcomes.append(outcome)
        if on_progress is not None:
            on_progress(Progress("predicting", len(outcomes), len(images)))
    return PredictResult(outcomes, predictor.classes)


def predict_table(
    model: Network | str | Path,
    files: Sequence[Path],
    out: Path,
    *,
    top: int = 5,
    crops: int = 1,
    lang: Lang = "en",
    engine: str = "auto",
    precision: str = "auto",
    on_progress: OnProgress | None = None,
) -> TableResult:
    """The same into a table, .parquet, .csv or .jsonl, a row a file; called again, it goes on where it was interrupted.

    Under torchrun the processes share the files. GodeeperError where the table is there already, or its parts are of another
    call.
    """
    check_crops(crops)
    check_table(out, FORMATS)
    processes = PartialState(cpu=best_device().type == "cpu")  # each process of a machine on a GPU of its own
    opened = model if is_exported(model) else open_network(model)
    predictor = Predictor(opened, engine, precision)
    identity = {"weights": fingerprint(opened), "classes": list(predictor.classes), "precision": predictor.engine.precision}
    progress = counter("predicting", on_progress)
    start = perf_counter()
    write_predictions(out, files, predictor, identity, top=top, crops=crops, lang=lang, progress=progress)
    seconds = perf_counter() - start
    return TableResult(out, len(files), predictor.engine.name, seconds, predictor.seconds, processes.is_main_process)
