"""What data are: the same wherever they lie, and others once a file, a name, a label or an object is another."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from godeeper import GodeeperError, decode, open_data
from godeeper.data.dataset import ArrayDataset, FileDataset
from godeeper.data.description import describe_data, description_text, differences
from godeeper.data.open_annotations import open_annotations
from godeeper.train.checks import check_same_data
from noise import SomeBad
from scenes import voc_folder


def refusal(then, images):
    with pytest.raises(GodeeperError) as error:
        check_same_data({"images": then}, images)
    return str(error.value)


def test_an_image_that_cannot_be_read_is_described_too():
    images = ArrayDataset(np.zeros((2, 8, 8), np.uint8), [0, 1], "made")
    assert differences(describe_data(SomeBad(images, (1,))), describe_data(images)) == "other sizes"


def test_a_file_a_name_a_label_or_a_count_that_differs_is_said_to(class_folder, tmp_path):
    before = open_data(class_folder).train
    then = json.loads(json.dumps(describe_data(before)))
    moved = shutil.copytree(class_folder, tmp_path / "moved")
    check_same_data({"images": then}, open_data(moved).train)
    check_same_data({}, before)
    cat = moved / "train" / "cat"
    with (cat / "3.png").open("ab") as file:
        file.write(b"x")
    assert "since the run began: other sizes; bring them back" in refusal(then, open_data(moved).train)
    (cat / "3.png").rename(cat / "30.png")
    assert ": other names and sizes;" in refusal(then, open_data(moved).train)
    assert ": other labels;" in refusal(then, FileDataset(before.files, [1 - label for label in before.labels]))
    (cat / "30.png").unlink()
    assert ": 24 images then, 23 now; other labels and names and sizes;" in refusal(then, open_data(moved).train)


def test_images_in_memory_are_known_by_their_pixels():
    pixels = np.zeros((3, 4, 4), np.uint8)
    then = describe_data(ArrayDataset(pixels, [0, 1, 0], "made"))
    other = pixels.copy()
    other[1, 2, 3] = 1
    assert differences(then, describe_data(ArrayDataset(other, [0, 1, 0], "made"))) == "other sizes"
    assert differences(then, describe_data(ArrayDataset(pixels.copy(), [0, 1, 0], "made"))) == ""


def test_runs_of_before_there_were_names_and_sizes_go_on():
    images = ArrayDataset(np.zeros((3, 4, 4), np.uint8), [0, 1, 0], "made")
    check_same_data({"images": "3 images (labels 908a5947)"}, images)  # sha256 of "0 1 0"
    assert description_text(describe_data(images)) == "3 images (labels 908a5947)"
    assert "4 images (labels 1) then, 3 images (labels 908a5947) now" in refusal("4 images (labels 1)", images)
    assert "5 then" in refusal(5, images)


def test_annotated_images_too(tmp_path):
    voc = voc_folder(tmp_path / "voc", {"train": range(2)})
    then = describe_data(open_annotations(voc, "train"))
    assert then.keys() == {"images", "objects", "names", "sizes"}
    file = next((voc / "JPEGImages").iterdir())
    Image.new("RGB", decode(file).size).save(file)
    assert ": other sizes;" in refusal(then, open_annotations(voc, "train"))
    check_same_data({"images": description_text(then)}, open_annotations(voc, "train"))


def test_an_image_that_is_gone_is_described(tmp_path):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert describe_data(FileDataset([tmp_path / "gone.png"], [0]))["images"] == 1
    assert os.path.basename(tmp_path / "gone.png") == "gone.png"
