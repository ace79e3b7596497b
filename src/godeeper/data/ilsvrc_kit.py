"""The development kit of ILSVRC 2012: its order of the synsets, and the labels of the validation images."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import GodeeperError, message_lines
from ..files import read_file
from ..labels import imagenet
from ..packages import install_command

VALIDATION_IMAGES = 50_000  # arXiv 1409.0575, on the classification task
GROUND_TRUTHS = ("ILSVRC2012_validation_ground_truth.txt", "ILSVRC2014_clsloc_validation_ground_truth.txt")
NUMBER = re.compile(r"\d{1,9}")


@lru_cache(maxsize=1)
def kit_order() -> tuple[str, ...]:
    """The 1000 synsets in the order in which the development kit counts them, as ILSVRC2012_ID, from 1."""
    return tuple(known.synset for known in sorted(imagenet(), key=lambda known: known.kit_id))


@lru_cache(maxsize=1)
def synsets() -> tuple[str, ...]:
    """The 1000 synsets in the order in which every ImageNet network counts its classes, from 0: the alphabet's."""
    return tuple(known.synset for known in imagenet())


def kit_labels(kit: Path, files: dict[int, Path]) -> dict[int, str]:
    """The synsets of images by a kit, whose own order of synsets, where it lies beside the ground truth, is checked first."""
    file = _ground_truth_file(kit) if kit.is_dir() else kit
    names, meta = file.parent / "map_clsloc.txt", file.parent / "meta.mat"
    if names.is_file():
        _check_order(_read_map(names), names)
    if meta.is_file():
        _check_order(_read_meta(meta), meta)
    truth = [_synset(line, f"{str(file)!r}, line {number}") for number, line in enumerate(lines(file), 1)]
    if len(truth) > VALIDATION_IMAGES:
        raise GodeeperError(
            f"{str(file)!r} has {len(truth):,} labels, more than the {VALIDATION_IMAGES:,} of the validation set:"
            f" give the kit's {GROUND_TRUTHS[0]}"
        )
    for number in sorted(files):
        if number > len(truth):
            raise GodeeperError(
                f"{str(files[number])!r} has no label: {str(file)!r} ends with line {len(truth)}; give the kit's whole file"
            )
    return {number: truth[number - 1] for number in files}


def _synset(line: str, where: str) -> str:
    """The synset of a line of the ground truth: an ILSVRC2012_ID, or the synset itself."""
    if NUMBER.fullmatch(line):
        if 1 <= int(line) <= 1000:
            return kit_order()[int(line) - 1]
        hint = ", not labels that count from 0" if int(line) == 0 else ""
        raise GodeeperError(f"{where}: label {line} is not one of 1 to 1000: give the kit's ILSVRC2012_ID{hint}")
    if line not in all_synsets():
        raise GodeeperError(f"{where}: {line[:60]!r} is no label: give an ILSVRC2012_ID, 1 to 1000, or a synset")
    return line


@lru_cache(maxsize=1)
def all_synsets() -> frozenset[str]:
    """The same, without an order."""
    return frozenset(kit_order())


def _ground_truth_file(kit: Path) -> Path:
    for name in GROUND_TRUTHS:
        files = sorted(kit.rglob(name))
        if len(files) > 1:
            raise GodeeperError(f"{str(kit)!r} holds {name} more than once, as {str(files[0])!r} and {str(files[1])!r}: give one")
        if files:
            return files[0]
    raise GodeeperError(f"{str(kit)!r} holds no ground truth, {' or '.join(GROUND_TRUTHS)}: give the kit's folder or that file")


def _read_map(file: Path) -> list[tuple[int, str]]:
    """The IDs and synsets of map_clsloc.txt."""
    pairs = []
    for number, line in enumerate(lines(file), 1):
        match = re.match(r"(n\d{8})\s+(\d{1,9})(\s|$)", line)
        if not match:
            raise GodeeperError(f"{str(file)!r}, line {number}: {line[:60]!r} is not of the form 'n02119789 1 kit_fox'")
        pairs.append((int(match[2]), match[1]))
    return pairs


def _read_meta(file: Path) -> list[tuple[int, str]]:
    """The IDs and synsets of meta.mat's leaves: above 1000 it counts what they are grouped in."""
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]
    except ImportError:
        raise GodeeperError(f"reading {str(file)!r} needs scipy: {install_command('demo')}") from None
    try:
        rows: Any = loadmat(file, squeeze_me=True)["synsets"].reshape(-1)
        return [(int(row["ILSVRC2012_ID"]), str(row["WNID"])) for row in rows if row["ILSVRC2012_ID"] <= 1000]
    except Exception as error:  # scipy raises many kinds for a damaged file; one with other fields raises others
        raise GodeeperError(
            f"{str(file)!r} is not the kit's list of synsets ({message_lines(error)[0]}): unpack the kit anew"
        ) from None


def _check_order(pairs: Iterable[tuple[int, str]], file: Path) -> None:
    """GodeeperError unless a kit counts the synsets as the challenge does."""
    counted = sorted(pairs)
    alphabetical = [synset for _, synset in counted] == list(synsets())
    hint = "that list belongs to labels counted in alphabetical order" if alphabetical else "take the kit's own file"
    here = dict(counted)
    for number, synset in enumerate(kit_order(), 1):
        if here.get(number) != synset:
            raise GodeeperError(f"{str(file)!r} counts otherwise: ID {number} is {here.get(number)} there, {synset} here; {hint}")
    if len(counted) != len(here) or len(here) != len(kit_order()):
        raise GodeeperError(f"{str(file)!r} has {len(counted)} synsets, not the challenge's 1000: {hint}")


def lines(file: Path) -> list[str]:
    """The lines of a text file, without blanks around them or at its end."""
    try:
        text = read_file(file).decode("ascii")
    except OSError as error:
        raise GodeeperError(f"{str(file)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise GodeeperError(f"{str(file)!r} is no text, from byte {error.start} on: unpack the kit anew") from None
    return [line.strip() for line in text.rstrip().split("\n")] if text.strip() else []
