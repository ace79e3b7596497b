"""Class folders as Kaggle, telephones and file servers leave them: what counts, and what is left out, with a word."""

import json
import os
import shutil
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from godeeper import GodeeperError, open_data
from godeeper.data import decode as decoding
from godeeper.data.open_annotations import open_annotations
from godeeper.data.walk import image_files
from godeeper.workflows import train
from godeeper.workflows.image_files import files_of
from scenes import voc_folder


def picture(file, seed=0, size=(12, 12)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(file)
    return file


def classes(root, names=("cat", "dog"), count=2):
    for number, name in enumerate(names):
        for index in range(count):
            picture(root / name / f"{index}.png", hash((str(root), number, index)) % 2**32)
    return root


def litter(root):
    """What macOS, Synology and Windows put into every folder."""
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        (folder / ".DS_Store").write_bytes(b"x")
        (folder / "Thumbs.db").write_bytes(b"x")
        picture(folder / "@eaDir" / "0.png" / "SYNOPHOTO_THUMB_M.jpg")
    for system in ("__MACOSX", "#recycle", "lost+found", "$RECYCLE.BIN", "System Volume Information"):
        picture(root / system / "cat" / "._0.jpg")
        picture(root / system / "cat" / "0.jpg")
    return root


def names(images, root):
    return [os.path.relpath(images.name(index), root) for index in range(len(images))]


def refusal(data, known=None):
    with pytest.raises(GodeeperError) as error:
        open_data(data, known)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("train_part", "test_part"),
    [("Training", "Testing"), ("Train", "Val"), ("TRAIN", "TEST"), ("training_set", "test_set"), ("seg_train", "seg_test"),
     ("train", "valid"), ("Train", "Validation"), ("训练集", "测试集")],
)  # fmt: skip
def test_parts_are_known_by_what_kaggle_calls_them(tmp_path, train_part, test_part):
    classes(tmp_path / train_part, count=3)
    classes(tmp_path / test_part, count=1)
    splits = open_data(litter(tmp_path))
    assert splits.classes == ("cat", "dog")
    assert names(splits.train, tmp_path) == [f"{train_part}/{name}/{index}.png" for name in ("cat", "dog") for index in range(3)]
    assert names(splits.test, tmp_path) == [f"{test_part}/cat/0.png", f"{test_part}/dog/0.png"]
    assert splits.split_note == f"folders {train_part}/ and {test_part}/"


def test_archives_within_archives_are_opened_where_the_classes_are(tmp_path, caplog):
    root = tmp_path / "archive" / "archive"
    classes(root / "seg_train" / "seg_train", count=3)
    classes(root / "seg_test" / "seg_test", count=1)
    picture(root / "seg_pred" / "0.png")
    splits = open_data(litter(tmp_path))
    assert (splits.classes, len(splits.train), len(splits.test)) == (("cat", "dog"), 6, 2)
    (line,) = caplog.messages
    assert "'seg_pred'" in line
    assert "'@eaDir' (" in line
    classes(tmp_path / "flat" / "animals" / "animals", ("ant", "bee", "cow"))
    assert open_data(tmp_path / "flat").classes == ("ant", "bee", "cow")


def test_of_train_val_and_test_the_middle_one_is_tested_on(tmp_path):
    for count, part in enumerate(("test", "val", "train"), 1):
        classes(tmp_path / part, count=count)
    splits = open_data(tmp_path)
    assert (len(splits.train), len(splits.test), splits.split_note) == (6, 4, "folders train/ and val/")


def test_only_the_part_that_is_wanted_is_listed(tmp_path):
    classes(tmp_path / "train", count=3)
    classes(tmp_path / "val", count=1)
    (tmp_path / "train" / "cat" / "loop").symlink_to(tmp_path / "nowhere")
    splits = open_data(tmp_path, split="test")
    assert (splits.classes, len(splits.train), len(splits.test)) == (("cat", "dog"), 0, 2)


