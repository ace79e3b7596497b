from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from godeeper import BadImage, GodeeperError, open_data


def image(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (level, level, level)).save(path)


def class_folder(root, **counts):
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image(root / name / f"{name}{number:02}.png", number)
    return root


def names(images):
    return [images.name(index) for index in range(len(images))]


def message(source, classes=None):
    with pytest.raises(GodeeperError) as error:
        open_data(source, classes)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module")
def digits():
    return open_data("digits")


def arrays(images):
    return np.stack([np.asarray(images.image(index)) for index in range(len(images))])


def test_digits_are_1797_images_of_ten_classes(digits):
    assert digits.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert (len(digits.train), len(digits.test)) == (1438, 359)
    assert len(digits.subset("all")) == 1797
    first = digits.train.image(0)
    assert (first.mode, first.size) == ("RGB", (8, 8))


def test_every_digit_is_in_both_parts_a_fifth_of_it_for_testing(digits):
    # There are 178, 182, 177, 183, 181, 182, 181, 179, 174, 180 of them.
    assert Counter(digits.test.labels) == dict(enumerate([36, 36, 35, 37, 36, 36, 36, 36, 35, 36]))
    assert Counter(digits.train.labels) == dict(enumerate([142, 146, 142, 146, 145, 146, 145, 143, 139, 144]))
    assert "20%" in digits.split_note


def test_digits_are_those_of_scikit_learn_each_in_one_part(digits):
    theirs = load_digits()
    grey = np.floor(theirs.images * 15.9375 + 0.5).astype(np.uint8)  # 0..16 -> 0..255; 8 -> 127.5 -> 128
    expected = Counter((image.tobytes(), int(label)) for image, label in zip(grey, theirs.target, strict=True))
    train, test = arrays(digits.train), arrays(digits.test)
    found: Counter[tuple[bytes, int]] = Counter()
    for pixels, labels in ((train, digits.train.labels), (test, digits.test.labels)):
        assert (pixels[..., 0] == pixels[..., 1]).all()
        assert (pixels[..., 0] == pixels[..., 2]).all()
        found.update((image[..., 0].tobytes(), label) for image, label in zip(pixels, labels, strict=True))
    assert found == expected
    assert len(expected) == 1797  # no two are alike, so that equal counts mean disjoint parts
    assert (train.min(), train.max()) == (0, 255)


def test_the_split_of_digits_is_the_same_each_time(digits):
    again = open_data("digits", classes=[str(digit) for digit in range(10)])
    assert (arrays(again.test) == arrays(digits.test)).all()
    assert (arrays(again.train) == arrays(digits.train)).all()
    assert list(again.train.labels) == list(digits.train.labels)


def test_digits_have_names_of_their_own(digits):
    every = names(digits.subset("all"))
    assert len(set(every)) == 1797
    assert all("digits" in name for name in every)


@pytest.mark.parametrize("classes", [("cat", "dog"), tuple("9876543210"), tuple("012345678")])
def test_digits_for_a_network_of_other_classes(classes):
    assert "digits" in message("digits", classes)


@pytest.mark.parametrize("held_out", ["val", "test"])
def test_train_beside_val_or_test(tmp_path, held_out):
    class_folder(tmp_path / "train", cat=3, dog=2)
    class_folder(tmp_path / held_out, cat=1, dog=2)
    source = open_data(tmp_path)
    assert source.classes == ("cat", "dog")
    assert names(source.train) == [
        *(str(tmp_path / "train" / "cat" / f"cat0{i}.png") for i in range(3)),
        *(str(tmp_path / "train" / "dog" / f"dog0{i}.png") for i in range(2)),
    ]
    assert names(source.test) == [str(tmp_path / held_out / name) for name in ("cat/cat00.png", "dog/dog00.png", "dog/dog01.png")]
    assert list(source.train.labels) == [0, 0, 0, 1, 1]
    assert list(source.test.labels) == [0, 1, 1]
    assert source.subset("train") is source.train
    assert source.subset("test") is source.test
    assert "train/" in source.split_note
    assert f"{held_out}/" in source.split_note


