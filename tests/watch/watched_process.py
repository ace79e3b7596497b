"""Watches a Python process: what it sends beyond this machine, and what it writes outside the folders that it may write to.

Installed by sitecustomize.py in a process whose PYTHONPATH names this folder, by conftest.py in that of the tests. Standard
library only, and little of it: every process of the tests starts with it. Native code is not seen (test_traced.py does that).
"""

import os
import sys

LOG, FOLDERS = "GODEEPER_WATCH_LOG", "GODEEPER_WATCH_FOLDERS"  # a file, a line for each breach; os.pathsep between folders
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {"os.mkdir": 1, "os.rename": 2, "os.link": 2}  # how many arguments are paths; descriptors of folders are the last
SOCKETS = {"socket.connect": 1, "socket.sendto": 1, "socket.bind": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}
installed = []


def is_loopback(host):
    """Whether a host's name or address is this machine's own, as torchrun asks for; None asks for none in particular."""
    host = host.decode() if isinstance(host, bytes) else host
    return host is None or host in ("", "localhost", "::1", os.uname().nodename) or host.startswith("127.")


def is_inside(path, folders):
    """Whether a path lies in one of the folders, is a device or is compiled Python."""
    path = os.path.abspath(os.fsdecode(path))
    inside = (path, os.path.realpath(path)) if os.path.islink(os.path.dirname(path)) else (path,)
    compiled = "__pycache__" in path.split(os.sep)[-2:]  # the folder or what lies in it
    return compiled or any((name + os.sep).startswith((*folders, "/dev/")) for name in inside)


def breach(event, arguments, folders):
    """What an audit event does that it may not do, in words; None where it may."""
    if event == "open":
        path, _, flags = arguments
        paths = [path] if isinstance(flags, int) and flags & WRITES else []
    elif event in PATHS:
        relative_to_here = all(descriptor == -1 for descriptor in arguments[-PATHS[event] :])
        there_already = event == "os.mkdir" and os.path.isdir(arguments[0])  # nothing is made, as where torch asks for '.'
        paths = arguments[: PATHS[event]] if relative_to_here and not there_already else []
    elif event in SOCKETS:
        address = arguments[SOCKETS[event]]
        host = address[0] if isinstance(address, tuple) else address  # a socket of the file system has a path, which stays here
        local = is_loopback(host) if isinstance(address, tuple) or SOCKETS[event] == 0 else True
        return None if local else f"{event} {address!r}"
    else:
        return None
    outside = [path for path in paths if isinstance(path, (str, bytes, os.PathLike)) and not is_inside(path, folders)]
    return f"{event} {os.fsdecode(outside[0])!r}" if outside else None


def watch(event, arguments):
    """The audit hook: appends a line to the log for each breach."""
    if event != "open" and event not in PATHS and event not in SOCKETS:
        return
    log = os.environ.get(LOG, os.devnull)
    allowed = [*os.environ.get(FOLDERS, "").split(os.pathsep), log]
    line = breach(event, arguments, [folder.rstrip(os.sep) + os.sep for folder in allowed if folder])
    if line is not None:
        with open(log, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{line}, by {' '.join(sys.argv[:3])!r}\n")


def install():
    """Watches this process from here on, once."""
    if watch not in installed:
        installed.append(watch)
        sys.addaudithook(watch)
