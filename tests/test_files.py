"""Files written atomically."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from full_disk import disk
from godeeper.errors import GodeeperError
from godeeper.files import atomic_folder, atomic_write, is_partial, move_together, open_regular, own_file, read_file
from godeeper.train.run import RunFolder


def test_the_longest_name_that_a_file_system_takes_is_written(tmp_path):
    file = tmp_path / ("a" * 251 + ".txt")
    with atomic_write(file) as partial:
        partial.write_text("whole")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["whole"]
    assert file.is_file()


def interrupted(file):
    with atomic_write(file) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt


def test_what_fails_leaves_what_was_there(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        interrupted(file)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]


def test_an_error_of_writing_names_the_file(tmp_path):
    """Which the system's own does not, or by the hidden name beside it."""
    for full_at in range(2):
        with (
            pytest.raises(OSError, match=r"File too large|No space left") as error,
            disk(full_at, None if full_at else 0),
            atomic_write(tmp_path / "a.txt") as partial,
        ):
            partial.write_text("half")
        assert error.value.filename == str(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


def write_three(folder, fails=False):
    with atomic_folder(folder, last="a") as partial:
        for name in ("a", "b", "c/d"):
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text(name)
        if fails:
            raise OSError(28, "No space left on device")
        assert [entry.name for entry in folder.iterdir() if entry.name in ("a", "b")] == []
        assert sum(is_partial(entry.name) for entry in folder.iterdir()) == 1


def written_events(folder):
    folder.mkdir()
    with disk() as watched:
        write_three(folder)
    shutil.rmtree(folder)
    return watched.events


def test_the_files_of_a_folder_appear_together(tmp_path):
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(OSError, match="No space") as error:
        write_three(tmp_path, fails=True)
    assert error.value.filename == str(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
    for refused in range(3):  # of the three that are moved
        events = len(written_events(tmp_path / "try"))
        with pytest.raises(OSError, match="No space"), disk(full_at=events - 3 + refused):
            write_three(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "old").write_text("old")  # of an earlier try that was killed while it moved
    with disk() as watched:
        write_three(tmp_path)
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()} == {"kept", "a", "b", "c/d"}
    renamed = [event.removeprefix("os.rename ") for event in watched.events if event.startswith("os.rename")]
    assert ["set aside" if is_partial(name) else name for name in renamed] == ["b", "set aside", "c", "a"]


def contents(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_what_cannot_be_moved_leaves_what_it_would_have_replaced(tmp_path, monkeypatch, name):
    parts, folder = tmp_path / "parts", tmp_path / "folder"
    for place in (parts, folder):
        (place / "c").mkdir(parents=True)
        for file in ("a", "b", "c/d"):
            (place / file).write_text(f"{file} in {place.name}")
    (folder / "c/e").write_text("e")
    (parts / "0").write_text("0")  # new
    before, replace = contents(folder), Path.replace

    def refuse(self, target):
        if self == parts / name:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        move_together(sorted(parts.iterdir()), folder)
    assert contents(folder) == before


def test_what_is_moved_replaces_what_is_there(tmp_path):
    write_three(tmp_path)
    (tmp_path / "c" / "older").touch()
    for name in ("a", "b", "c/d"):
        (tmp_path / name).write_text("older")
    with atomic_folder(tmp_path) as partial:
        for name in ("a", "b", "c/d"):
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text(name)
    assert contents(tmp_path) == {"a": "a", "b": "b", "c/d": "c/d"}


@pytest.mark.parametrize("links", [True, False])
def test_what_came_meanwhile_is_not_replaced_unless_told_so(tmp_path, links, monkeypatch):
    def refuse(*files):
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:  # a file system without them
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "parts").mkdir()
    for name in ("net.bin", "net.xml"):
        (tmp_path / "parts" / name).write_text("mine")

    def write():
        with atomic_write(tmp_path / "net.xml", replaces=False) as partial:
            (tmp_path / "net.xml").write_text("theirs")
            partial.write_text("mine")

    with pytest.raises(GodeeperError, match=r"net.xml' was written by another process meanwhile: choose another name"):
        write()
    with pytest.raises(GodeeperError, match="written by another process meanwhile"):
        move_together(sorted((tmp_path / "parts").iterdir()), tmp_path, replaces=False)
    assert contents(tmp_path)["net.xml"] == "theirs"
    assert not (tmp_path / "net.bin").exists()  # the two belong together
    with atomic_write(tmp_path / "new", replaces=False) as partial:
        partial.write_text("mine")
    assert (tmp_path / "new").read_text() == "mine"
    assert not [file for file in tmp_path.iterdir() if is_partial(file.name)]


@pytest.mark.parametrize("read", [open_regular, read_file])
def test_a_pipe_or_a_device_is_refused_at_once(read, tmp_path):
    """Which may never begin, or never end."""
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="not a regular file"):
            read(file)
    with pytest.raises(IsADirectoryError):
        read(tmp_path)


def test_what_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "sparse", "wb") as opened:
        opened.truncate(10**12)
    with pytest.raises(OSError, match="larger than 100,000,000 bytes"):
        read_file(tmp_path / "sparse")
    (tmp_path / "small").write_bytes(b"four")
    assert read_file(tmp_path / "small", 4) == b"four"
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_file(tmp_path / "small", 3)


def test_a_file_of_a_folders_own_is_no_link_and_no_pipe(tmp_path):
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / "link").symlink_to("precious")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=r"symbolic links|No such device"), open(tmp_path / name, "a", opener=own_file):
            pass
    run = RunFolder(tmp_path)
    (tmp_path / "link").rename(tmp_path / "log.txt")
    run.log("not into somebody's other file")
    (tmp_path / "pipe").rename(tmp_path / "log.txt")
    run.log("nor waiting for a reader")
    assert (tmp_path / "precious").read_text() == "as it was"
    (tmp_path / "log.txt").unlink()
    run.log("this is its own")
    assert (tmp_path / "log.txt").read_text().endswith("this is its own\n")


def test_a_link_to_a_folder_is_replaced_and_the_folder_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").write_text("kept")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/c").symlink_to(tmp_path / "elsewhere")
    write_three(tmp_path / "out")
    assert contents(tmp_path / "out") == {"a": "a", "b": "b", "c/d": "c/d"}
    assert contents(tmp_path / "elsewhere") == {"kept": "kept"}