def test_a_part_to_test_on_is_enough_to_evaluate(tmp_path):
    classes(tmp_path / "test", count=2)
    splits = open_data(tmp_path, ("dog", "bird", "cat"), split="test")
    assert (splits.test.labels, len(splits.train), splits.split_note) == ([2, 2, 0, 0], 0, "folder test/")
    assert open_data(tmp_path, split="test").classes == ("cat", "dog")
    assert "has test/ but no train/" in refusal(tmp_path)
    picture(tmp_path / "test" / "0.png")
    assert open_data(tmp_path, ("test", "train"), split="all").classes == ("test", "train")  # where classes are called so


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (["train/0.png", "test/0.png"], ("train/", "test/", "no class folders")),
        (["Val/cat/0.png", "Test/cat/0.png"], ("Val/", "Test/", "no split to train on")),
        (["train/cat/0.png", "Train/cat/0.png", "val/cat/0.png"], ("Train/ and train/", "may be the same split")),
    ],
)
def test_what_may_mean_two_things_is_refused_by_its_layout(tmp_path, layout, words):
    for file in layout:
        picture(tmp_path / file)
    text = refusal(tmp_path)
    assert all(word in text for word in words), text


def test_classes_that_sound_like_parts_are_classes(tmp_path):
    classes(tmp_path, ("bullet train", "bus", "test tube"))
    classes(tmp_path / "bus", ("new", "old"))
    assert open_data(tmp_path).classes == ("bullet train", "bus", "test tube")


def test_what_is_left_out_is_counted_in_one_line(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("godeeper.data.walk.SUFFIXES", decoding.SUFFIXES - {".heic"})
    classes(tmp_path, count=5)
    for index in range(32):
        (tmp_path / "cat" / f"IMG_{index}.HEIC").write_bytes(b"x")
    (tmp_path / "dog" / "notes.txt").write_text("x")
    (tmp_path / "dog" / "README").write_text("x")
    picture(tmp_path / "cover.png")
    open_data(litter(tmp_path))
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path}: left out: 32 .heic, 1 without an ending, 1 .txt, images beside the class folders: 1, ")
    assert "'@eaDir' (3)" in line
    assert line.endswith("(pip install pillow-heif, and .heic is read)")
    for index in range(5):
        (tmp_path / "cat" / f"{index}.png").unlink()
    assert "but 32 .heic" in refusal(tmp_path)


def test_linked_folders_are_followed_without_circles_and_broken_links_are_named(tmp_path, caplog):
    root, elsewhere = classes(tmp_path / "data"), classes(tmp_path / "elsewhere", ("more",), 3)
    (root / "cat" / "linked").symlink_to(elsewhere / "more")
    (root / "cat" / "linked" / "up").symlink_to(root / "cat")
    (root / "dog" / "self").symlink_to(root / "dog" / "self")
    (root / "dog" / "back").symlink_to(root)
    (root / "dog" / "gone").symlink_to(tmp_path / "gone")
    every = open_data(root).subset("all")
    assert Counter(every.labels) == {0: 5, 1: 2}
    (line,) = caplog.messages
    for link in ("cat/linked/up", "dog/self", "dog/back", "dog/gone"):
        assert str(root / link) in line
    (root / "bird").symlink_to(tmp_path / "gone")
    assert str(root / "bird") in refusal(root)
    assert "leads nowhere" in refusal(root)
    assert len(image_files(root)) == 7


def test_folders_that_are_all_linked_with_each_other_are_walked_once_by_links(tmp_path, caplog):
    """Their paths are as many as their orders: with 12 folders, billions."""
    for name in range(12):
        picture(tmp_path / str(name) / f"{name}.png")
    for name in range(12):
        for other in set(range(12)) - {name}:
            (tmp_path / str(name) / f"to {other}").symlink_to(tmp_path / str(other))
    assert Counter(file.name for file in image_files(tmp_path)) == {f"{name}.png": 2 for name in range(12)}  # also by a link
    assert "where another leads" in caplog.messages[0]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    classes(tmp_path)
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "dog' cannot be read: Permission denied" in refusal(tmp_path)


