"""Tar files whose headers are right or wrong, each with its own checksum right, so that readers believe them."""

import tarfile
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sound_images import PNG

from mutations import mutated


@dataclass(frozen=True)
class Member:
    """A member as its header has it."""

    name: bytes
    content: bytes
    size: bytes | None = None  # the field; None: as the content is long
    kind: bytes = b"0"
    magic: bytes = b"ustar\x0000"
    rest: bytes = b""  # of the header, from its 345th byte on

    def bytes(self) -> bytes:
        size = b"%011o\0" % len(self.content) if self.size is None else self.size[:12].ljust(12, b"\0")
        start = self.name[:100].ljust(100, b"\0") + b"0000644\0" * 3 + size + b"00000000000\0" + b" " * 8 + self.kind
        header = (start.ljust(257, b"\0") + self.magic[:8]).ljust(345, b"\0") + self.rest[:167]
        header = header.ljust(512, b"\0")
        return header[:148] + b"%06o\0 " % sum(header) + header[156:] + self.content + bytes(-len(self.content) % 512)


def tar(*members: Member) -> bytes:
    return b"".join(member.bytes() for member in members) + bytes(1024)


def pax(**records: str) -> Member:
    """An extended header, as the standard library writes it."""
    info = tarfile.TarInfo("x")
    info.pax_headers = {name.replace("_", "."): text for name, text in records.items()}
    made = info.create_pax_header(info.get_info(), "utf-8")
    return Member(b"PaxHeaders/x", made[512:-512].rstrip(b"\0"), kind=b"x")


def sound_members() -> list[Member]:
    labels = [Member(b"%04d.cls" % index, b"%d" % (index % 2)) for index in range(2)]
    labels += [Member(b"%04d.json" % index, b'{"label": %d, "name": "x"}' % (index % 2)) for index in (2, 3)]
    return [member for index, label in enumerate(labels) for member in (Member(b"%04d.png" % index, PNG), label)]


LABELS = (
    b"0", b"1", b"-1", b"9999999", b"9" * 5000, b" 1\n", b"1.0", b"x", b'{"label": 1, "class": "two\\nlines"}', b'{"label": 1}',
    b'{"label": true}', b"[" * 900 + b"]" * 900, b'{"label": 0, "name": [1]}', b"\xff", b"",
)  # fmt: skip
MINUS_512 = b"\xff" + (256**11 - 512).to_bytes(11)  # which leads back to the header itself
SIZES = (
    b"77777777777\0", MINUS_512, b"\x80" + b"\xff" * 11, b"\xff" * 12, b"\xff" * 11 + b"\0", b"\x80" + bytes(6) + b"\xff" * 5,
    b"9", b"-1", b"-0000001", b"", b"00000000001\0", b"0000000 100 ",
)  # fmt: skip
KINDS = (b"0", b"0", b"0", b"\0", b"1", b"2", b"5", b"7", b"S", b"L", b"K", b"x", b"g", b"X", b"Z")
NAMES = (
    b"0000.png", b"0000.cls", b"0000.json", b"two\nlines.png", b"two\nlines.cls", b"a/b.png", b"\xff.png", b"a" * 100,
    b"./0001.png", b"", b"/", b"0001.cls", b"x.png", b".png", b".cls",
)  # fmt: skip
NOTES = (
    {"path": "long/" * 30 + "0009.png"}, {"size": "9" * 5000}, {"size": "-512"}, {"size": "5"}, {"path": "two\nlines.png"},
    {"path": ""},
    {"GNU_sparse_major": "1", "GNU_sparse_minor": "0"}, {"GNU_sparse_size": "99999999999"}, {"GNU_sparse_map": "0,x"},
    {"comment": "1" * 400},
)  # fmt: skip


@st.composite
def tars(draw: Any) -> bytes:
    """A shard with up to four members changed, or put in."""
    labels, names, kinds = st.sampled_from(LABELS), st.sampled_from(NAMES), st.sampled_from(KINDS)
    sizes = st.one_of(st.none(), st.sampled_from(SIZES), st.binary(max_size=12))
    notes = st.sampled_from(NOTES).map(lambda records: pax(**records))
    changes: dict[str, SearchStrategy[Any]] = {
        "content": labels, "size": sizes, "kind": kinds, "name": names, "rest": st.binary(max_size=167),
        "magic": st.sampled_from((b"ustar  \0", b"", b"ustar\x0000")),
    }  # fmt: skip
    members = sound_members()
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(members)))
        if place < len(members) and draw(st.booleans()):
            name = draw(st.sampled_from(sorted(changes)))
            members[place] = replace(members[place], **{name: draw(changes[name])})
        else:
            made = draw(st.one_of(notes, st.builds(Member, names, labels, sizes, kinds)))
            members[place:place] = [made] * draw(st.sampled_from((1, 1, 1, 1200)))
    content = tar(*members)
    return draw(mutated([content])) if draw(st.integers(0, 4)) == 0 else content
