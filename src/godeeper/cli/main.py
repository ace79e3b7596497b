"""`godeeper COMMAND`: exit status 0 done, 2 the input is bad, 1 our fault, 130 interrupted, 141 nobody reads, 143 terminated."""

from __future__ import annotations

import os
import re
import signal
import sys
from itertools import pairwise
from types import FrameType
from typing import Annotated, Any

import typer

from ..errors import FailedElsewhere, GodeeperError, is_out_of_memory, is_process_gone
from . import (
    bench,
    curves,
    detect,
    draw,
    embed,
    ensemble,
    evaluate,
    explain,
    export,
    fid,
    papers,
    predict,
    reproduce,
    serve,
    shards,
    train,
    web,
)  # fmt: skip
from .output import show, show_warnings
from .streams import OutputClosed, silence_streams, watch_streams

app = typer.Typer(
    help="GoogLeNet and the Inception family as the papers print them: counted, trained, evaluated, used.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (
    papers, draw, train, curves, evaluate, ensemble, predict, embed, fid, explain, export, bench, serve, web, shards, reproduce
):  # fmt: skip
    for command in module.COMMANDS:
        app.command(command.__name__.removesuffix("_command"))(command)
app.add_typer(detect.app, name="detect")


UsageError = typer.BadParameter.__mro__[1]  # of click, wherever typer has it: newer releases carry their own copy


class Terminated(BaseException):
    """SIGTERM arrived."""


def _version(asked: bool) -> None:
    if asked:
        from ..version import __version__

        show(f"godeeper {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of any error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)] = False,
) -> None:
    """What every command shares; `status` reads --debug itself, as it must know before anything fails."""


def main(arguments: list[str] | None = None) -> None:
    """Runs a command and exits with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    watch_streams()
    show_warnings()
    if "--debug" in arguments:  # anywhere on the line, as people add it at the end
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    try:
        code = _flushed(status(arguments))
    except OutputClosed:
        silence_streams()
        code = 141  # as by SIGPIPE, which would also end a server whose client goes
    distributed = sys.modules.get("torch.distributed")
    if code == 0 and distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()  # left to the interpreter's end, a process may abort when another is gone already
    sys.exit(code)


def _flushed(code: int) -> int:
    """The status of a command once all that it printed is written; 2 where it cannot be, as on a full disk."""
    try:
        sys.stdout.flush()
    except OSError as error:
        code = code or _say(f"the output: {error.strerror}", 2)
        silence_streams()
    return code


def status(arguments: list[str]) -> int:
    """Runs a command and returns its exit status; errors become one line on stderr, or a traceback with --debug."""
    arguments = arguments or ["--help"]
    debug = arguments[:1] == ["--debug"]
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _refuse_empty(arguments)
        result: Any = app(arguments, standalone_mode=False)
        if result == 130:  # how newer releases of typer report Ctrl-C
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except FailedElsewhere:  # the process that failed has printed why
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which torchrun ends the others now, without a line each
        return 2
    except GodeeperError as error:
        if debug:
            raise
        return _say(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", 130)
    except Terminated:
        return _say("terminated", 143)
    except OSError as error:  # a full disk, a folder that may not be read
        if debug:
            raise
        return _say(f"{error.filename or _culprit()}: {error.strerror or error}", 2)
    except Exception as error:
        if isinstance(error, UsageError):
            path = error.ctx.command_path if error.ctx else "godeeper"  # type: ignore[attr-defined]
            return _say(f"{error.format_message()} (see {path} --help)", 2)  # type: ignore[attr-defined]
        if debug:
            raise
        if is_process_gone(error):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            return _say("another of the processes is gone: start all of them again, with --resume where the command has it", 2)
        if is_out_of_memory(error):
            return _say("there is not enough memory: smaller images, a smaller --batch-size and fewer --workers take less", 2)
        return _say(f"an error of godeeper itself, please report it with the output of --debug: {error!r}", 1)


def _culprit() -> str:
    """What an error of the system that names no file may be about."""
    try:
        os.getcwd()
    except OSError:
        return "the current folder, which somebody has removed"
    return "the system"


def _refuse_empty(arguments: list[str]) -> None:
    """GodeeperError for an empty argument: as a path it would mean the current folder, as a choice everything or the default."""
    for before, argument in pairwise(["", *arguments]):
        if not argument or re.fullmatch("--[^=]+=", argument):
            option = argument.removesuffix("=") or before
            name = option if option.startswith("-") else "an argument"
            raise GodeeperError(f"{name} is empty: give it a value, or leave it out")


def _say(text: str, code: int) -> int:
    show(f"godeeper: {' '.join(text.split())}", err=True)
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
