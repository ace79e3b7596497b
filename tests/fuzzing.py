"""Fuzzing: inputs by hypothesis, for as long as GODEEPER_FUZZ_SECONDS says, each within limits on computing and memory."""

import itertools
import math
import os
import random
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, configuration, given, settings
from hypothesis.strategies import SearchStrategy

from godeeper import GodeeperError
from godeeper.text import printable

KNOB = "GODEEPER_FUZZ_SECONDS"  # of all targets together; where it is given, other inputs each time
TARGETS = 9
ROUND = 100  # examples, before hypothesis begins again from another seed
COMPUTING = 10  # seconds an input
SHRINKING = 30  # seconds, to make an input that fails small
MEMORY = 300_000_000  # bytes an input, beyond what the process has
CORPUS = Path(__file__).parent / "fuzz" / "corpus"  # a folder a target: inputs that once did what they may not
KEPT = Path(tempfile.gettempdir()) / "godeeper-fuzz"  # where a new one is left
SETTINGS = settings(
    max_examples=ROUND, database=None, deadline=None, phases=(Phase.generate, Phase.shrink), report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
configuration.set_hypothesis_home_dir(KEPT / "hypothesis")


class Overrun(BaseException):  # no `except Exception` hides it
    """An input took more computing than it may."""


@contextmanager
def limited() -> Iterator[None]:
    """Within the block, a process that computes for longer than `COMPUTING` gets an Overrun, and one that asks for more memory
    than `MEMORY` a MemoryError.
    """

    def overrun(*_: object) -> None:
        raise Overrun(f"more than {COMPUTING} seconds of computing")

    held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    most = resource.getrlimit(resource.RLIMIT_DATA)
    before = signal.signal(signal.SIGPROF, overrun)
    signal.setitimer(signal.ITIMER_PROF, COMPUTING)
    resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY, most[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, most)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def tried(read: Callable[[], Any]) -> str:
    """What came of it: "taken", or "refused" by a GodeeperError of one line; any other error goes through."""
    refusal = None
    try:
        with limited():
            read()
    except GodeeperError as error:
        refusal = str(error)
    assert refusal is None or refusal == printable(refusal), f"more than a line, or letters that act: {refusal!r}"
    assert refusal != "", "an error without a word"
    return "taken" if refusal is None else "refused"


def fuzz(name: str, inputs: SearchStrategy[Any], try_one: Callable[[Any], str]) -> Counter[str]:
    """How often `try_one` said what, over its share of the time. An input that fails is made small and left in `KEPT`."""
    end = math.inf  # until what is made once is made
    first = random.SystemRandom().randrange(2**32) if KNOB in os.environ else 0
    outcomes: Counter[str] = Counter()
    failed: set[str] = set()

    def run(content: Any) -> None:
        nonlocal end
        if time.monotonic() > end + SHRINKING * bool(failed) and repr(content) not in failed:
            return
        try:
            with kept(name, content):
                outcomes[try_one(content)] += 1
        except BaseException:
            failed.add(repr(content))
            raise
        finally:
            end = min(end, time.monotonic() + float(os.environ.get(KNOB, "60")) / TARGETS)

    for number in itertools.count(first):
        hypothesis.seed(number)(SETTINGS(given(inputs)(run)))()
        if time.monotonic() > end:
            break
    figures = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"\n{name}: {sum(outcomes.values()):,} inputs, seeds from {first}: {figures}")
    return outcomes


@contextmanager
def kept(name: str, content: Any) -> Iterator[None]:
    """An input that fails in the block, or ends the process, is left in `KEPT`: of several, the last, which is the smallest."""
    file = KEPT / name
    if isinstance(content, bytes):
        KEPT.mkdir(exist_ok=True)
        file.write_bytes(content)
    try:
        yield
    except BaseException as error:
        if isinstance(content, bytes):
            error.add_note(f"the input is {file}: once this is mended, it belongs in {CORPUS.name}/{name}/")
        raise
