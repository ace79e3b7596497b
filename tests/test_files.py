"""Files written atomically."""

import pytest

from godeeper.files import atomic_write


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
