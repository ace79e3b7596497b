"""Annotated images: Pascal VOC's and COCO's layouts, and every fault named by its file."""

import json

import numpy as np
import pytest
from PIL import Image

from godeeper import BadImage, GodeeperError
from godeeper.data.decode import image_size
from godeeper.data.open_annotations import open_annotations
from scenes import scene, voc_folder, write_annotation


@pytest.fixture
def voc(tmp_path):
    return voc_folder(tmp_path / "voc", {"train": range(3), "test": range(3, 5)})


def annotate(voc, *objects, number=0, size=(96, 72), difficult=()):
    write_annotation(voc / "Annotations" / f"scene{number:03}.xml", size, objects, difficult)


def coco_folder(folder, numbers, change=lambda document: None, split="val2017"):
    """The same scenes as COCO keeps them; category numbers are far from labels."""
    (folder / "annotations").mkdir(parents=True)
    (folder / split).mkdir()
    document = {"images": [], "annotations": [], "categories": [{"id": 90, "name": "square"}, {"id": 7, "name": "disc"}]}
    numbered = {entry["name"]: entry["id"] for entry in document["categories"]}
    for number in numbers:
        image, objects = scene(number)
        image.save(folder / split / f"scene{number:03}.jpg", quality=95)
        document["images"].append({"id": 1000 + number, "file_name": f"scene{number:03}.jpg", "width": 96, "height": 72})
        for name, left, top, right, bottom in objects:
            entry = {"image_id": 1000 + number, "category_id": numbered[name], "bbox": [left, top, right - left, bottom - top]}
            document["annotations"].append({"id": len(document["annotations"]), "iscrowd": 0, **entry})
    change(document)
    (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(document))
    return folder


def test_boxes_are_those_that_were_drawn(voc):
    found = open_annotations(voc, "train")
    assert found.classes == ("disc", "square")
    assert [file.name for file in found.files] == ["scene000.jpg", "scene001.jpg", "scene002.jpg"]
    assert found.sizes == [(96, 72)] * 3
    for number, objects in enumerate(found.objects):
        expected = scene(number)[1]
        assert objects.boxes.tolist() == [[float(side) for side in box] for _, *box in expected]
        assert [found.classes[label] for label in objects.labels] == [name for name, *_ in expected]
        assert objects.boxes.dtype == np.float32
        assert not objects.difficult.any()
    assert found.image(0).size == (96, 72)


def test_pixels_are_counted_from_one_and_the_last_is_included(voc):
    annotate(voc, ("disc", 0, 0, 1, 1), ("square", 0, 0, 96, 72), difficult={1})  # written as 1, 1, 1, 1 and 1, 1, 96, 72
    objects = open_annotations(voc, "train").objects[0]
    assert objects.boxes.tolist() == [[0, 0, 1, 1], [0, 0, 96, 72]]
    assert objects.difficult.tolist() == [False, True]


def test_coco_says_the_same(voc, tmp_path):
    ours, theirs = open_annotations(voc, "train"), open_annotations(coco_folder(tmp_path / "coco", range(3)), "val2017")
    assert theirs.classes == ours.classes
    for a, b in zip(ours.objects, theirs.objects, strict=True):
        assert a.boxes.tolist() == b.boxes.tolist()
        assert a.labels.tolist() == b.labels.tolist()
        assert a.difficult.tolist() == b.difficult.tolist()


def test_a_split_of_coco_may_be_called_shortly_and_images_may_lie_elsewhere(tmp_path):
    folder = coco_folder(tmp_path / "coco", range(2))
    assert len(open_annotations(folder, "val")) == 2
    (folder / "val2017").rename(folder / "images")
    assert len(open_annotations(folder, "val2017")) == 2
    exported = tmp_path / "exported" / "valid"
    exported.parent.mkdir()
    (folder / "images").rename(exported)
    (folder / "annotations/instances_val2017.json").rename(exported / "_annotations.coco.json")
    assert len(open_annotations(exported.parent, "valid")) == 2


def test_crowds_are_difficult_and_images_may_be_empty(voc, tmp_path):
    def change(document):
        document["annotations"] = document["annotations"][:1]
        document["annotations"][0]["iscrowd"] = 1

    objects = open_annotations(coco_folder(tmp_path / "coco", range(2), change), "val2017").objects
    assert [len(one) for one in objects] == [1, 0]
    assert objects[0].difficult.tolist() == [True]
    assert objects[1].boxes.shape == (0, 4)
    annotate(voc)
    assert len(open_annotations(voc, "train").objects[0]) == 0


