"""The names of classes in English and in Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from .text import Text

Lang = Literal["zh", "en", "both"]

_CHINESE = {
    "airplane": "飞机",
    "automobile": "汽车",
    "bird": "鸟",
    "cat": "猫",
    "deer": "鹿",
    "dog": "狗",
    "frog": "青蛙",
    "horse": "马",
    "ship": "船",
    "truck": "卡车",
    "RBC": "红细胞",
    "WBC": "白细胞",
    "Platelets": "血小板",
} | {str(digit): numeral for digit, numeral in enumerate("零一二三四五六七八九")}

# English names of ImageNet classes that often mean something else: here `mouse` is a computer's, `hip` a rose's.
_AMBIGUOUS = {
    "admiral", "amphibian", "bow", "boxer", "brass", "buckeye", "cairn", "cardigan", "Cardigan", "chest", "crane", "cricket",
    "drumstick", "ear", "file", "goldfinch", "hip", "iron", "jersey", "kite", "mask", "mortar", "mouse", "muzzle", "nail",
    "Newfoundland", "nipple", "organ", "pick", "pirate", "pitcher", "plane", "plate", "pot", "ringlet", "robin", "safe", "scale",
    "screen", "slot", "sorrel", "swab", "tank", "tick", "torch", "upright", "vault", "washer", "wing", "wreck",
}  # fmt: skip


@dataclass(frozen=True)
class ImageNetClass:
    """One of ImageNet's 1000 classes: its synset, its ILSVRC2012_ID in the development kit (from 1), and its name."""

    synset: str
    kit_id: int
    name: Text


@lru_cache(maxsize=1)
def imagenet() -> tuple[ImageNetClass, ...]:
    """ImageNet's 1000 classes in the order in which every network counts them; names are unique in either language.

    English: torchvision's. Chinese: ours, of what WordNet's gloss of the synset describes, or, where the photographs differ
    (chime, pier, pinwheel, sunglass), of what they show.
    """
    lines = files("godeeper").joinpath("imagenet.tsv").read_text(encoding="utf-8").splitlines()
    columns = (line.split("\t") for line in lines)
    return tuple(ImageNetClass(synset, int(kit_id), Text(english, chinese)) for synset, kit_id, english, chinese in columns)


def imagenet_names() -> tuple[str, ...]:
    """The English names of ImageNet's 1000 classes, in the order in which every network counts them."""
    return tuple(known.name.en for known in imagenet())


def chinese_name(label: str) -> str | None:
    """The Chinese name of a class by its English one or its synset; None if it is unknown or the English is ambiguous."""
    if label in _CHINESE:
        return _CHINESE[label]
    known = _by_name().get(label)
    return None if known is None or label in _AMBIGUOUS else known.name.zh


def display_names(classes: Sequence[str], lang: Lang) -> tuple[str, ...]:
    """The names to show for all classes of a network, in their order; `both` is the Chinese name, then the English one.

    Synsets get their names. A class without a known Chinese name keeps its own.
    """
    known = _by_name()
    is_imagenet = len(classes) == len(imagenet()) and all(label in known for label in classes)  # then no name is ambiguous

    def display(label: str) -> str:
        chinese = known[label].name.zh if is_imagenet else chinese_name(label)
        english = known[label].name.en if label in known else label
        if lang == "en" or chinese is None:
            return english
        return chinese if lang == "zh" else f"{chinese} {english}"

    return tuple(display(label) for label in classes)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, ImageNetClass]:
    """ImageNet's classes by either of their names in a network: the synset, the English one."""
    return {key: known for known in imagenet() for key in (known.synset, known.name.en)}
