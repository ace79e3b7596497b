"""Files of which one bit is another, as bad disks and memory leave them."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from godeeper import GodeeperError


def flipped(files: list[Path], count: int, seed: int = 0, within: int | None = None) -> Iterator[tuple[Path, int]]:
    """The file and the bit that is flipped in it, `count` times, of all these files (of their first `within` bytes)."""
    draw = random.Random(seed)
    whole = {file: file.read_bytes() for file in files}
    lengths = {file: len(content) if within is None else within for file, content in whole.items()}
    for _ in range(count):
        bit = draw.randrange(8 * sum(lengths.values()))
        file = next(file for file in files if (bit := bit - 8 * lengths[file]) < 0)
        bit += 8 * lengths[file]
        content = bytearray(whole[file])
        content[bit // 8] ^= 1 << bit % 8
        file.write_bytes(content)
        yield file, bit
        file.write_bytes(whole[file])


def outcomes(read: Callable[[], Any], files: list[Path], count: int, **options: Any) -> Counter[str]:
    """How often `read` refuses a flipped file, in one line; gives the same; gives something else."""
    expected = repr(read())
    seen: Counter[str] = Counter()
    for _ in flipped(files, count, **options):
        try:
            seen["same" if repr(read()) == expected else "other"] += 1
        except GodeeperError as error:
            seen["refused in several lines" if "\n" in str(error) else "refused"] += 1
    return seen
