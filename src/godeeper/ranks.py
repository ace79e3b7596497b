"""Several processes that work as one: what one of them raises, all of them raise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from .errors import FailedElsewhere

_blocks = count()  # the same number in every process, as all of them enter the same blocks


def rank_and_ranks() -> tuple[int, int]:
    """The number of this process, and how many there are under torch.distributed."""
    distributed = _distributed()
    return (0, 1) if distributed is None else (distributed.get_rank(), distributed.get_world_size())


@contextmanager
def fail_together() -> Iterator[Callable[[], None]]:
    """What one process raises in the block, all of them raise at its end: none waits in a collective for one that is gone.

    The first process that failed raises its own error, the others `FailedElsewhere`. All processes must come to the block. In it
    is no collective that one of them may miss, unless within a block of its own. Yields a function for long loops: it raises
    where another process has failed, so that this one need not go on to the end. What is no `Exception`, a signal's, is left
    alone, as every process gets its own.
    """
    distributed = _distributed()
    if distributed is None:
        yield lambda: None
        return
    store, key = distributed.distributed_c10d._get_default_store(), f"godeeper/failed/{next(_blocks)}"

    def stop_where_failed() -> None:
        if store.check([key]):
            raise FailedElsewhere

    own: Exception | None = None
    try:
        yield stop_where_failed
    except FailedElsewhere as error:
        own = error
    except Exception as error:
        own = error
        store.set(key, "")
    message = None if own is None or isinstance(own, FailedElsewhere) else str(own) or repr(own)
    messages: list[str | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(messages, message)
    failed = [rank for rank, each in enumerate(messages) if each is not None]
    if failed and failed[0] != distributed.get_rank():
        raise FailedElsewhere(f"process {failed[0]}: {messages[failed[0]]}") from own
    if own is not None:
        raise own


def _distributed() -> Any:
    """torch.distributed where several processes work together; whoever has not imported it works alone."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed if distributed.get_world_size() > 1 else None
