"""What people name detectors and proposals by -> what finds objects and proposes regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..deploy.detector_export import ExportedDetector
from ..deploy.export_metadata import is_exported
from ..detect.detector import Detector
from ..detect.detector_files import holds_detector, load_detector, load_multibox
from ..detect.multibox import MultiBoxProposals
from ..detect.proposals import CachedProposals, CombinedProposals, Proposer, SelectiveSearch
from ..detect.rcnn import RCNN
from ..detect.selective_search import LARGER_SUPERPIXELS
from ..errors import GodeeperError
from ..models.load import load
from ..models.network import best_device, to_device

Models = Sequence[str | Path] | Detector


def open_detector(models: Models, superpixels: float | None = None, multibox: str | Path | None = None) -> Detector:
    """The Faster R-CNN of a run, a weights file or an exported file; or the R-CNN of one or more runs.

    `superpixels` and `multibox` are of R-CNN's proposals, as in `open_proposer`. GodeeperError for what does not go together.
    """
    if isinstance(models, str | Path) or models == []:
        raise GodeeperError("give the detector's runs as a list, even a single one")
    if not isinstance(models, Sequence):
        return models
    whole = [model for model in models if is_exported(model) or holds_detector(model)]
    if not whole:
        networks = [to_device(load(model), best_device()) for model in models]
        return RCNN(networks, open_proposer(superpixels, multibox))
    name = repr(str(whole[0]))
    if len(models) > 1:
        raise GodeeperError(f"{name} is a Faster R-CNN, which works alone: an ensemble is of R-CNN runs")
    if superpixels is not None or multibox is not None:
        raise GodeeperError(f"{name} is a Faster R-CNN, which proposes by itself: leave --superpixels and --multibox out")
    if is_exported(whole[0]):
        return ExportedDetector(whole[0])
    return to_device(load_detector(whole[0]), best_device())


def open_proposer(superpixels: float | None = None, multibox: str | Path | None = None) -> Proposer:
    """Selective search, and with it the proposals of a MultiBox run where one is named.

    The search starts with superpixels `superpixels` times the size of R-CNN's, by default 2, as the GoogLeNet paper has it.
    """
    search = CachedProposals(SelectiveSearch(LARGER_SUPERPIXELS if superpixels is None else superpixels))
    return search if multibox is None else CombinedProposals((search, MultiBoxProposals(load_multibox(multibox))))
