"""What classes are called, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

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

# English names of ImageNet's that elsewhere may well mean something else: here `mouse` is a computer's, `hip` a rose's.
_AMBIGUOUS = {
    "admiral", "amphibian", "bow", "boxer", "brass", "buckeye", "cairn", "cardigan", "Cardigan", "chest", "crane", "cricket",
    "drumstick", "ear", "file", "goldfinch", "hip", "iron", "jersey", "kite", "mask", "mortar", "mouse", "muzzle", "nail",
    "Newfoundland", "nipple", "organ", "pick", "pirate", "pitcher", "plane", "plate", "pot", "ringlet", "robin", "safe", "scale",
    "screen", "slot", "sorrel", "swab", "tank", "tick", "torch", "upright", "vault", "washer", "wing", "wreck",
}  # fmt: skip


@dataclass(frozen=True)
class ImageNetClass:
    """One of ImageNet's 1000 classes: its synset, and what it is called."""

    synset: str
    english: str
    chinese: str


@lru_cache(maxsize=1)
def imagenet() -> tuple[ImageNetClass, ...]:
    """ImageNet's 1000 classes in the order in which every network counts them; names are unique in either language.

    English: torchvision's. Chinese: ours, of what WordNet's gloss of the synset describes, or, where the photographs differ
    (chime, pier, pinwheel, sunglass), of what they show.
    """
    lines = files("godeeper").joinpath("imagenet.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(ImageNetClass(*line.split("\t")) for line in lines)


def in_chinese(label: str) -> str | None:
    """The Chinese name of a class by its English one or its synset; None where it is not known, or the English is ambiguous."""
    if label in _CHINESE:
        return _CHINESE[label]
    known = _by_name().get(label)
    return None if known is None or label in _AMBIGUOUS else known.chinese


def named(classes: Sequence[str], lang: Lang) -> tuple[str, ...]:
    """What to show for every class of a network, in their order; `both` is the Chinese name, then the English one.

    Synsets get their names. A class whose Chinese name is not known keeps its own.
    """
    known = _by_name()
    whole = len(classes) == len(imagenet()) and all(label in known for label in classes)  # then no name is ambiguous

    def show(label: str) -> str:
        chinese = known[label].chinese if whole else in_chinese(label)
        english = known[label].english if label in known else label
        if lang == "en" or chinese is None:
            return english
        return chinese if lang == "zh" else f"{chinese} {english}"

    return tuple(show(label) for label in classes)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, ImageNetClass]:
    """ImageNet's classes by either of their names in a network: the synset, the English one."""
    return {name: one for one in imagenet() for name in (one.synset, one.english)}
