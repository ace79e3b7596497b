"""What lies where in a tar file: ustar, GNU's and pax's, by its headers alone.

The standard library's reader trusts a file's numbers: a few hundred bytes keep it busy for ever, or take all memory, and what it
raises is of many kinds. This one reads each header once, forwards, and takes notes of `LONGEST_NOTE` bytes at most.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

BLOCK = 512
FILES = (b"0", b"\0", b"7")  # the kinds of members that are files
EMPTY = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices and folders, which nothing follows whatever their size says
PAX = (b"x", b"X")  # notes on the member that follows; X is Solaris'
NOTES = (*PAX, b"g", b"L", b"K")  # and on all that follow; GNU's long name, and a link's
LONGEST_NOTE = 1_000_000  # bytes
RECORD = re.compile(rb"([0-9]{1,9}) ([^=\n]{1,1000})=")  # of a pax note: its length, its name; the value and a line break follow


class TarFault(ValueError):
    """A tar file that cannot be read: the message says why."""


class Member(NamedTuple):
    """A file within a tar file: its name and where its bytes are."""

    name: str
    offset: int
    size: int


def read_members(file: BinaryIO) -> Iterator[Member]:
    """The files in a tar file that is not compressed, in order; TarFault where it is damaged, cut off or sparse."""
    end = file.seek(0, os.SEEK_END)
    offset = 0
    note: dict[str, str] = {}
    while True:
        header = _at(file, offset, BLOCK)
        if not any(header) and len(header) == BLOCK and not note:
            return
        kind, name, size = _parsed(header)
        offset += BLOCK
        length = 0 if kind in EMPTY else size
        if kind in NOTES:
            if length > LONGEST_NOTE:
                raise TarFault(f"a note of {length:,} bytes stands before a member")
            note |= _read_note(kind, _at(file, offset, length))
        else:
            length = _size(note["size"]) if "size" in note and kind not in EMPTY else length
            if kind in FILES:
                yield Member(note.get("path", name), offset, length)
            note = {}
        offset += -(-length // BLOCK) * BLOCK
        if offset > end:
            raise TarFault("it breaks off before the end of a member")


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _parsed(header: bytes) -> tuple[bytes, str, int]:
    """Kind, name and size of a member."""
    if len(header) < BLOCK:
        raise TarFault("it breaks off before its end, which two blocks of zeros mark")
    checked = header[:148] + b" " * 8 + header[156:]
    signed = sum(checked) - 256 * sum(byte > 127 for byte in checked)  # as some old programs count
    if _octal(header[148:156]) not in (sum(checked), signed):
        raise TarFault("it is no tar file, or is damaged: a header's checksum is wrong")
    kind, name = header[156:157], _text(header[:100])
    if header[257:263] == b"ustar\0" and header[345] and kind not in (b"L", b"K"):
        name = f"{_text(header[345:500])}/{name}"
    if kind == b"S":
        raise TarFault(f"{name!r} is stored sparsely: write it by tar without --sparse")
    return (b"5" if kind == b"\0" and name.endswith("/") else kind), name, _number(header[124:136])


def _octal(field: bytes) -> int:
    digits = field.partition(b"\0")[0].strip()
    if not re.fullmatch(rb"[0-7]*", digits):
        raise TarFault("it is no tar file, or is damaged: a header holds no numbers")
    return int(digits or b"0", 8)


def _number(field: bytes) -> int:
    """A number in octal digits or, as GNU writes large ones, in binary."""
    return int.from_bytes(field[1:], "big") if field[0] == 0x80 else _octal(field)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _size(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise TarFault(f"a member's size is {text[:20]!r}")
    return int(text)


def _read_note(kind: bytes, content: bytes) -> dict[str, str]:
    """What a note says of the member that follows: its path, its size. What pax says for all members is no member's name."""
    if kind == b"L":
        return {"path": _text(content)}
    note: dict[str, str] = {}
    start = 0
    while kind in PAX and (record := RECORD.match(content, start)):
        key, length = record[2].decode("utf-8", "surrogateescape"), int(record[1])
        if key.startswith("GNU.sparse"):
            raise TarFault("a member is stored sparsely: write it by tar without --sparse")
        if length <= record.end() - start:
            raise TarFault("it is damaged: a note before a member has a wrong length")
        if key in ("path", "size"):
            note[key] = _text(content[record.end() : start + length - 1])
        start += length
    return note
