"""A network as a torch.export program (.pt2): torch alone runs it, without godeeper."""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ..errors import GodeeperError
from ..files import atomic_write
from ..models.network import Network, device_of

METADATA = "godeeper.json"
RECORD = f"extra/{METADATA}"  # where torch.export.save keeps extra files
LARGEST = 1 << 24  # bytes of metadata; ours has a few thousand, and a stranger's file could fill the memory


def write_pt2(network: nn.Module, image_size: int, file: Path, metadata: dict[str, Any]) -> None:
    """Writes a network in evaluation mode as a program of normalised images, float32 (N, 3, S, S) -> logits, for any N.

    `metadata` travels inside, as JSON. The file holds no pickle. GodeeperError for a network that cannot be traced.
    """
    program = exported(plain(network), image_size, 2, {0: torch.export.Dim("batch", min=1)})
    program.example_inputs = None  # the one thing that would be pickled
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer, extra_files={METADATA: json.dumps(metadata)})
    with atomic_write(file) as partial:
        partial.write_bytes(buffer.getbuffer())


def rewrite_pt2_metadata(file: Path, metadata: dict[str, Any]) -> None:
    """Gives a file of `write_pt2` other metadata, without exporting again."""
    from torch.export.pt2_archive import PT2ArchiveReader, PT2ArchiveWriter

    reader, buffer = PT2ArchiveReader(str(file)), io.BytesIO()
    with PT2ArchiveWriter(buffer) as writer:
        for name in reader.get_file_names():
            if name not in (RECORD, "byteorder") and not name.startswith(".data/"):  # which the writer adds by itself
                writer.write_bytes(name, reader.read_bytes(name))
        writer.write_string(RECORD, json.dumps(metadata))
    with atomic_write(file) as partial:
        partial.write_bytes(buffer.getbuffer())


def read_pt2_metadata(file: Path) -> dict[str, Any] | None:
    """The metadata in a file of `write_pt2`, None in any other; nothing in the file is run. OSError where it is unreadable."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.partition("/")[2] == RECORD]
            return parsed(archive.read(entries[0])) if entries and entries[0].file_size < LARGEST else None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError):  # zipfile's, for damage
        return None


def run_pt2(file: Path, x: Tensor) -> Tensor:
    """Images (N, 3, S, S) through a file that `write_pt2` has just written -> logits.

    Never for a file that a user names: torch.export.load unpickles where a file asks for it, and evaluates the text of its sizes.
    """
    with quiet(), torch.inference_mode():
        logits: Tensor = torch.export.load(file).module()(x)
    return logits


def parsed(text: str | bytes) -> dict[str, Any] | None:
    """Metadata from its JSON, None where it is something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def plain(network: nn.Module) -> nn.Module:
    """The stages and the head of a network, one after the other, without its checks; another module as it is."""
    if not isinstance(network, Network):
        return network
    return nn.Sequential(OrderedDict([*network.stages.items(), *network.head.items()])).eval()


def exported(module: nn.Module, image_size: int, batch: int, free: dict[int, Any] | None = None) -> ExportedProgram:
    """A module traced with `batch` images, of which the dimensions in `free` may change. GodeeperError where it cannot be.

    The program is for the CPU, and so runs anywhere; the module stays where it is.
    """
    if device_of(module).type != "cpu":
        module = copy.deepcopy(module).cpu()
    x = torch.zeros(batch, 3, image_size, image_size)
    try:
        with quiet(), redirect_stderr(io.StringIO()), torch.no_grad():  # where the tracer prints the graph so far
            return torch.export.export(module, (x,), dynamic_shapes=(free,))
    except Exception as error:  # whatever a module's forward and the tracer may raise
        raise GodeeperError(f"torch.export cannot trace this network: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """What an error says first, or its name."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing below an error is shown: the exporters warn about themselves."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(max(before, logging.WARNING))
        try:
            yield
        finally:
            logging.disable(before)