def test_classes_of_a_trained_detector_give_the_labels(voc):
    there = open_annotations(voc, "train", ["square", "nothing", "disc"])
    assert there.classes == ("square", "nothing", "disc")
    assert {there.classes[label] for one in there.objects for label in one.labels} == {"square", "disc"}
    with pytest.raises(
        GodeeperError, match=r"scene00\d.xml': unknown class '\w+': choose one of: cat \(and 2 more with faults\)"
    ):
        open_annotations(voc, "train", ["cat"])


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((50, 10, 99, 20), "xmin 51, ymin 11, xmax 99, ymax 20, is not within its image of 96x72 pixels"),
        ((-3, 10, 20, 20), "is not within its image"),
        ((5, 10, 20, 75), "is not within its image"),
        ((30, 10, 30, 20), "xmin 31, ymin 11, xmax 30, ymax 20, has no area: correct it"),
        ((30, 30, 40, 20), "has no area"),
        ((96.5, 10, 96.9, 20), "has no area within its image of 96x72 pixels"),
        ((float("nan"), 1, 2, 3), "is not of numbers"),
        ((1, 1, float("inf"), 3), "is not of numbers"),
    ],
)
def test_a_box_that_cannot_be_is_named_with_its_file(voc, box, words):
    annotate(voc, ("disc", *box))
    with pytest.raises(GodeeperError) as error:
        open_annotations(voc, "train")
    assert words in str(error.value)
    assert "scene000.xml': the box of a 'disc'" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_hangs_over_by_a_pixel_is_cut_off(voc):
    annotate(voc, ("disc", -1, -0.5, 20, 20), ("disc", 50, 50, 97, 72.5))
    assert open_annotations(voc, "train").objects[0].boxes.tolist() == [[0, 0, 20, 20], [50, 50, 96, 72]]


def test_several_faults_are_counted(voc):
    for number in range(3):
        annotate(voc, ("disc", 5, 5, 5, 5), number=number)
    with pytest.raises(GodeeperError, match=r"scene000.*\(and 2 more with faults\)"):
        open_annotations(voc, "train")


def test_unsound_annotations_can_be_left_out_and_are_counted_by_file(voc):
    annotate(voc, ("disc", 5, 5, 5, 9), ("square", 1, 2, 30, 40), ("disc", 50, 10, 120, 20), number=0)
    (voc / "Annotations/scene001.xml").write_text("<annotation>")
    (voc / "JPEGImages/scene002.jpg").unlink()
    with pytest.raises(GodeeperError, match=r"scene001.*\(and 3 more with faults\); --skip-bad leaves such out, and counts them"):
        open_annotations(voc, "train")
    images = open_annotations(voc, "train", skip_bad=True)
    assert [file.name for file in images.files] == ["scene000.jpg"]
    assert images.objects[0].boxes.tolist() == [[1, 2, 30, 40]]
    assert images.classes == ("disc", "square")
    left_out = images.left_out.as_dict()
    assert left_out["boxes"] == {str(voc / "JPEGImages/scene000.jpg"): 2}
    assert ["scene001.xml" in left_out["images"][0], "scene002.jpg" in left_out["images"][1]] == [True, True]
    lines = images.left_out.lines()
    assert lines[0].startswith("unsound images, left out: 2, by file: scene001.jpg (1), scene002.jpg (1); the first: '")
    assert lines[1].startswith("unsound boxes, left out: 2, by file: scene000.jpg (2); the first: '")
    assert "xmin 6, ymin 6, xmax 5, ymax 9, has no area" in lines[1]
    (voc / "JPEGImages/scene000.jpg").unlink()  # nothing sound is left
    with pytest.raises(GodeeperError, match=r"scene001.xml' is not XML, or is damaged: .*\(and 2 more with faults\)$"):
        open_annotations(voc, "train", skip_bad=True)


def test_unsound_boxes_of_a_json_can_be_left_out(tmp_path):
    def change(document):
        sound = document["annotations"][0]
        document["annotations"] = [sound] + [
            {**sound, **entry}
            for entry in (
                {"bbox": [10, 10, 40, 0]}, {"bbox": [float("nan"), 1, 2, 3]}, {"bbox": []}, {"bbox": None},
                {"bbox": [-9, 1, 30, 3]}, {"category_id": 5}, {"image_id": 5},
            )
        ]  # fmt: skip

    folder = coco_folder(tmp_path / "coco", range(2), change)
    images = open_annotations(folder, "val2017", skip_bad=True)
    assert [len(objects) for objects in images.objects] == [1, 0]
    counts = {file.rpartition("/")[2]: count for file, count in images.left_out.as_dict()["boxes"].items()}
    assert counts == {"scene000.jpg": 6, "instances_val2017.json": 1}
    with pytest.raises(GodeeperError, match=r"\(and 6 more with faults\); --skip-bad"):
        open_annotations(folder, "val2017")