def test_all_images_are_training_then_test_images(tmp_path):
    class_folder(tmp_path / "train", cat=2, dog=1)
    class_folder(tmp_path / "val", cat=1, dog=3)
    source = open_data(str(tmp_path))
    every = source.subset("all")
    assert names(every) == names(source.train) + names(source.test)
    assert list(every.labels) == [0, 0, 1, 0, 1, 1, 1]
    levels = arrays(every)[:, 0, 0, 0].tolist()
    assert levels == [0, 1, 0, 0, 0, 1, 2]


def test_a_single_folder_gives_a_fifth_of_each_class_for_testing(tmp_path):
    source = open_data(class_folder(tmp_path, ant=10, bee=25, cow=2))
    assert source.classes == ("ant", "bee", "cow")
    assert Counter(source.test.labels) == {0: 2, 1: 5, 2: 1}
    assert Counter(source.train.labels) == {0: 8, 1: 20, 2: 1}
    assert "20%" in source.split_note
    assert not set(names(source.train)) & set(names(source.test))
    assert set(names(source.subset("all"))) == {str(path) for path in tmp_path.rglob("*.png")}
    for images in (source.train, source.test):
        for name, label in zip(names(images), images.labels, strict=True):
            assert f"/{source.classes[label]}/" in name.replace("\\", "/")


def test_the_split_of_a_folder_is_the_same_each_time_and_everywhere(tmp_path):
    first = open_data(class_folder(tmp_path / "here", ant=20, bee=20))
    again = open_data(tmp_path / "here")
    moved = open_data(class_folder(tmp_path / "there", bee=20, ant=20))
    assert names(first.test) == names(again.test)
    assert names(first.train) == names(again.train)
    assert [name.replace("there", "here") for name in names(moved.test)] == names(first.test)
    assert {name[-6:] for name in names(first.test)} != {f"{i:02}.png" for i in range(4)}  # drawn, not the first ones


def test_a_folder_is_divided_alike_from_within(tmp_path, monkeypatch):
    first = open_data(class_folder(tmp_path, ant=20, bee=20))
    monkeypatch.chdir(tmp_path)
    assert [tmp_path / name for name in names(open_data(".").test)] == list(map(Path, names(first.test)))


def test_nested_images_are_found_hidden_files_and_other_endings_are_not(tmp_path):
    class_folder(tmp_path, cat=2, dog=2)
    image(tmp_path / "cat" / "kittens" / "small" / "tom.JPG")
    image(tmp_path / "cat" / ".hidden.png")
    image(tmp_path / "cat" / ".thumbnails" / "tom.png")
    image(tmp_path / ".cache" / "x.png")
    image(tmp_path / "stray.png")
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "cat" / "labels.json").write_text("{}")
    (tmp_path / "cat" / "folder.png").mkdir()
    source = open_data(tmp_path)
    assert source.classes == ("cat", "dog")
    expected = ["cat/cat00.png", "cat/cat01.png", "cat/kittens/small/tom.JPG", "dog/dog00.png", "dog/dog01.png"]
    assert sorted(names(source.subset("all"))) == [str(tmp_path / name) for name in expected]


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "JPEG", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm"])
def test_the_endings_of_the_formats_that_are_decoded(tmp_path, suffix):
    for name in ("cat", "dog"):
        for number in range(2):
            image(tmp_path / name / f"{number}.{suffix}", 255)
    source = open_data(tmp_path)
    assert [len(source.train), len(source.test)] == [2, 2]
    assert arrays(source.test).min() >= 254


def test_images_keep_the_label_order_of_a_trained_network(tmp_path):
    class_folder(tmp_path, ant=2, bee=2)
    source = open_data(tmp_path, classes=["cow", "bee", "ant"])
    assert source.classes == ("cow", "bee", "ant")
    labels = dict(zip(names(source.subset("all")), source.subset("all").labels, strict=True))
    assert labels == {str(tmp_path / f"{name}/{name}0{i}.png"): label for name, label in (("ant", 2), ("bee", 1)) for i in (0, 1)}


