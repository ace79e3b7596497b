"""Other libraries' networks, by name, to compare ours with: built by the library, their weights read as plain tensors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from torch import Tensor, nn

from ..errors import BadCheckpoint, GodeeperError, message_lines, unknown
from ..labels import imagenet_names
from ..packages import install_command
from ..preprocess import Interpolation, Preprocess
from .load import load
from .network import Network
from .weights.foreign import cache_file, cached_file, fetch, read_pickled
from .weights.published import HUGGING_FACE, Published

INTERPOLATIONS: tuple[Interpolation, ...] = ("bilinear", "bicubic")
TIMEOUT = 10  # seconds until a server that does not answer counts as out of reach
# Files of torchvision's DenseNets are older than their modules' names: `norm.1` is `norm1` today.
DENSENET_KEY = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var))")


class Comparator(nn.Module):
    """Another library's classifier: normalised images (N, 3, H, W) -> logits (N, classes), in evaluation mode.

    `name` says which weights it has; `preprocess` what to do to images before; `classes` is None where nobody names them.
    """

    def __init__(
        self, name: str, network: nn.Module, preprocess: Preprocess, classes: tuple[str, ...] | None, num_classes: int
    ) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.preprocess = preprocess
        self.classes = classes
        self.num_classes = num_classes
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W), normalised -> logits (N, classes)."""
        logits: Tensor = self.network(x)
        return logits


def is_comparator(name: str) -> bool:
    """Whether the name is of another library's network; with a slash for the colon it is of weights that ours can load."""
    return name.startswith(("torchvision:", "timm:"))


def load_classifier(name: str | Path) -> Network | Comparator:
    """Another library's network for a comparator's name, and one of ours for whatever `weights.load` takes."""
    return load_comparator(str(name)) if is_comparator(str(name)) else load(name)


def load_comparator(name: str) -> Comparator:
    """The network of `torchvision:MODEL`, `torchvision:MODEL.WEIGHTS`, `timm:MODEL` or `timm:MODEL.TAG`, with its weights.

    Without weights or tag the library's default. Files come from the library's cache, else from the network, and nothing in
    them is run. GodeeperError for a name or a preprocessing that is not known here, and where nothing can be fetched;
    BadCheckpoint for a damaged file.
    """
    if not is_comparator(name):
        raise GodeeperError(f"{name!r} names no network of another library: say torchvision:MODEL or timm:MODEL")
    library, _, model = name.partition(":")
    return _from_torchvision(model) if library == "torchvision" else _from_timm(model)


def _from_torchvision(name: str) -> Comparator:
    model, weights = _torchvision_weights(name)
    name, classes = f"torchvision:{model}.{weights.name}", weights.meta["categories"]
    if not classes:
        raise GodeeperError(f"{name!r} holds no classifier")
    transform = weights.transforms()
    crop, resize, interpolation = transform.crop_size, transform.resize_size, transform.interpolation.value
    preprocess = _preprocess(name, crop, resize[0], interpolation, transform.mean, transform.std)
    file = _fetch(_published(name, weights.url, preprocess))
    return Comparator(name, _torchvision_network(model, weights, file), preprocess, tuple(classes), len(classes))


def _torchvision_weights(name: str) -> tuple[str, Any]:
    """The model that a name means, and torchvision's entry of its weights."""
    from torchvision import models

    model, _, tag = name.partition(".")
    names = models.list_models(module=models)  # this module's own: networks for detection, video and so on are in others
    if model not in names:
        raise unknown("network of torchvision", model, names)
    entries = models.get_model_weights(model).__members__
    if "." in name and tag not in entries:
        raise unknown(f"weights of torchvision:{model}", tag, entries)
    if not entries:
        raise GodeeperError(f"torchvision has no weights of {model!r}")
    return model, entries[tag or "DEFAULT"]


