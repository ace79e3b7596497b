"""Weights from wherever they lie, by our names: our own files, and those of other libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import BadCheckpoint, GodeeperError
from ...files import could_exist
from ...labels import imagenet_names
from ...papers.describe import describe
from ...papers.registry import definition, takes_weights_of, variant
from ...preprocess import Preprocess
from ...tensor_files import decoded, is_safetensors, read_safetensors
from ..spec import ModelSpec, check_memory
from .foreign import fetch, most_likely, plain, read_pickled, recognise, renamed
from .keras_files import is_keras, read_keras
from .keras_model import KerasModel, described_preprocess, head_tensors, keras_model, with_head
from .layouts import LAYOUTS
from .published import PUBLISHED, Published
from .shipped import Shipped, shipped

WEIGHTS_FILE = "model.safetensors"
EXPORTED = (".onnx", ".xml", ".pt2", ".pte")  # what `godeeper export` writes: never weights
CLASSIFIER = "head.linear.linear.weight"


@dataclass(frozen=True)
class Weights:
    """A file's weights by our names, and the spec of the network that they are of; not in a network yet."""

    file: Path
    tensors: dict[str, Tensor]
    spec: ModelSpec
    notes: tuple[str, ...] = ()  # what was converted on the way
    names: Mapping[str, str] = field(default_factory=dict)  # our name -> the file's, where they differ
    remark: str = ""  # on its auxiliary heads


def read_weights(source: str | Path, model: str | None = None, preprocess: Preprocess | str | None = None) -> Weights:
    """The weights that `source`, a run folder, a file or a published name, means; of those that come with godeeper, too.

    `preprocess` is what their network is to do with images, in place of what the file says or what is assumed: all of it, or as
    words for `Preprocess.adjusted`. BadCheckpoint where they cannot be read, or are published for another model than `model`;
    those are not even fetched.
    """
    file, published = _located(source, model)
    weights = _read(file, published, preprocess is not None)
    if preprocess is None:
        return weights
    spec = weights.spec
    given = preprocess if isinstance(preprocess, Preprocess) else spec.preprocess.adjusted(preprocess)
    check_memory(describe(spec.definition), given.image_size, given.image_size)
    return replace(weights, spec=replace(spec, preprocess=given))


def _read(file: Path, published: Published | None, is_prepared: bool) -> Weights:
    """A file's weights; `is_prepared`: its preprocessing is given, so that nothing is said of what would be assumed."""
    if file.suffix.lower() in EXPORTED:
        raise BadCheckpoint(
            f"{str(file)!r} is named like an exported network, which only predict and serve take, as .onnx or .xml:"
            " give the run or the weights that it was made of"
        )
    if is_safetensors(file) or file.suffix == ".safetensors":
        tensors, metadata = read_safetensors(file)
        if "detector" in metadata:
            raise BadCheckpoint(f"{str(file)!r} holds a detector, not a classifier: use it with `godeeper detect`")
        if "multibox" in metadata:
            raise BadCheckpoint(f"{str(file)!r} holds a MultiBox network, which proposes regions: name it with --multibox")
    elif is_keras(file):
        model = keras_model(read_keras(file), file)
        return _foreign(plain(model.tensors, file), file, published, is_prepared, model)
    else:
        tensors, metadata = read_pickled(file), {}
    tensors = plain(tensors, file)
    if published is None and ("spec" in metadata or any(name.startswith("stages.") for name in tensors)):
        return Weights(file, tensors, _spec(decoded(metadata, file), file))
    return _foreign(tensors, file, published, is_prepared)


