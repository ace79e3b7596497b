"""What the library raises for bad input: every one of them is a GodeeperError with a one-line message."""

from collections.abc import Iterable
from difflib import get_close_matches

from .text import printable

# In what they say: torch's allocator and loaders, the linker, ONNX Runtime, OpenVINO, Python's threads.
OUT_OF_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory", "is killed by signal: Killed", "failed to map segment",
    "Cannot allocate memory", "bad allocation", "std::bad_alloc", "Failed to allocate memory", "can't start new thread",
)  # fmt: skip
LONGEST_MESSAGE = 10_000  # letters: two paths and what is said of them
LONGEST_NAME = 100  # letters of a name that is quoted and compared: a file may hold one of megabytes


class GodeeperError(Exception):
    """The input is bad: the message, one line of bounded length whatever it quotes, names the thing and the remedy.

    `code` is a short stable name in kebab-case, for programs that tell errors apart or translate them; "" where nothing does.
    """

    def __init__(self, message: str = "", *, code: str = "") -> None:
        line = printable(message)
        half = LONGEST_MESSAGE // 2
        super().__init__(line if len(line) <= LONGEST_MESSAGE else f"{line[:half]} ... {line[-half:]}")
        self.code = code


class BadImage(GodeeperError):
    """An image that cannot be decoded: the message names the file and the reason."""


class BadCheckpoint(GodeeperError):
    """A weights file or checkpoint that cannot be read, or that belongs to another network."""


def message_lines(error: BaseException) -> list[str]:
    """The lines of what an error says, at least one: its kind where it says nothing."""
    return [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short: Python's own, torch's of an accelerator, torch's of the CPU, or a loader's
    process that the system has killed, which it does where memory runs out.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(sign in str(error) for sign in OUT_OF_MEMORY)


def is_process_gone(error: BaseException) -> bool:
    """Whether an error says that another of the processes that work together has died: torch.distributed's own kinds, over NCCL
    and its store; over gloo, a connection that the other side has closed.
    """
    if type(error).__name__ in ("DistBackendError", "DistNetworkError", "DistStoreError"):
        return True
    signs = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Socket closed")
    return "gloo" in str(error) and any(sign in str(error) for sign in signs)


class FailedElsewhere(GodeeperError):
    """Another of the processes that work together has failed, and reports it: the message repeats what it says."""


def unknown(what: str, given: str, choices: Iterable[str]) -> GodeeperError:
    """The error for a name that is not among `choices`: it names the nearest one, or some of them."""
    given = given if len(given) <= LONGEST_NAME else f"{given[:LONGEST_NAME]}..."
    names = sorted(choices)
    near = get_close_matches(given, names, n=1, cutoff=0.5)
    some = ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of: {some}"
    return GodeeperError(f"unknown {what} {given!r}: {hint}")