def test_the_area_of_an_annotation_is_kept_and_what_it_says_to_ignore_is_difficult(tmp_path):
    def change(document):
        entry = {**document["annotations"][0], "bbox": [10, 10, 40, 40]}
        fields = (
            {"area": 800}, {"area": 900.5, "iscrowd": 1}, {"ignore": 1}, {"area": "many", "ignore": 0}, {"area": -1},
            {"iscrowd": "1"}, {"ignore": True}, {"iscrowd": "0"},
        )  # fmt: skip
        document["annotations"] = [{**entry, **each} for each in fields]

    objects = open_annotations(coco_folder(tmp_path / "coco", range(1), change), "val2017").objects[0]
    assert objects.areas.tolist() == [800, 900.5, 1600, 1600, 1600, 1600, 1600, 1600]
    assert objects.difficult.tolist() == [False, True, True, False, False, True, True, False]


def test_an_image_that_is_replaced_once_its_boxes_were_read(voc):
    images = open_annotations(voc, "train")
    images.image(0)
    Image.new("RGB", (7, 90)).save(images.files[0])
    with pytest.raises(BadImage, match=r"scene000.jpg: it had 96x72 pixels when its annotation was read, and was changed since"):
        images.image(0)


def test_an_annotation_without_its_image(voc):
    (voc / "JPEGImages/scene001.jpg").unlink()
    with pytest.raises(GodeeperError, match=r"scene001.xml': its image '.*scene001.jpg' is missing: add it, or"):
        open_annotations(voc, "train")


def test_a_image_without_its_annotation(voc):
    (voc / "Annotations/scene002.xml").unlink()
    with pytest.raises(GodeeperError, match=r"train.txt' lists 'scene002', which has no annotation '.*scene002.xml'"):
        open_annotations(voc, "train")


def test_a_image_that_cannot_be_read(voc):
    (voc / "JPEGImages/scene001.jpg").write_bytes(b"no image")
    with pytest.raises(GodeeperError, match=r"scene001.jpg: not an image"):
        open_annotations(voc, "train")


def test_an_annotation_of_another_size(voc):
    annotate(voc, size=(72, 96))
    with pytest.raises(GodeeperError, match=r"scene000.xml': it is of an image of 72x96 pixels, but '.*' has 96x72, upright"):
        open_annotations(voc, "train")
    annotate(voc, size=(0, 0))  # not given
    assert len(open_annotations(voc, "train")) == 3


def test_a_turned_image_has_its_upright_size(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert image_size(tmp_path / "a.jpg") == (20, 40)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation><object>", "is not XML, or is damaged"),
        ("", "is not XML, or is damaged"),
        ('<!DOCTYPE a [<!ENTITY b "ha">]><annotation>&b;</annotation>', "declares a document type"),
        ("<annotation><object><bndbox/></object></annotation>", "an object has no name"),
        (
            "<annotation><object><name>disc</name></object></annotation>",
            "the box of a 'disc', 'xmin missing.*', is not of numbers",
        ),
        ("<annotation><size><width>wide</width></size></annotation>", "its size, 'wide' by '0', is not of numbers"),
        ("<a></a>", "is no annotation of Pascal VOC's: it is of <a>, not <annotation>"),
    ],
)
def test_damaged_xml_is_named(voc, text, words):
    (voc / "Annotations/scene001.xml").write_text(text)
    with pytest.raises(GodeeperError, match=words) as error:
        open_annotations(voc, "train")
    assert "scene001.xml" in str(error.value)


@pytest.mark.parametrize("line", ["../secret", "/etc/passwd", "a\\b", ".hidden"])
def test_a_list_that_leaves_the_folder(voc, line):
    (voc / "ImageSets/Main/train.txt").write_text(line + "\n")
    with pytest.raises(GodeeperError, match=r"train.txt' lists '.*', which is not the name of an image"):
        open_annotations(voc, "train")