def test_avif_is_read_and_heic_where_its_package_is_installed(tmp_path, monkeypatch):
    image = Image.new("RGB", (16, 8), (200, 40, 40))
    image.save(tmp_path / "a.avif", quality=95)
    assert abs(np.asarray(decoding.decode(tmp_path / "a.avif")).astype(int) - (200, 40, 40)).max() < 8
    assert image_files(tmp_path) == [tmp_path / "a.avif"]
    registered = []
    monkeypatch.setitem(
        sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=lambda: registered.append("HEIF"))
    )  # fmt: skip
    assert decoding._optional_formats()["HEIF"] == (".heic", ".heif")
    assert registered == ["HEIF"]
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "HEIF" not in decoding._optional_formats()


def test_each_argument_gives_its_images_also_those_that_another_gave(tmp_path):
    file, other = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    assert files_of([str(file), str(file)]) == [file, file]
    assert files_of([str(tmp_path), str(file)]) == [file, other, file]


def test_patterns_leave_system_folders_out_unless_they_name_them(tmp_path):
    file, thumbnail = picture(tmp_path / "a" / "1.jpg"), picture(tmp_path / "a" / "@eaDir" / "1.jpg" / "SYNOPHOTO_THUMB_M.jpg")
    assert files_of([f"{tmp_path}/**/*.jpg"]) == [file]
    assert files_of([f"{tmp_path}/a/@eaDir/**/*.jpg"]) == [thumbnail]


def test_annotations_are_walked_alike(tmp_path):
    voc = voc_folder(tmp_path / "voc", {"train": range(2)})
    for file in [*(voc / "Annotations").iterdir(), *(voc / "JPEGImages").iterdir()]:
        (file.parent / f"._{file.name}").write_bytes(b"what macOS writes beside a file")
        (file.parent / "@eaDir" / file.name).mkdir(parents=True)
        (tmp_path / "roboflow" / "train").mkdir(parents=True, exist_ok=True)
        for each in (file, file.parent / f"._{file.name}"):
            shutil.copy(each, tmp_path / "roboflow" / "train")
    assert len(open_annotations(voc, "train")) == len(open_annotations(tmp_path / "roboflow", "train")) == 2
    content = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "cat"}]}
    content["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}]
    picture(tmp_path / "coco" / "images" / "a.png")
    (tmp_path / "coco" / "annotations").mkdir()
    (tmp_path / "coco" / "annotations" / "val2017.json").write_text(json.dumps(content))
    (tmp_path / "coco" / "annotations" / "._val2017.json").write_bytes(b"x")
    assert len(open_annotations(tmp_path / "coco", "val")) == 1


def test_a_set_as_kaggle_ships_it_opens_and_trains_a_step(tmp_path):
    root = tmp_path / "data" / "archive" / "archive"
    classes(root / "Training", ("glioma", "no_tumor"), 4)
    classes(root / "Testing", ("glioma", "no_tumor"), 1)
    shutil.copy(root / "Training" / "glioma" / "0.png", root / "Testing" / "glioma" / "again.png")
    litter(root)
    result = train(
        tmp_path / "run", "googlenet_bn", tmp_path / "data", width=0.125, small=True, workers=0, trackers=(),
        overrides=("epochs=1", "batch_size=8", "image_size=16", "warmup_epochs=0"),
    )  # fmt: skip
    (record,) = result.metrics
    assert (record["images"], record["test_skipped"]) == (8, 0)
    assert result.network.classes == ("glioma", "no_tumor")
    assert "1 of the 3 test images are byte for byte training images" in (tmp_path / "run" / "log.txt").read_text()
    picture(root / "Testing" / "no_tumor" / "0.png", size=(20, 20))
    with pytest.raises(GodeeperError, match="the test images have changed since the run began: other sizes;"):
        train(tmp_path / "run", resume=True)
