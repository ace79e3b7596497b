"""Headers of tar files, held against the standard library's reader; what keeps that one busy is refused."""

import io
import tarfile

import pytest

from godeeper.data.tar_headers import Member, TarFault, read_members

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
SHORT = ["a.png", "folder/b.cls", "x" * 99, "ordner/" + "y" * 95, "folders/" * 15 + "b.png"]
LONG = ["狗/小狗.jpg", "é" * 70 + ".png", "long/" * 80 + "c.png", "\udcff.png"]


def written(kind, names):
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w", format=kind) as tar:
            for number, name in enumerate(names):
                info = tarfile.TarInfo(name)
                info.size, info.mtime = 500 * number, 1.5
                tar.addfile(info, io.BytesIO(bytes([number]) * info.size))
            for other in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE):
                info = tarfile.TarInfo(f"other{other.decode()}")
                info.type, info.linkname = other, "a.png"
                tar.addfile(info)
        return file.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_members_are_those_of_the_standard_library(name):
    names = SHORT + LONG * (name != "ustar")
    content = written(FORMATS[name], names)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        expected = [Member(info.name, info.offset_data, info.size) for info in tar if info.isfile()]
    assert list(read_members(io.BytesIO(content))) == expected
    assert [member.name for member in expected] == names


def test_a_size_beyond_eight_gigabytes_is_read():
    info = tarfile.TarInfo("a.png")
    info.size = 2**40
    header = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(TarFault, match="breaks off"):  # which is that size, and more than there is
        list(read_members(io.BytesIO(header + bytes(1024))))
    assert next(read_members(io.BytesIO(header + bytes(1024)))) == Member("a.png", 512, 2**40)


@pytest.mark.parametrize(("place", "byte", "says"), [(0, b"x", "checksum"), (148, b"9", "no numbers"), (156, b"S", "checksum")])
def test_a_damaged_header_is_refused(place, byte, says):
    content = bytearray(written(tarfile.USTAR_FORMAT, ["a.png"]))
    content[place : place + 1] = byte
    with pytest.raises(TarFault, match=says):
        list(read_members(io.BytesIO(content)))