def test_a_trained_network_may_be_shown_images_of_one_class(tmp_path):
    source = open_data(class_folder(tmp_path, bee=4), classes=("ant", "bee"))
    assert set(source.subset("all").labels) == {1}


def test_opening_a_folder_decodes_nothing(tmp_path):
    class_folder(tmp_path, cat=2, dog=2)
    (tmp_path / "cat" / "cat00.png").write_bytes(b"no image")
    every = open_data(tmp_path).subset("all")
    bad = names(every).index(str(tmp_path / "cat" / "cat00.png"))
    with pytest.raises(BadImage, match=r"cat00\.png"):
        every.image(bad)


def test_a_missing_folder(tmp_path):
    text = message(tmp_path / "gone" / "away")
    assert str(tmp_path / "gone" / "away") in text
    assert "no folder" in text


def test_a_name_that_is_nearly_a_source(tmp_path, monkeypatch):
    (tmp_path / "flowers").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "'digts'" in message("digts")
    assert "did you mean 'digits'?" in message("digts")
    assert "did you mean 'flowers'?" in message("flower")
    assert "digits" in message("xyzzy")


def test_a_file_in_place_of_a_folder(tmp_path):
    image(tmp_path / "one.png")
    text = message(tmp_path / "one.png")
    assert str(tmp_path / "one.png") in text
    assert "one folder a class" in text


@pytest.mark.parametrize("inside", [[], ["stray.png"], [".hidden/a.png"]])
@pytest.mark.parametrize("classes", [None, ("cat", "dog")])
def test_a_folder_without_classes(tmp_path, inside, classes):
    for name in inside:
        image(tmp_path / name)
    text = message(tmp_path, classes)
    assert str(tmp_path) in text
    assert "no classes" in text
    assert "folder of its own" in text


@pytest.mark.parametrize("part", [".", "train"])
def test_one_class_only(tmp_path, part):
    class_folder(tmp_path / part, cat=5)
    class_folder(tmp_path / "val", cat=5) if part == "train" else None
    text = message(tmp_path)
    assert "'cat'" in text
    assert "at least two" in text


@pytest.mark.parametrize("part", [".", "train", "val"])
def test_an_empty_class(tmp_path, part):
    if part != ".":
        class_folder(tmp_path / "train", cat=2, dog=2)
        class_folder(tmp_path / "val", cat=2, dog=2)
    class_folder(tmp_path / part, cat=2, dog=2, cow=0)
    if part == "val":
        class_folder(tmp_path / "train", cow=1)
    (tmp_path / part / "cow" / "notes.txt").write_text("no image")
    text = message(tmp_path)
    assert "'cow'" in text
    assert "no images" in text
    assert ".png" in text


def test_a_class_unknown_to_the_network_names_the_nearest(tmp_path):
    text = message(class_folder(tmp_path, cat=2, dgo=2), ("cat", "dog", "horse"))
    assert "'dgo'" in text
    assert "did you mean 'dog'?" in text


def test_a_class_in_val_that_train_does_not_have(tmp_path):
    class_folder(tmp_path / "train", cat=2, dog=2)
    class_folder(tmp_path / "val", cats=2, dog=2)
    text = message(tmp_path)
    assert "'cats'" in text
    assert "did you mean 'cat'?" in text


def test_train_without_val_or_test(tmp_path):
    class_folder(tmp_path / "train", cat=2, dog=2)
    text = message(tmp_path)
    assert "neither val/ nor test/" in text
    assert str(tmp_path / "train") in text


def test_a_class_called_train_is_a_class(tmp_path):
    source = open_data(class_folder(tmp_path, bus=2, train=2, tram=2))
    assert source.classes == ("bus", "train", "tram")


def test_a_class_with_a_single_image_cannot_be_split(tmp_path):
    text = message(class_folder(tmp_path, cat=4, dog=1))
    assert "'dog'" in text
    assert "one image" in text
    assert "two" in text
