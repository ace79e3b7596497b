"""Test images that were learnt are counted, by their bytes."""

import shutil

from godeeper import open_data
from godeeper.data import duplicates
from godeeper.data.duplicates import count_identical


def test_copies_on_both_sides_are_counted_whatever_they_are_called(class_folder):
    splits = open_data(class_folder)
    assert count_identical(splits.train, splits.test) == ""
    learnt, tested = class_folder / "train", class_folder / "val"
    shutil.copy(learnt / "cat" / "3.png", tested / "cat" / "as-new.png")
    shutil.copy(learnt / "dog" / "5.png", tested / "cat" / "mislabelled.png")
    other = bytearray((learnt / "cat" / "4.png").read_bytes())
    other[-20] ^= 1
    (tested / "dog" / "same-size.png").write_bytes(other)
    for part in (learnt, tested):
        (part / "cat" / "empty.png").touch()
        (part / "cat" / "gone.png").symlink_to(class_folder / "nowhere")
    splits = open_data(class_folder)
    line = count_identical(splits.train, splits.test)
    assert line.startswith("2 of the 13 test images are byte for byte training images, such as ")
    assert repr(str(tested / "cat" / "as-new.png")) in line
    assert repr(str(learnt / "cat" / "3.png")) in line


def test_more_files_than_can_be_compared_are_said_not_to_be(class_folder, monkeypatch):
    shutil.copy(class_folder / "train" / "cat" / "3.png", class_folder / "val" / "cat" / "copy.png")
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 1)
    splits = open_data(class_folder)
    assert "was not looked into" in count_identical(splits.train, splits.test)


def test_images_that_are_no_files_are_not_compared():
    splits = open_data("digits")
    assert count_identical(splits.train, splits.test) == ""
