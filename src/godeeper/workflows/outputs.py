"""Where workflows may write, checked before any work is done: nothing that stands there is overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import GodeeperError
from ..files import partial_file

# What a report's folder may hold before the report is complete.
UNFINISHED = {"partial", "report.html", "report.md", "calibration.png", "crops.png", "mistakes"}
DRAWINGS = (".png", ".jpg", ".jpeg", ".webp")


def check_save(file: Path, resuming: bool) -> None:
    """GodeeperError unless probabilities can be saved as this file; a resumed evaluation may replace its own."""
    if file.suffix != ".safetensors":
        raise GodeeperError(f"--save {str(file)!r}: name a .safetensors file")
    if not file.parent.is_dir():
        raise GodeeperError(f"--save {str(file)!r}: there is no folder {str(file.parent)!r}")
    if file.exists() and not resuming:
        raise GodeeperError(f"--save {str(file)!r} is there already: name another file")
    trial = partial_file(file)
    try:
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise GodeeperError(f"cannot write {str(file)!r}: {error.strerror}") from None


def check_file(file: Path | None, suffix: str, option: str) -> None:
    """GodeeperError unless a file of that kind can be written."""
    if file is not None and file.is_dir():
        raise GodeeperError(f"{option} {str(file)!r} is a folder: name a {suffix} file")
    if file is not None and file.suffix.lower() != suffix:
        raise GodeeperError(f"{option} {str(file)!r}: name a {suffix} file")
    if file is not None and not file.parent.is_dir():
        raise GodeeperError(f"{option} {str(file)!r}: there is no folder {str(file.parent)!r}")


def check_report(folder: Path, resuming: bool) -> None:
    """GodeeperError unless a report can be written into this folder; a resumed evaluation goes on in its own."""
    if str(folder) == ".":  # also what an empty name means
        raise GodeeperError("--report needs a folder of its own: name one")
    if folder.exists() and not folder.is_dir():
        raise GodeeperError(f"--report {str(folder)!r} is a file: name a folder")
    content = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if "result.json" in content:
        raise GodeeperError(f"--report {str(folder)!r} holds a report already: name another folder")
    if content and not (resuming and content <= UNFINISHED) and content != {"partial"}:  # the journal says what to do with it
        raise GodeeperError(
            f"--report {str(folder)!r} is not empty: it holds {min(content - {'partial'})!r}; name another folder"
        )  # fmt: skip
    if find_spec("matplotlib") is None:
        raise GodeeperError("a report's charts need matplotlib: pip install 'godeeper[demo]'")


def check_drawing(file: Path, images: Sequence[Path]) -> None:
    """GodeeperError unless the file can be written, as an image, without touching one that it shows."""
    if file.suffix.lower() not in DRAWINGS:
        raise GodeeperError(f"--plot {str(file)!r}: name a .png, .jpg or .webp file")
    if not file.parent.is_dir():
        raise GodeeperError(f"--plot {str(file)!r}: there is no folder {str(file.parent)!r}")
    if file.resolve() in {image.resolve() for image in images}:
        raise GodeeperError(f"--plot {str(file)!r} is one of the images to predict: name another file")
