"""Files changed as bad disks, bad programs and bad people change them: strategies of hypothesis."""

import copy
import json
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

# What stands in a JSON document in the place of something else.
VALUES = (None, True, -1, 1.5, 10**7, 1e300, math.nan, math.inf, "x", "", [], [1], [[1]], {}, {"a": 1})
DEEP = "deep"  # becomes a list within a list within ...
STRANGE = (
    *VALUES, False, 0, 1, 2, 3, -0.5, 1e-300, -math.inf, 2**31, 2**63, 10**400, "two\nlines", "\x1b[31m", "\ud800", "é金",
    "a" * 5000, "/".join("a" * 3000), "../../etc/passwd", "\0", [None], [[]], {"": {}}, {"two\nlines": 1}, DEEP, [DEEP],
)  # fmt: skip
BYTES = (
    b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff" * 4, bytes(4), b"\xff" * 8, b"\0\0\0\x01", b"\x01\0\0\0",
    b"9" * 20, b"-1", b"\n", b"\r\n", b"\x1b[31m", b"\xed\xa0\x80", b"\xff\xda", b"\xff\xd8", b"IEND", b"<", b"{", b"[",
)  # fmt: skip


@st.composite
def mutated(draw: Any, sound: Sequence[bytes]) -> bytes:
    """One of these files with up to six places changed: bits, bytes, pieces lost, repeated, or of another of the files."""
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(0, 6))):
        end = len(content)
        place = draw(st.one_of(st.integers(0, min(end, 64)), st.integers(0, end)))
        kind = draw(st.sampled_from(("flip", "put", "insert", "random", "lose", "repeat", "cut", "splice")))
        length = draw(st.integers(1, 40))
        if kind == "flip" and place < end:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind in ("put", "insert"):
            known = draw(st.sampled_from(BYTES))
            content[place : place + len(known) * (kind == "put")] = known
        elif kind == "random":
            content[place : place + length] = draw(st.binary(max_size=length))
        elif kind == "lose":
            del content[place : place + length]
        elif kind == "repeat":
            content[place:place] = content[place : place + length] * draw(st.sampled_from((1, 3, 200)))
        elif kind == "cut":
            del content[place:]
        elif kind == "splice":
            other = draw(st.sampled_from(sound))
            start = draw(st.integers(0, len(other)))
            content[place:] = other[start:]
    return bytes(content)


def places(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value of a JSON document, of long lists to the first three."""
    yield place
    inner = document if isinstance(document, dict) else range(min(len(document), 3)) if isinstance(document, list) else ()
    for key in inner:
        yield from places(document[key], (*place, key))


@st.composite
def edited(draw: Any, document: Any, own: Sequence[Any] = ()) -> Any:
    """A JSON document with up to three values lost, repeated, in others' places, or others; `own`: what fits it somewhere."""
    result = {"": copy.deepcopy(document)}
    for _ in range(draw(st.integers(0, 3))):
        every = list(places(result, ()))[1:]
        # Deep places are many: as often one near the root.
        *way, last = draw(st.one_of(st.sampled_from(every), st.sampled_from([place for place in every if len(place) < 4])))
        outer: Any = result
        for key in way:
            outer = outer[key]
        kind = draw(st.sampled_from(("value", "value", "number", "text", "lose", "repeat", "another", "key")))
        if kind == "lose" and way:
            del outer[last]
        elif kind == "repeat" and isinstance(outer, list):
            outer += [copy.deepcopy(outer[last])] * draw(st.sampled_from((1, 2, 50)))
        elif kind == "another":
            other: Any = result
            for key in draw(st.sampled_from(every)):
                other = other[key]
            outer[last] = copy.deepcopy(other)
        elif kind == "key" and isinstance(outer, dict) and way:
            outer[draw(st.one_of(st.sampled_from(("x", "two\nlines", "a" * 5000, "")), st.text(max_size=5)))] = outer.pop(last)
        else:
            numbers = st.one_of(st.integers(-10, 300), st.integers(), st.floats(), st.sampled_from((10**4, 10**9, 1e4, 1e-4)))
            kinds = {"number": numbers, "text": st.text(max_size=20)}
            outer[last] = copy.deepcopy(draw(kinds.get(kind, st.sampled_from((*STRANGE, *own)))))
    return result[""]


def as_json(document: Any, depth: int = 400) -> bytes:
    """The document as a file holds it; `DEEP` becomes so many lists, one within the other."""
    text = json.dumps(document)
    return text.replace(json.dumps(DEEP), "[" * depth + "]" * depth).encode()


@st.composite
def json_files(draw: Any, document: Any, own: Sequence[Any] = ()) -> bytes:
    """`edited` as a file, at times with its bytes changed, too."""
    content = as_json(draw(edited(document, own)), draw(st.sampled_from((100, 400, 900, 100_000))))
    return draw(mutated([content])) if draw(st.integers(0, 9)) == 0 else content


def noise(length: int, seed: int = 0) -> bytes:
    """Bytes that look like nothing."""
    return random.Random(seed).randbytes(length)


IN_XML = (
    b"<!DOCTYPE a>", b'<?xml version="1.0" encoding="utf-7"?>', b'<?xml version="1.0" encoding="undefined"?>', b"nan", b"inf",
    b"-1",
    b"1e400", b"0", b"97", b"two\nlines", b"", b"&#10;", b"&amp;", b"&x;", b"<a>" * 5000, b"<object>", b"</object>", b"<!-- -->",
    b"<object></object>", b"<![CDATA[x]]>", "金".encode(), b"1" * 5000, b"1_0", "１".encode(), b"<?x?>", b"\xef\xbb\xbf",
    b"<name>",
    b"&#x1b;", b"&#x7f;", b"a" * 5000,
)  # fmt: skip


@st.composite
def xml_files(draw: Any, sound: bytes) -> bytes:
    """XML with tags, and pieces between them, replaced, lost, repeated and in each other's places."""
    pieces = sound.replace(b"<", b"\0<").replace(b">", b">\0").split(b"\0")
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(pieces) - 1))
        kind = draw(st.sampled_from(("put", "put", "insert", "lose", "repeat", "swap")))
        if kind == "put":
            pieces[place] = draw(st.sampled_from(IN_XML))
        elif kind == "insert":
            pieces.insert(place, draw(st.sampled_from(IN_XML)))
        elif kind == "lose" and len(pieces) > 1:
            del pieces[place]
        elif kind == "repeat":
            length = draw(st.integers(1, 30))
            pieces[place:place] = pieces[place : place + length] * draw(st.sampled_from((1, 300)))
        else:
            other = draw(st.integers(0, len(pieces) - 1))
            pieces[place], pieces[other] = pieces[other], pieces[place]
    content = b"".join(pieces)
    return draw(mutated([content])) if draw(st.integers(0, 4)) == 0 else content
