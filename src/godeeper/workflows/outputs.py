"""Where workflows may write, checked before any work is done: nothing that stands there is overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..destinations import DRAWINGS, check_output
from ..errors import GodeeperError
from ..files import is_partial
from ..locks import LOCK_FILE
from ..packages import install_command

# What a report's folder may hold before the report is complete.
UNFINISHED = {"partial", "report.html", "report.md", "calibration.png", "crops.png", "mistakes"}


def check_report(folder: Path, resuming: bool) -> None:
    """GodeeperError unless a report can be written into this folder; a resumed evaluation goes on in its own."""
    check_output(folder, "--report")
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    content = {name for name in names if name != LOCK_FILE and not is_partial(name)}
    if "result.json" in content:
        raise GodeeperError(f"--report {str(folder)!r} holds a report already: name another folder")
    if content and not (resuming and content <= UNFINISHED) and content != {"partial"}:  # the journal says what to do with it
        raise GodeeperError(
            f"--report {str(folder)!r} is not empty: it holds {min(content - {'partial'})!r}; name another folder"
        )  # fmt: skip
    if find_spec("matplotlib") is None:
        raise GodeeperError(f"a report's charts need matplotlib: {install_command('demo')}")


def check_drawing(file: Path, images: Sequence[Path]) -> None:
    """GodeeperError unless the file can be written, as an image, without touching one that it shows."""
    check_output(file, "--plot", DRAWINGS)
    if file.resolve() in {image.resolve() for image in images}:
        raise GodeeperError(f"--plot {str(file)!r} is one of the images to predict: name another file")