def test_lists_empty_double_unknown_and_with_flags(voc):
    lists = voc / "ImageSets/Main"
    lists.joinpath("train.txt").write_text("scene000  1\nscene001 -1\n\n")  # as VOC's lists of one class have
    assert len(open_annotations(voc, "train")) == 2
    lists.joinpath("train.txt").write_text("scene000\nscene000\n")
    with pytest.raises(GodeeperError, match=r"lists 'scene000' 2 times"):
        open_annotations(voc, "train")
    lists.joinpath("train.txt").write_text("\n")
    with pytest.raises(GodeeperError, match=r"the split 'train' of '.*voc' has no images: list some"):
        open_annotations(voc, "train")
    with pytest.raises(GodeeperError, match=r"unknown split of '.*voc' 'trian': did you mean 'train'\?"):
        open_annotations(voc, "trian")


def test_folders_that_are_neither(tmp_path):
    with pytest.raises(GodeeperError, match="holds no annotated images: neither Pascal VOC's"):
        open_annotations(tmp_path, "train")
    with pytest.raises(GodeeperError, match="nosuch' is not there: give the folder"):
        open_annotations(tmp_path / "nosuch", "train")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["annotations"][0].update(image_id=5), r"annotations\[0\] is of the image 5, which is not listed"),
        (lambda d: d["annotations"][0].update(category_id=5), r"annotations\[0\] is of the category 5, which is not listed"),
        (
            lambda d: d["annotations"][0].update(bbox=[1, 2, 3]),
            r"annotations\[0\] has the box \[1, 2, 3\], which is not four numbers x, y, width, height",
        ),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, 0, 5]), "has no area"),
        (lambda d: d["annotations"][0].pop("bbox"), "has the box None, which is not four numbers"),
        (lambda d: d["annotations"].append([]), r"annotations\[3\] is not an object of JSON"),
        (lambda d: d["annotations"][0].update(image_id=[]), r"annotations\[0\] has no image_id, a whole number"),
        (lambda d: d["images"][0].update(file_name="../../etc/passwd"), "its image '.*coco/val2017/etc/passwd' is missing"),
        (lambda d: d["images"][0].update(file_name="/etc/passwd"), "its image '.*coco/val2017/etc/passwd' is missing"),
        (lambda d: d["images"][0].update(file_name="../.."), r"\('../..'\): its image's name is not that of a file"),
        (lambda d: d["images"][0].update(file_name="gone.jpg"), r"\('gone.jpg'\): its image '.*gone.jpg' is missing"),
        (lambda d: d["images"][0].update(file_name="scene001.jpg"), "lists '.*scene001.jpg' twice among its images"),
        (lambda d: d["categories"][0].update(name="disc"), "lists 'disc' twice among its categories"),
        (lambda d: d.pop("images"), "holds no list of images"),
    ],
)
def test_faults_of_a_json_are_named(tmp_path, change, words):
    folder = coco_folder(tmp_path / "coco", range(2), change)
    with pytest.raises(GodeeperError, match=words) as error:
        open_annotations(folder, "val2017")
    assert "instances_val2017.json" in str(error.value)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\x00", "[1]"])
def test_what_is_no_json_is_named(tmp_path, text):
    folder = coco_folder(tmp_path / "coco", range(1))
    (folder / "annotations/instances_val2017.json").write_text(text)
    with pytest.raises(GodeeperError, match=r"instances_val2017.json' is not"):
        open_annotations(folder, "val2017")


def test_an_unknown_split_of_coco(tmp_path):
    with pytest.raises(GodeeperError, match=r"unknown split of '.*' 'test': choose one of: val2017"):
        open_annotations(coco_folder(tmp_path / "coco", range(1)), "test")


def test_names_of_images_may_have_spaces(voc):
    for name in ("Annotations/scene000.xml", "JPEGImages/scene000.jpg"):
        (voc / name).rename(voc / name.replace("scene000", "my scene 1"))
    (voc / "ImageSets/Main/train.txt").write_text("my scene 1\nscene001 -1\n")
    assert [file.stem for file in open_annotations(voc, "train").files] == ["my scene 1", "scene001"]


@pytest.mark.parametrize("name", ["\ud800x", "a\nb", "\x1b[31m"])
def test_names_of_classes_can_be_printed(tmp_path, name):
    folder = coco_folder(tmp_path / "coco", range(1), lambda document: document["categories"][0].update(name=name))
    with pytest.raises(GodeeperError, match="letters that cannot be printed: rename it"):
        open_annotations(folder, "val2017")


def test_sizes_that_no_image_has(tmp_path):
    folder = coco_folder(tmp_path / "coco", range(1), lambda document: document["images"][0].update(width=10**400))
    with pytest.raises(GodeeperError, match="is no size in pixels"):
        open_annotations(folder, "val2017")