def _torchvision_network(model: str, weights: Any, file: Path) -> nn.Module:
    """What torchvision's own builder gives with these weights, of a file that is here."""
    from accelerate import init_empty_weights
    from torchvision.models import get_model

    arguments: dict[str, Any] = {"num_classes": len(weights.meta["categories"])}
    if model in ("googlenet", "inception_v3"):
        arguments |= {"transform_input": True, "aux_logits": True, "init_weights": False}
    elif model.startswith("vit_"):
        arguments["image_size"] = weights.meta["min_size"][0]
    with init_empty_weights():  # neither memory nor random numbers for weights that the file brings
        network: nn.Module = get_model(model, weights=None, **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old formats
        tensors = _torchvision_tensors(weights, file)
        try:
            network.load_state_dict(tensors, assign=True)
        except Exception as error:  # whatever stands there instead of tensors
            raise _misfit(file, f"torchvision:{model}", error) from None
    if model == "googlenet":  # as the builder does: these heads were never trained
        network.aux_logits, network.aux1, network.aux2 = False, None, None  # type: ignore[assignment]
    return network.float()


def _torchvision_tensors(weights: Any, file: Path) -> dict[str, Any]:
    try:  # torchvision's own reading keeps the versions of modules, which MNASNet asks for
        tensors = weights.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")
    except Exception as error:
        read_pickled(file)  # which says what is wrong with it
        raise BadCheckpoint(f"{str(file)!r} cannot be read: {message_lines(error)[0]}") from None
    if not isinstance(tensors, dict):
        raise BadCheckpoint(f"{str(file)!r} holds no weights by name, but {type(tensors).__name__}")
    for key in [key for key in tensors if isinstance(key, str)]:
        if match := DENSENET_KEY.fullmatch(key):
            tensors[match[1] + match[2]] = tensors.pop(key)
    return tensors


def _from_timm(name: str) -> Comparator:
    timm = _timm()
    model, config = _timm_config(timm, name)
    name = f"timm:{model}"
    if not config["num_classes"]:
        raise GodeeperError(f"{name!r} holds no classifier")
    preprocess = _timm_preprocess(timm, name, config)
    repository = config.get("hf_hub_id")
    url = f"{HUGGING_FACE}{repository}" if repository else config.get("url")
    if config.get("hf_hub_filename") or not isinstance(url, str):
        raise GodeeperError(f"{name!r} is published in a format that is not read here")
    # Under the repository's own name, which is also that of the file to put into the cache by hand.
    published = _published(repository or name, url, preprocess)
    network = _timm_network(timm, model, _fetch(published))
    return Comparator(name, network, preprocess, _timm_classes(timm, config), config["num_classes"])


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise GodeeperError(f"timm's networks need the library timm: {install_command('compare')}") from None
    return timm


def _timm_config(timm: Any, name: str) -> tuple[str, dict[str, Any]]:
    """The full name, with the tag, that a name means, and timm's own description of those weights."""
    model, dot, tag = name.partition(".")
    models = timm.list_models()
    if model not in models:
        raise unknown("network of timm", model, models)
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{model}*") if known.partition(".")[0] == model]
    if not tags:
        raise GodeeperError(f"timm has no weights of {model!r}")
    if dot and tag not in tags:
        raise unknown(f"weights of timm:{model}", tag, tags)
    config = timm.models.get_pretrained_cfg(name)
    return f"{model}.{config.tag}" if config.tag else model, config.to_dict()


def _timm_preprocess(timm: Any, name: str, config: dict[str, Any]) -> Preprocess:
    data = timm.data.resolve_model_data_config(None, pretrained_cfg=config)
    channels, height, width = data["input_size"]
    if channels != 3 or height != width:
        raise GodeeperError(f"{name!r} takes images of {channels}x{height}x{width}; only square ones in RGB are made here")
    if data["crop_mode"] != "center":
        raise GodeeperError(f"{name!r} crops images in timm's way {data['crop_mode']!r}; only 'center' is made here")
    resize = int(height / data["crop_pct"])  # rounded down, as timm does
    return _preprocess(name, (height,), resize, data["interpolation"], data["mean"], data["std"])


def _timm_network(timm: Any, model: str, file: Path) -> nn.Module:
    """The network with a file's weights, renamed as timm does; the file is named so that timm asks nobody for another."""
    if file.suffix != ".safetensors":
        read_pickled(file)  # which says what is wrong with it
    overlay = {"file": str(file), "custom_load": False}  # without a loader of the model's own, for formats that are not here
    try:
        network: nn.Module = timm.create_model(model, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:  # of many kinds: a damaged file, keys too few or too many
        raise _misfit(file, f"timm:{model}", error) from None
    return network


def _timm_classes(timm: Any, config: dict[str, Any]) -> tuple[str, ...] | None:
    """ImageNet's names as we have them, timm's own for other sets that it knows (ImageNet's larger ones: synsets), or None."""
    subset = timm.data.infer_imagenet_subset(config)
    if subset == "imagenet-1k":
        return imagenet_names()
    names = tuple(timm.data.ImageNetInfo(subset).label_names()) if subset else ()
    return names if len(names) == config["num_classes"] else None


def _preprocess(
    name: str, crop: Sequence[int], resize: int, interpolation: str, mean: Sequence[float], std: Sequence[float]
) -> Preprocess:
    """Theirs in our terms, such that the shorter side becomes `resize`; GodeeperError for what ours cannot say."""
    if len(set(crop)) != 1 or resize < crop[0]:
        raise GodeeperError(f"{name!r} crops {list(crop)} pixels of images resized to {resize}, which is not made here")
    if interpolation not in INTERPOLATIONS:
        known = " or ".join(INTERPOLATIONS)
        raise GodeeperError(f"{name!r} resizes images by {interpolation!r} interpolation, which is not made here; {known} are")
    red, green, blue = map(float, mean)
    deviation = (float(std[0]), float(std[1]), float(std[2]))
    return Preprocess.of(crop[0], (red, green, blue), deviation, crop_fraction=crop[0] / resize, interpolation=interpolation)


def _published(name: str, url: str, preprocess: Preprocess) -> Published:
    """A file of weights as `fetch` wants it described: of no layout of ours."""
    return Published(name, "", url, preprocess, None, None, "", "")


def _fetch(weights: Published) -> Path:
    """As `fetch`, which goes on trying for minutes, but only once a server has answered."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    file, repository = cache_file(weights), weights.repository
    if cached_file(weights) is None:
        try:
            if repository:
                get_hf_file_metadata(hf_hub_url(repository, weights.file), timeout=TIMEOUT)
            else:
                urlopen(weights.url, timeout=TIMEOUT).close()
        except Exception as error:  # of many kinds: no network, no such host, offline by choice
            where = f"{weights.url}/resolve/main/{weights.file}" if repository else weights.url
            raise GodeeperError(
                f"cannot fetch {weights.name!r} ({message_lines(error)[0]}): download {where} and put it at {str(file)!r}"
            ) from None
    return fetch(weights)


def _misfit(file: Path, name: str, error: Exception) -> BadCheckpoint:
    """The error for a file that a library refused: torch puts what differs below a first line that does not say it."""
    first, *others = message_lines(error)
    reason = others[0] if others and first.startswith("Error(s) in loading") else first
    return BadCheckpoint(f"{str(file)!r} does not fit {name!r}, or is damaged: {reason[:200]}")
