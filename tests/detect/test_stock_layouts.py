"""Annotated images as COCO, Pascal VOC, Roboflow, CVAT and Label Studio lay them out: each opens, and a detector trains on it."""

import json
from dataclasses import dataclass, field
from xml.etree import ElementTree

import pytest

from godeeper import GodeeperError
from godeeper.data.open_annotations import open_annotations
from godeeper.workflows import train_detector
from scenes import scene

SCENES = range(2, 5)  # of several objects, each class among them
SIZE = (96, 72)


@dataclass
class Layout:
    """What a layout's folder is opened with, and what is in it: images by name, and how many boxes and images are left out."""

    split: str
    names: list[str]
    classes: tuple[str, ...] = ("disc", "square")
    boxes_left_out: int = 0
    categories_left_out: list[str] = field(default_factory=list)
    folder: str = "."


def save(folder, names):
    """The scenes as images of those names below the folder."""
    for number, name in zip(SCENES, names, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        scene(number)[0].save(folder / name, quality=95)


def coco_json(file, names, categories, image_fields=(), box_fields=(), first=1, extra=()):
    """Writes a json; `categories` have ids by name, the fields are those that every image or annotation has besides."""
    ids = {category["name"]: category["id"] for category in categories}
    images, annotations = [], []
    for number, name in zip(SCENES, names, strict=True):
        width, height = SIZE
        images.append({"id": first + len(images), "width": width, "height": height, "file_name": name, **dict(image_fields)})
        for class_name, left, top, right, bottom in scene(number)[1]:
            sides = right - left, bottom - top
            annotations.append({
                "id": first + len(annotations), "image_id": images[-1]["id"], "category_id": ids[class_name],
                "bbox": [left, top, *sides], "area": sides[0] * sides[1], "iscrowd": 0, "segmentation": [], **dict(box_fields),
            })  # fmt: skip
    annotations += [
        {"id": first + len(annotations) + place, "image_id": first, "category_id": ids["disc"], **entry}
        for place, entry in enumerate(extra)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        json.dumps({"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories})
    )


def voc_xml(file, number, filename, texts=(), object_texts=(("difficult", "0"),), shift=1, inner=""):
    """Writes a scene's xml: `texts` of the root and `object_texts` of each object by tag, `inner` is xml within each object."""
    root = ElementTree.Element("annotation")
    for tag, text in (("folder", ""), ("filename", filename), *texts):
        ElementTree.SubElement(root, tag).text = text
    size = ElementTree.SubElement(root, "size")
    for tag, value in zip(("width", "height", "depth"), (*SIZE, 3), strict=True):
        ElementTree.SubElement(size, tag).text = str(value)
    for name, left, top, right, bottom in scene(number)[1]:
        entry = ElementTree.SubElement(root, "object")
        for tag, text in (("name", name), *object_texts):
            ElementTree.SubElement(entry, tag).text = text
        box = ElementTree.SubElement(entry, "bndbox")
        for tag, value in (("xmin", left + shift), ("ymin", top + shift), ("xmax", right), ("ymax", bottom)):
            ElementTree.SubElement(box, tag).text = str(value)
        entry.extend(ElementTree.fromstring(f"<a>{inner}</a>"))
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(file)


def coco2017(folder):
    """As cocodataset.org has it: a crowd as RLE, a box of height 0, captions and key points beside, ids with gaps."""
    names = [f"{391895 + number:012}.jpg" for number in SCENES]
    save(folder / "train2017", names)
    categories = [
        {"supercategory": "sign", "id": 13, "name": "disc"}, {"supercategory": "sign", "id": 90, "name": "square"},
    ]  # fmt: skip
    crowd = {"bbox": [1, 1, 90, 70], "area": 500, "iscrowd": 1, "segmentation": {"counts": [6, 5, 6901], "size": [72, 96]}}
    flat = {"bbox": [10, 10, 40, 0], "area": 0.0, "iscrowd": 0, "segmentation": [[10, 10, 50, 10, 50, 10]]}
    fields = {"license": 3, "coco_url": "http://images", "date_captured": "2013-11-14 11:18:45", "flickr_url": ""}
    file = folder / "annotations/instances_train2017.json"
    coco_json(file, names, categories, fields, {"segmentation": [[1, 1, 9, 1, 9, 9]]}, extra=(crowd, flat))
    for other in ("captions", "person_keypoints"):
        (folder / f"annotations/{other}_train2017.json").write_text('{"images": [], "annotations": []}')
    return Layout("train", names, boxes_left_out=1)


def roboflow_coco(folder):
    """A folder a split, ids from 0, and first a category that groups the others."""
    names = [f"photo{number}_jpg.rf.d41d8cd98f00b204.jpg" for number in SCENES]
    group = {"id": 0, "name": "shapes", "supercategory": "none"}
    categories = [
        group,
        *({"id": place, "name": name, "supercategory": "shapes"} for place, name in ((1, "disc"), (2, "square"))),
    ]
    for split in ("train", "valid"):
        save(folder / split, names)
        coco_json(folder / split / "_annotations.coco.json", names, categories, {"license": 1}, first=0)
    (folder / "README.roboflow.txt").write_text("exported")
    return Layout("train", names, categories_left_out=["shapes"])


def roboflow_voc(folder):
    names = [f"photo{number}_jpg.rf.d41d8cd98f00b204.jpg" for number in SCENES]
    flags = (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0"), ("occluded", "0"))
    for split in ("train", "valid"):
        save(folder / split, names)
        for number, name in zip(SCENES, names, strict=True):
            voc_xml((folder / split / name).with_suffix(".xml"), number, name, (("path", name), ("segmented", "0")), flags)
    return Layout("train", names)


def cvat_coco(folder):
    """Ids from 1, attributes, a mask as RLE beside its box, images below images/ with a folder of their own."""
    names = [f"camera 1/frame_{number:06}.jpg" for number in SCENES]
    save(folder / "images/default", names)
    categories = [{"id": place, "name": name, "supercategory": ""} for place, name in ((1, "disc"), (2, "square"))]
    mask = {"counts": [100, 5, 6807], "size": [72, 96]}
    fields = {"attributes": {"occluded": False, "rotation": 0.0}, "segmentation": mask}
    coco_json(folder / "annotations/instances_default.json", names, categories, {"license": 0}, fields)
    return Layout("default", names)


def cvat_voc(folder):
    """A list default.txt, names with spaces in quotes, sub-folders, numbers with decimals, and no <difficult>."""
    names = ["my photo.jpg", "camera1/frame_000003.jpg", "frame_000004.jpg"]
    save(folder / "JPEGImages", names)
    for number, name in zip(SCENES, names, strict=True):
        attributes = "<attributes><attribute><name>rotation</name><value>0.0</value></attribute></attributes>"
        file = (folder / "Annotations" / name).with_suffix(".xml")
        voc_xml(file, number, name, (("segmented", "0"),), (("occluded", "0"),), shift=1.0, inner=attributes)
    lists = folder / "ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "default.txt").write_text('"my photo"\ncamera1/frame_000003\nframe_000004\n')
    (lists / "disc_default.txt").write_text('"my photo"  1\ncamera1/frame_000003 -1\nframe_000004  1\n')
    (folder / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\ndisc:0,128,0::\n")
    return Layout("default", names)


def label_studio_coco(folder, prefix="images/"):
    """A result.json beside images/, ids from 0, categories without a supercategory."""
    names = [f"0dd1a2b3-photo{number}.jpg" for number in SCENES]
    save(folder / "images", names)
    categories = [{"id": place, "name": name} for place, name in ((0, "disc"), (1, "square"))]
    coco_json(folder / "result.json", [prefix + name for name in names], categories, (), {"ignore": 0}, first=0)
    return Layout("result", names)


def label_studio_coco_absolute(folder):
    return label_studio_coco(folder, "/label-studio/data/media/upload/4/")


def label_studio_coco_windows(folder):
    return label_studio_coco(folder, "..\\..\\label-studio\\label-studio\\media\\upload\\4\\")


def label_studio_voc(folder):
    """No lists, images/ instead of JPEGImages/, file names without their ending."""
    names = [f"0dd1a2b3-photo{number}.jpg" for number in SCENES]
    save(folder / "images", names)
    for number, name in zip(SCENES, names, strict=True):
        file = (folder / "Annotations" / name).with_suffix(".xml")
        voc_xml(file, number, file.stem, (("segmented", "0"),), (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")))
    return Layout("all", names)


def voc(folder, year, object_texts, inner=""):
    names = [f"{number:06}.jpg" for number in SCENES]
    own = folder / "VOCdevkit" / year
    save(own / "JPEGImages", names)
    for number, name in zip(SCENES, names, strict=True):
        voc_xml((own / "Annotations" / name).with_suffix(".xml"), number, name, (("segmented", "1"),), object_texts, inner=inner)
    for name in ("Main", "Layout", "Segmentation"):
        (own / "ImageSets" / name).mkdir(parents=True)
    stems = [name.removesuffix(".jpg") for name in names]
    (own / "ImageSets/Main/trainval.txt").write_text("\n".join(stems) + "\n")
    (own / "ImageSets/Main/disc_trainval.txt").write_text("".join(f"{stem} -1\n" for stem in stems))
    for name in ("SegmentationClass", "SegmentationObject"):
        (own / name).mkdir()
        scene(2)[0].save(own / name / "000002.png")
    return Layout("trainval", names, folder=f"VOCdevkit/{year}")


def voc2007(folder):
    return voc(folder, "VOC2007", (("pose", "Left"), ("truncated", "1"), ("difficult", "0")))


def voc2012(folder):
    """Objects have parts, with boxes of their own, and actions."""
    part = "<part><name>head</name><bndbox><xmin>3.5</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
    actions = "<actions><jumping>0</jumping><other>1</other></actions>"
    return voc(folder, "VOC2012", (("pose", "Frontal"), ("occluded", "1"), ("difficult", "0")), part + actions)


LAYOUTS = [
    coco2017, roboflow_coco, roboflow_voc, cvat_coco, cvat_voc, label_studio_coco, label_studio_coco_absolute,
    label_studio_coco_windows, label_studio_voc, voc2007, voc2012,
]  # fmt: skip


@pytest.mark.parametrize("write", LAYOUTS)
def test_each_opens(tmp_path, write):
    layout = write(tmp_path)
    images = open_annotations(tmp_path / layout.folder, layout.split, skip_bad=True)
    assert images.classes == layout.classes
    by_name = {str(file): (size, objects) for file, size, objects in zip(images.files, images.sizes, images.objects, strict=True)}
    assert len(by_name) == len(layout.names)
    for number, name in zip(SCENES, layout.names, strict=True):
        size, objects = next(value for file, value in by_name.items() if file.endswith(f"/{name}"))
        assert size == SIZE
        kept = objects.boxes[~objects.difficult].tolist()
        assert kept == [[float(side) for side in box] for _, *box in scene(number)[1]]
        assert [images.classes[label] for label in objects.labels[~objects.difficult]] == [box[0] for box in scene(number)[1]]
    assert len(images.left_out.boxes) == layout.boxes_left_out
    assert images.left_out.categories == layout.categories_left_out
    assert images.left_out.images == []


@pytest.mark.slow
@pytest.mark.parametrize("write", LAYOUTS)
def test_each_trains_a_step(tmp_path, write):
    layout = write(tmp_path / "data")
    validate = "val" if write in (roboflow_coco, roboflow_voc) else "none"
    messages = []
    result = train_detector(
        tmp_path / "run", "googlenet_bn", tmp_path / "data" / layout.folder, method="multibox", width=0.125, workers=0,
        split=layout.split, validate=validate, overrides=["epochs=1", "batch_size=3", "boxes=8", "image_size=64"],
        on_message=messages.append,
    )  # fmt: skip
    assert result.metrics[0]["images"] == 3
    assert ("coverage" in result.metrics[0]) == (validate == "val")
    assert sum("unsound boxes, left out: 1, by file: 000000391897.jpg (1)" in message for message in messages) == (
        write is coco2017
    )
    groups = sum("the category 'shapes' groups the others and has no objects" in message for message in messages)
    assert groups == (2 if write is roboflow_coco else 0)  # once a split


def test_a_folder_above_is_told_where_the_annotations_are(tmp_path):
    voc2007(tmp_path)
    with pytest.raises(GodeeperError, match=r"holds no annotated images: .*; '.*VOCdevkit/VOC2007' does: give that"):
        open_annotations(tmp_path / "VOCdevkit", "train")


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_the_images_to_test_on_have_many_names(tmp_path, name):
    roboflow_coco(tmp_path / "roboflow")
    assert len(open_annotations(tmp_path / "roboflow", name)) == 3
    cvat_voc(tmp_path / "cvat")
    lists = tmp_path / "cvat/ImageSets/Main"
    (lists / "default.txt").rename(lists / "Validation.txt")
    assert len(open_annotations(tmp_path / "cvat", name)) == 3


@pytest.mark.parametrize(
    ("categories", "classes", "dropped"),
    [
        ([(0, "car", "none"), (1, "car", None)], ("car",), ["car"]),  # a group of its only class's name
        ([(0, "vehicles", "none"), (1, "car", "vehicles")], ("car",), ["vehicles"]),
        ([(0, "bus", "none"), (1, "car", "none")], ("bus", "car"), []),  # as other tools write every category
        ([(1, "person", "person"), (2, "car", "vehicle")], ("person", "car"), []),  # COCO's own person
        ([(1, "car", "vehicle"), (0, "vehicle", "none"), (2, "van", "car")], ("car", "van"), ["vehicle"]),  # car has objects
    ],
)  # fmt: skip
def test_a_category_that_only_groups_others_is_no_class(tmp_path, categories, classes, dropped):
    save(tmp_path / "train", ["a.jpg", "b.jpg", "c.jpg"])
    entries = [{"id": number, "name": name, "supercategory": parent} for number, name, parent in categories]
    for entry in entries:
        if entry["supercategory"] is None:
            del entry["supercategory"]
    used = 1 if any(entry["id"] == 1 and entry["name"] == "car" for entry in entries) else 2
    boxes = [{"id": 0, "image_id": 0, "category_id": used, "bbox": [1, 2, 30, 40]}]
    content = {"images": [{"id": 0, "file_name": "a.jpg"}], "annotations": boxes, "categories": entries}
    (tmp_path / "train/_annotations.coco.json").write_text(json.dumps(content))
    images = open_annotations(tmp_path, "train")
    assert images.classes == classes
    assert images.left_out.categories == dropped
    assert images.classes[images.objects[0].labels[0]] == "car"
