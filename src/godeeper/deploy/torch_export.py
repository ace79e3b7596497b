"""A network as a torch.export program (.pt2)."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ..errors import GodeeperError, message_lines
from ..models.network import Network, device_of


def trace_any_batch(network: nn.Module, image_size: int) -> ExportedProgram:
    """A network in evaluation mode as a program of normalised images, float32 (N, 3, S, S) -> logits, for any N.

    GodeeperError for a network that cannot be traced.
    """
    program = trace(layers_of(network), image_size, 2, {0: torch.export.Dim("batch", min=1)})
    program.example_inputs = None  # the one thing that `torch.export.save` would pickle
    return program


def write_pt2(program: ExportedProgram, file: Path, metadata: dict[str, str], comment: str) -> None:
    """Writes a program of `trace_any_batch`; `metadata` are texts by name, `extra_files` of `torch.export.load`.

    `comment` is the ZIP archive's, its last bytes: what stands there can change without another number of the archive.
    """
    buffer = io.BytesIO()
    with silenced():
        torch.export.save(program, buffer, extra_files=metadata)
    with ZipFile(buffer, "a") as archive:
        archive.comment = comment.encode()
    file.write_bytes(buffer.getbuffer())


def load_pt2(file: Path) -> Callable[[Tensor], Tensor]:
    """A file that `write_pt2` has just written, ready to run: images (N, 3, S, S) -> logits (N, classes).

    Never for a file that a user names: torch.export.load unpickles where a file asks for it, and evaluates the text of its sizes.
    """
    with silenced():  # once: it takes as long as many batches
        module = torch.export.load(file).module()

    @torch.inference_mode()
    def run(x: Tensor) -> Tensor:
        logits: Tensor = module(x)
        return logits

    return run


def layers_of(network: nn.Module) -> nn.Module:
    """The stages and the head of a network in a row, without its checks of the input; another module as it is."""
    if not isinstance(network, Network):
        return network
    return nn.Sequential(OrderedDict([*network.stages.items(), *network.head.items()])).eval()


def trace(module: nn.Module, image_size: int, batch: int, dynamic: dict[int, Any] | None = None) -> ExportedProgram:
    """A module traced on (batch, 3, S, S); `dynamic` are torch.export.Dims by axis. GodeeperError where it cannot be traced.

    The program is for the CPU, and so runs anywhere; the module stays where it is.
    """
    if device_of(module).type != "cpu":
        module = copy.deepcopy(module).cpu()
    x = torch.zeros(batch, 3, image_size, image_size)
    try:
        with silenced(), redirect_stderr(io.StringIO()), torch.no_grad():  # where the tracer prints the graph so far
            return torch.export.export(module, (x,), dynamic_shapes=(dynamic,))
    except Exception as error:  # whatever a module's forward and the tracer may raise
        raise GodeeperError(f"torch.export cannot trace this network: {message_lines(error)[0]}") from error


@contextmanager
def silenced() -> Iterator[None]:
    """Hides warnings and logging below errors: the exporters warn about themselves."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(max(before, logging.WARNING))
        try:
            yield
        finally:
            logging.disable(before)
