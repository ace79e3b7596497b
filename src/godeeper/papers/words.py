"""Rows in the words of the figures of arXiv 1512.00567 and 1602.07261: "1x1 64, 3x3 96 /2 V", from the input upwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from .notation import VALID, Avg, Cat, Conv, Max, Residual, Row, Stage, Window, rows


def branches(stage: Stage, word: Callable[[Row], str]) -> tuple[str, ...]:
    """The branches of a block, each in words; rows one after the other are a single branch."""
    block = rows(stage)[0]
    if isinstance(block, Residual):
        block = block.body
    if isinstance(block, Cat) and len(set(rows(stage))) == 1:
        return tuple(chain(branch, word) for branch in block.branches)
    return (chain(rows(stage), word),)


def chain(path: Iterable[Row], word: Callable[[Row], str]) -> str:
    """Rows one after the other."""
    return ", ".join(map(word, path))


def words(row: Row, filters: Callable[[int], object] = int) -> str:
    """A row as in arXiv 1602.07261, where average pools and pools of stride 1 have no size; `filters` writes a filter count."""
    match row:
        case Conv(count):
            return f"{row.size} {filters(count)}" + _window(row)
        case Max():
            return f"maxpool {row.size}" + _window(row)
        case Avg():
            return "avgpool"
        case Cat(sides):
            return " | ".join(chain(side, partial(words, filters=filters)) for side in sides)
        case _:
            raise ValueError(f"no figure draws {row}")


def outline(row: Row) -> str:
    """A row as in arXiv 1512.00567: neither filter counts nor padding, nor the size of a pool."""
    match row:
        case Conv():
            return row.size + _stride(row)
        case Max() | Avg():
            return "pool" + _stride(row)
        case Cat(sides):
            return " | ".join(chain(side, outline) for side in sides)
        case _:
            raise ValueError(f"no figure draws {row}")


def pool_first(drawn: Sequence[str]) -> tuple[str, ...]:
    """Branches in the order of the figures of arXiv 1602.07261, which draw the pool leftmost; our tables have it last."""
    return tuple(sorted(drawn, key=lambda branch: "pool" not in branch))  # a stable sort: the others keep their order


def _stride(window: Window) -> str:
    return f" /{window.stride}" if window.stride > 1 else ""


def _window(window: Window) -> str:
    return _stride(window) + (" V" if window.padding == VALID else "")
