"""What a process did at its system calls, from strace's log: also what native code did, which Python's audit hooks do not see."""

import re
from pathlib import Path

CALLS = "connect,sendto,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2"
STRACE = ["strace", "-f", "-y", "-qq", "--seccomp-bpf", "-e", f"trace={CALLS}"]
CALL = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)")
INTERNET = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')
PATH = re.compile(r'(?:\w+<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')  # a folder's descriptor with -y, and a path


def calls(log: str) -> list[re.Match[str]]:
    """The calls of a log, those that other threads interrupted put together."""
    begun: dict[str, str] = {}
    whole = []
    for line in log.splitlines():
        pid = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[pid] = line.removesuffix("<unfinished ...>").rstrip()
            continue
        resumed = re.match(r"\d+ +<\.\.\. \w+ resumed>(.*)", line)
        match = CALL.match(begun.pop(pid, "") + resumed[1] if resumed else line)
        if match:
            whole.append(match)
    return whole


def breach(call: re.Match[str], folders: list[Path], here: Path) -> str | None:
    """What a call does that it may not do, in words: reach an address other than loopback, or write outside the folders.

    `here` is the folder in which it ran. Any look-up of a name is a breach, also by a server of names on this machine.
    """
    arguments, failed = call["arguments"], call["result"].startswith("-")
    if call["name"] in ("connect", "sendto"):
        address = INTERNET.search(arguments)
        local = address is None or (address[2].removeprefix("::ffff:").startswith("127.") or address[2] == "::1")
        return None if local and (address is None or address[1] != "53") else f"{call['name']} {address[2]} port {address[1]}"
    reads = call["name"].startswith("open") and not re.search("O_WRONLY|O_RDWR|O_CREAT", arguments)
    if failed or reads:
        return None
    for folder, path in PATH.findall(arguments):
        file = here / folder / path
        if not any(file.is_relative_to(allowed) for allowed in (*folders, Path("/dev"), Path("/proc/self"))):
            return f"{call['name']} {file}"
    return None


def breaches(log: Path, folders: list[Path], here: Path) -> list[str]:
    """What the processes of a log did that they may not do, in words; AssertionError where the log holds nothing."""
    seen = calls(log.read_text(errors="replace"))
    assert seen, "strace saw nothing"
    return sorted({line for line in (breach(call, folders, here) for call in seen) if line is not None})