def weights_file(path: Path) -> Path:
    """The weights file that `path`, a run folder or a file, means. BadCheckpoint, with the remedy, where there is none."""
    if not could_exist(path):
        raise _nowhere(str(path))
    if path.is_file():
        return path
    if not path.is_dir():
        library, slash, _ = str(path).partition("/")
        known: dict[str, Shipped | Published] = {**shipped(), **PUBLISHED}
        ours = [name for name, weights in known.items() if weights.architecture == str(path)]
        theirs = [name for name in known if slash and name.startswith(f"{library}/")]
        hint = ", and no published weights of that name"
        if ours or theirs:
            hint = f"; published are {', '.join(ours or theirs)}"
        raise BadCheckpoint(f"there is no run folder or weights file {str(path)!r}{hint}")
    if not (path / WEIGHTS_FILE).is_file():
        unfinished = (path / "recipe.json").is_file()
        hint = "its training has not finished; go on with --resume" if unfinished else "it is not a run folder"
        raise BadCheckpoint(f"{str(path)!r} holds no {WEIGHTS_FILE}: {hint}")
    return path / WEIGHTS_FILE


def _nowhere(name: str) -> BadCheckpoint:
    """The error for a name that is too long for any file."""
    return BadCheckpoint(f"there is no run folder or weights file {name[:40]!r}...: the name is too long")


def _located(source: str | Path, model: str | None) -> tuple[Path, Published | None]:
    name = str(source)
    if not name:
        raise BadCheckpoint("the name of the weights is empty: give a run folder, a weights file or a published name")
    if not could_exist(name):
        raise _nowhere(name)
    if Path(name).is_file() or (Path(name) / WEIGHTS_FILE).is_file():
        return weights_file(Path(name)), None
    if name in shipped():
        return shipped()[name].file, None
    published = PUBLISHED.get(name)
    if published is None:
        return weights_file(Path(name)), None
    if model is not None and not takes_weights_of(model, published.architecture):
        raise BadCheckpoint(f"{name!r} holds {published.architecture!r}, not {model!r}")
    return fetch(published), published


def _spec(metadata: dict[str, Any], file: Path) -> ModelSpec:
    if "spec" not in metadata:
        raise BadCheckpoint(f"{str(file)!r} does not say which model it holds: the metadata that godeeper writes is missing")
    try:
        return ModelSpec.from_dict(metadata["spec"])
    except GodeeperError as error:
        raise BadCheckpoint(f"{str(file)!r}: {error}") from None


def _foreign(
    tensors: dict[str, Tensor], file: Path, published: Published | None, is_prepared: bool, model: KerasModel | None = None
) -> Weights:
    layout = LAYOUTS[published.layout] if published else recognise(tensors, file)
    head = head_tensors(model) if model else {}  # of one's own
    ours = renamed(tensors, layout, file) | head
    before = len(tensors.get(layout.classifier, head.get(CLASSIFIER, ())))
    if published is not None and before not in (published.classes, 1000, 1001):
        raise BadCheckpoint(f"{str(file)!r} has {before} classes, {published.name!r} has {published.classes}: it is another file")
    likely = published or most_likely(layout, file, before, heads=any(name.startswith("auxiliary.") for name in ours))
    if likely.layout != layout.name:
        layout = LAYOUTS[likely.layout]
        ours = renamed(tensors, layout, file)
    kept = len(ours.get(CLASSIFIER, ()))
    # A file of 1008 classes has ImageNet's in another order, which nothing here names.
    classes = imagenet_names() if layout.imagenet and kept == 1000 and before != 1008 else None
    table, preprocess = definition(layout.architecture), likely.preprocess
    if model is not None:
        table = with_head(table, model, layout.shapes[CLASSIFIER][1])
        preprocess = preprocess if is_prepared else described_preprocess(preprocess, model)
    spec = ModelSpec(variant(table, num_classes=kept or None), preprocess, classes)
    notes = [f"of its {before} classes the {kept} of ImageNet are kept"] if kept != before else []
    if published is None:
        assumed = "" if is_prepared else f": images are prepared as for {likely.name!r} ({preprocess.words})"
        assumed += f"{', and' if assumed else ':'} its classes are taken for ImageNet's" if classes else ""
        notes.append(f"named as {layout.name}{assumed}")
    if model is not None and model.hidden and model.config is None:
        notes.append(f"with ReLU assumed after {', '.join(layer.name for layer in model.hidden)}")
    return Weights(file, ours, spec, tuple(notes), layout.names, published.remark if published else "")
