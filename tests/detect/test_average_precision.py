"""Average precision by hand, against the devkit's algorithm written out, and against other libraries."""

import json
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import torch

from godeeper import GodeeperError
from godeeper.data.annotations import Objects
from godeeper.detect.average_precision import score_detections
from godeeper.detect.coco_scores import coco_scores
from godeeper.detect.detection_report import class_rows, precision_recall_chart
from godeeper.detect.detections import Detections
from godeeper.detect.iou import box_iou
from godeeper.detect.paper_tables import paper_rows
from godeeper.evaluate.charts import png
from godeeper.papers import facts_googlenet as facts

A, B, C = (0, 0, 10, 10), (20, 0, 40, 20), (0, 50, 100, 100)
FAR = (500, 500, 510, 510)


def objects(*boxes, labels=None, difficult=()):
    flags = np.array([index in difficult for index in range(len(boxes))], np.bool_)
    return Objects(np.array(boxes, np.float32).reshape(-1, 4), np.array(labels or [0] * len(boxes), np.int64), flags)


def found(*pairs, labels=None):
    boxes = np.array([box for box, _ in pairs], np.float32).reshape(-1, 4)
    scores = np.array([sure for _, sure in pairs], np.float32)
    return Detections(boxes, np.array(labels or [0] * len(pairs), np.int64), scores)


def ap(detections, there, rule="voc"):
    return score_detections(detections, there, ["thing"], rule).classes[0].average_precision


def test_jaccard_by_hand():
    overlaps = box_iou(np.float32([A, (5, 5, 15, 15)]), np.float32([A, (5, 0, 15, 10), FAR]))
    assert overlaps == pytest.approx(np.array([[1, 50 / 150, 0], [25 / 175, 50 / 150, 0]]))
    assert box_iou(np.zeros((0, 4), np.float32), np.float32([A])).shape == (0, 1)
    boxes = np.sort(np.random.default_rng(0).uniform(0, 640, (100, 2, 2)).astype(np.float32), axis=1).reshape(-1, 4)
    assert box_iou(boxes, boxes).diagonal().tolist() == [1] * 100  # of fractions of a pixel as well
    assert box_iou(np.float32([(1, 1, 1, 1)]), np.float32([(1, 1, 1, 1)])).tolist() == [[0]]  # no area, no overlap


@pytest.mark.parametrize("rule", ["voc", "ilsvrc"])
class TestByHand:
    def test_perfect(self, rule):
        assert ap([found((A, 0.9), (B, 0.2)), found((C, 0.5))], [objects(A, B), objects(C)], rule) == 100

    def test_all_wrong(self, rule):
        assert ap([found((FAR, 0.9), (FAR, 0.8))], [objects(A, B)], rule) == 0

    def test_nothing_found(self, rule):
        result = score_detections([found(), found()], [objects(A), objects()], ["thing"], rule)
        assert (result.mean_average_precision, result.classes[0].final_recall, result.images) == (0, 0, 2)

    def test_a_duplicate_is_wrong(self, rule):
        # right, duplicate, right: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1
        one = score_detections([found((A, 0.9), (A, 0.8), (B, 0.7))], [objects(A, B)], ["thing"], rule).classes[0]
        assert one.average_precision == pytest.approx(100 * (0.5 + 0.5 * 2 / 3))
        assert one.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
        assert one.recall.tolist() == [0.5, 0.5, 1]
        assert one.final_recall == 100

    def test_the_surer_of_two_takes_the_object_whatever_their_overlaps(self, rule):
        nearly = (0, 0, 10, 8)
        one = score_detections([found((A, 0.8), (nearly, 0.9))], [objects(A)], ["thing"], rule).classes[0]
        assert one.precision.tolist() == [1, 0.5]

    def test_difficult_objects_are_neither_right_nor_wrong(self, rule):
        result = score_detections(
            [found((B, 0.95), (B, 0.93), (A, 0.9))], [objects(A, B, difficult={1})], ["thing"], rule
        ).classes[0]
        assert (result.average_precision, result.objects, result.detections) == (100, 1, 3)
        assert result.precision.tolist() == [1]

    def test_a_image_without_objects_counts(self, rule):
        # the surest detection is in an empty image: precision 0, 1/2 at recall 0, 1
        assert ap([found((A, 0.9)), found((A, 0.8))], [objects(), objects(A)], rule) == 50

    def test_a_class_without_objects_has_no_average_precision(self, rule):
        result = score_detections([found((A, 0.9), (B, 0.8), labels=[0, 1])], [objects(A)], ["thing", "ghost"], rule)
        assert isnan(result.classes[1].average_precision)
        assert result.mean_average_precision == 100
        assert result.as_dict()["classes"][1]["average_precision"] is None
        json.dumps(result.as_dict(), allow_nan=False)
        assert isnan(score_detections([found()], [objects()], ["thing"], rule).mean_average_precision)

    def test_another_class_is_wrong(self, rule):
        result = score_detections([found((A, 0.9), labels=[1])], [objects(A)], ["thing", "other"], rule)
        assert (result.classes[0].average_precision, result.classes[0].detections) == (0, 0)

    def test_half_an_overlap_is_enough(self, rule):
        assert ap([found(((0, 0, 40, 20), 0.9))], [objects((0, 0, 40, 40))], rule) == 100
        assert ap([found(((0, 0, 40, 19), 0.9))], [objects((0, 0, 40, 40))], rule) == 0

    def test_equal_scores_keep_the_images_order(self, rule):
        first_wrong = [found((FAR, 0.5)), found((A, 0.5))]
        assert ap(first_wrong, [objects(B), objects(A)], rule) == 25  # precision 0, 1/2 at recall 0, 1/2
        assert ap(first_wrong[::-1], [objects(A), objects(B)], rule) == 50

    def test_the_order_within_a_image_is_by_score(self, rule):
        assert ap([found((FAR, 0.1), (A, 0.9))], [objects(A)], rule) == 100


def test_the_rules_differ_where_the_best_object_is_taken():
    """Two objects side by side; the second detection overlaps the taken one most, the free one enough."""
    there, detections = [objects((0, 0, 10, 10), (4, 0, 14, 10))], [found(((0, 0, 10, 10), 0.9), ((1, 0, 12, 10), 0.8))]
    assert box_iou(np.float32([(1, 0, 12, 10)]), there[0].boxes) == pytest.approx(np.array([[90 / 120, 80 / 130]]))
    assert ap(detections, there, "voc") == 50
    assert ap(detections, there, "ilsvrc") == 100


def test_ilsvrc_asks_less_of_small_objects():
    """Of 10 x 10 pixels: 100 / 400 is enough; of 30 x 30: 900 / 1600, so 0.5."""
    third = (0, 0, 10, 3)
    assert ap([found((third, 0.9))], [objects(A)], "voc") == 0
    assert ap([found((third, 0.9))], [objects(A)], "ilsvrc") == 100
    assert ap([found(((0, 0, 10, 2.4), 0.9))], [objects(A)], "ilsvrc") == 0
    assert ap([found(((0, 0, 30, 14), 0.9))], [objects((0, 0, 30, 30))], "ilsvrc") == 0


def devkit(detections, there, rule, label=0):
    """VOCevaldet.m and eval_detection.m, step by step as they go, over one class."""
    rows = [
        (float(sure), image, box.tolist())
        for image, one in enumerate(detections)
        for sure, box, of in zip(one.scores, one.boxes, one.labels, strict=True)
        if of == label
    ]
    rows.sort(key=lambda row: -row[0])
    taken, tp, fp = set(), [], []
    for _, image, (left, top, right, bottom) in rows:
        best, chosen = -1.0, None
        for place, (box, of) in enumerate(zip(there[image].boxes.tolist(), there[image].labels, strict=True)):
            if of != label or (rule == "ilsvrc" and (image, place) in taken):
                continue
            width, height = min(right, box[2]) - max(left, box[0]), min(bottom, box[3]) - max(top, box[1])
            if width <= 0 or height <= 0:
                continue
            w, h = box[2] - box[0], box[3] - box[1]
            overlap = width * height / ((right - left) * (bottom - top) + w * h - width * height)
            needed = 0.5 if rule == "voc" else min(0.5, w * h / ((w + 10) * (h + 10)))
            if overlap > best and (rule == "voc" or overlap >= needed):
                best, chosen = overlap, place
        if chosen is not None and best >= (0.5 if rule == "voc" else 0):
            if there[image].difficult[chosen]:
                continue
            tp.append(int((image, chosen) not in taken))
            fp.append(1 - tp[-1])
            taken.add((image, chosen))
        else:
            tp.append(0)
            fp.append(1)
    count = sum(int(((one.labels == label) & ~one.difficult).sum()) for one in there)
    recall, precision = [0.0], [0.0]
    for number in range(1, len(tp) + 1):
        recall.append(sum(tp[:number]) / count)
        precision.append(sum(tp[:number]) / (sum(tp[:number]) + sum(fp[:number])))
    recall.append(1.0)
    precision.append(0.0)
    for place in range(len(precision) - 2, -1, -1):
        precision[place] = max(precision[place], precision[place + 1])
    return 100 * sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


def some(seed, images=8, classes=2, difficult=0.2, crowded=True):
    """Objects and detections around them, some wrong, some double, some of empty images."""
    random = np.random.default_rng(seed)
    every, detected = [], []
    for image in range(images):
        count = int(random.integers(0, 5)) if image else 4
        if crowded:
            corners = random.uniform(0, 60, (count, 2))
        else:
            corners = np.stack([100.0 * np.arange(count), random.uniform(0, 60, count)], 1).reshape(-1, 2)
        boxes = np.concatenate([corners, corners + random.uniform(8, 40, (count, 2))], 1)
        every.append(Objects(boxes.astype(np.float32), random.integers(0, classes, count), random.random(count) < difficult))
        chosen = random.integers(0, max(1, count), int(random.integers(0, 9)) if count else 2)
        near = boxes[chosen] if count else np.tile(np.float32([[0, 0, 9, 9]]), (2, 1))
        near = near + random.normal(0, 3, near.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        labels = every[-1].labels[chosen] if count else np.zeros(2, np.int64)
        labels = np.where(random.random(len(labels)) < 0.15, 1 - labels, labels)
        scores = np.round(random.random(len(near)), 1).astype(np.float32)  # many of them equal
        order = np.argsort(-scores, kind="stable")
        detected.append(Detections(near.astype(np.float32)[order], labels[order], scores[order]))
    return detected, every


@pytest.mark.parametrize("rule", ["voc", "ilsvrc"])
def test_the_devkits_algorithm_written_out(rule):
    checked = 0
    for seed in range(150):
        detections, there = some(seed)
        for one, label in zip(score_detections(detections, there, "ab", rule).classes, range(2), strict=True):
            if one.objects:
                assert one.average_precision == pytest.approx(devkit(detections, there, rule, label), abs=1e-9), (seed, label)
                checked += 0 < one.average_precision < 100
    assert checked > 200


def real_file():
    """What our Faster R-CNN found in sixteen images of blood cells, and what is there."""
    document = json.loads((Path(__file__).parent / "bccd_found.json").read_text())
    label = document["classes"].index
    detections, there = [], []
    for one in document["images"]:
        names, *rest = zip(*one["found"], strict=True)
        columns = np.float32(rest)
        detections.append(Detections(columns[1:].T.copy(), np.array([label(name) for name in names]), columns[0]))
        names, *sides = zip(*one["objects"], strict=True)
        boxes = np.float32(sides).T.copy()
        there.append(Objects(boxes, np.array([label(name) for name in names]), np.zeros(len(boxes), np.bool_)))
    return detections, there, document["classes"]


@pytest.mark.parametrize("rule", ["voc", "ilsvrc"])
def test_a_real_file_by_the_devkits_algorithm(rule):
    detections, there, classes = real_file()
    for label, one in enumerate(score_detections(detections, there, classes, rule).classes):
        assert 20 < one.average_precision <= 100
        assert one.average_precision == pytest.approx(devkit(detections, there, rule, label), abs=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_a_real_file_by_torchmetrics():
    detections, there, classes = real_file()
    theirs = torchmetrics_map(
        detections, there, iou_thresholds=np.linspace(0.5, 0.95, 10).tolist(), rec_thresholds=np.linspace(0, 1, 101).tolist()
    )
    ours = coco_scores(detections, there, classes)
    assert ours.map is not None
    assert ours.map_50 is not None
    assert ours.map == pytest.approx(100 * float(theirs["map"]), abs=1e-3)
    assert ours.map_50 == pytest.approx(100 * float(theirs["map_50"]), abs=1e-3)
    assert ours.map_50 == pytest.approx(score_detections(detections, there, classes).mean_average_precision, abs=2)


def torchmetrics_map(detections, there, **options):
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(backend="faster_coco_eval", **options)
    metric.warn_on_many_detections = False
    metric.update(
        [{"boxes": torch.from_numpy(one.boxes), "scores": torch.from_numpy(one.scores), "labels": torch.from_numpy(one.labels)}
         for one in detections],
        [{"boxes": torch.from_numpy(one.boxes), "labels": torch.from_numpy(one.labels),
          "iscrowd": torch.from_numpy(one.difficult).long(),
          **({} if one.areas is None else {"area": torch.from_numpy(one.areas)})} for one in there],
    )  # fmt: skip
    return metric.compute()


@pytest.mark.filterwarnings("ignore")
def test_torchmetrics_with_recall_in_small_steps_finds_the_same_area():
    """Objects apart from each other: then VOC's rule of matching and COCO's agree, and only the area is counted otherwise."""
    for seed in range(5):
        detections, there = some(seed, images=50, difficult=0, crowded=False)
        theirs = torchmetrics_map(
            detections, there, iou_thresholds=[0.5], rec_thresholds=torch.linspace(0, 1, 20001).tolist(), class_metrics=True
        )
        ours = score_detections(detections, there, "ab")
        for one, peer in zip(ours.classes, theirs["map_per_class"].tolist(), strict=True):
            assert 20 < one.average_precision < 99
            assert one.average_precision == pytest.approx(100 * peer, abs=0.01)


@pytest.mark.filterwarnings("ignore")
def test_cocos_figures_are_torchmetrics_own():
    for seed in range(3):
        detections, there = some(seed, images=30)
        if seed:  # areas of outlines, on either side of the limits
            there = [replace(each, areas=np.resize([500.0, 1100.0, 9000.0, 9000.0], len(each))) for each in there]
        ours = coco_scores(detections, there, "ab")
        theirs = torchmetrics_map(  # its own thresholds are of 32 bits, which a recall of 0.51 may lie below
            detections, there, iou_thresholds=np.linspace(0.5, 0.95, 10).tolist(), rec_thresholds=np.linspace(0, 1, 101).tolist()
        )
        names = {
            "map": "map",
            "map_50": "map_50",
            "map_75": "map_75",
            "map_small": "map_small",
            "map_medium": "map_medium",
            "average_recall": "mar_100",
        }
        for mine, peer in names.items():
            value = getattr(ours, mine)  # theirs is -1 where there is nothing to count
            assert (-100 if value is None else value) == pytest.approx(100 * float(theirs[peer]), abs=1e-3), mine
        assert ours.map_large is None  # there are none
        assert float(theirs["map_large"]) == -1


def test_coco_sorts_objects_by_their_area():
    sizes = (0, 0, 31, 33), (100, 0, 132, 33), (300, 0, 397, 96)  # just below 32 x 32, above it, above 96 x 96
    there, detections = [objects(*sizes)], [found((sizes[0], 0.9), (sizes[2], 0.8))]
    result = coco_scores(detections, there, ["thing"])
    assert (result.map_small, result.map_medium, result.map_large) == pytest.approx((100, 0, 100))


def test_cocos_area_is_that_of_the_annotation():
    """A 40 x 40 box around an outline of 800 square pixels is small, one around 9200 is not yet large."""
    there = replace(objects((0, 0, 40, 40), (100, 0, 200, 100)), areas=np.array([800.0, 9200.0]))
    result = coco_scores([found(((0, 0, 40, 40), 0.9))], [there], ["thing"])
    assert (result.map_small, result.map_medium, result.map_large) == (pytest.approx(100), 0, None)


def test_cocos_recall_is_of_more_than_ten_detections():
    wrong = [(FAR, 0.9)] * 10
    assert coco_scores([found(*wrong, (A, 0.1))], [objects(A)], ["thing"]).average_recall == pytest.approx(100)


def test_coco_without_detections_or_objects():
    nothing = coco_scores([found()], [objects(A)], ["thing"])
    assert (nothing.map, nothing.map_small, nothing.map_large, nothing.average_recall) == (0, 0, None, 0)  # A is small
    for detections in (found(), found((A, 0.9))):
        for there in (objects(), objects(A, difficult={0})):
            assert set(coco_scores([detections], [there], ["thing"]).as_dict().values()) == {None}
    assert coco_scores([], [], ["thing"]).map is None
    assert coco_scores([found((A, 0.9)), found()], [objects(A), objects()], ["thing"]).map_50 == pytest.approx(100)


def test_coco_prints_nothing(capfd):
    coco_scores([found((A, 0.9))], [objects(A)], ["thing"])
    assert capfd.readouterr() == ("", "")


def test_coco_without_its_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faster_coco_eval", None)
    with pytest.raises(GodeeperError, match=r"faster_coco_eval is not installed .*pip install .*\[detect\]'"):
        coco_scores([found()], [objects()], ["thing"])


def test_rows_and_curve_of_a_report():
    result = score_detections([found((A, 0.9), (FAR, 0.8))], [objects(A, B)], ["_$thing", "ghost"])
    assert class_rows(result, result) == [
        ("_$thing", "2", "2", "50.00 %", "50.00 %", "50.00 %"),
        ("ghost", "0", "0", "", "", ""),
    ]
    assert precision_recall_chart(result).startswith(b"\x89PNG")


def drawn(monkeypatch, scores):
    """The axes and the legend's texts of a chart."""
    figures = []
    monkeypatch.setattr("godeeper.detect.detection_report.png", lambda figure: figures.append(figure) or png(figure))
    assert precision_recall_chart(scores).startswith(b"\x89PNG")
    (figure,) = figures
    return figure.axes[0], [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_the_curve_begins_at_no_recall_and_ends_where_the_detections_do(monkeypatch):
    axis, legend = drawn(monkeypatch, score_detections([found((A, 0.9), (FAR, 0.8))], [objects(A, B)], ["_$thing"]))
    assert legend == [r" _\$thing, AP 50.0 %"]
    assert axis.lines[0].get_xydata().tolist() == [[0, 100], [50, 100], [50, 50]]


def test_a_class_of_which_nothing_was_found_is_in_the_legend(monkeypatch):
    there = [objects(A, B, C, labels=[0, 1, 2], difficult={1})]
    result = score_detections([found((A, 0.9), (B, 0.8), labels=[0, 1])], there, ["found", "difficult", "missed"])
    axis, legend = drawn(monkeypatch, result)
    assert legend == [" found, AP 100.0 %", " missed, AP 0.0 %"]
    assert axis.lines[1].get_xydata().tolist() == []
    only_difficult = score_detections([found((B, 0.8))], [objects(A, B, difficult={1})], ["thing"])
    assert drawn(monkeypatch, only_difficult)[1] == [" thing, AP 0.0 %"]


def test_a_chart_without_objects(monkeypatch):
    axis, legend = drawn(monkeypatch, score_detections([found((A, 0.9))], [objects()], ["thing"]))
    assert (axis.get_title(), legend) == ("no objects", [])


@pytest.mark.parametrize(("classes", "named"), [(20, 20), (21, 0)])  # Pascal VOC has 20
def test_the_lines_of_a_legend_can_be_told_apart_and_leave_room(monkeypatch, classes, named):
    boxes, labels = [A] * classes, list(range(classes))
    detections = found(*((box, 0.5) for box in boxes), labels=labels)
    names = [f"class {label}" for label in labels]
    axis, legend = drawn(monkeypatch, score_detections([detections], [objects(*boxes, labels=labels)], names))
    assert len(legend) == named
    assert len({(line.get_color(), line.get_linestyle()) for line in axis.lines}) == 20
    assert axis.get_position().height > 0.7


def test_the_papers_tables_beside_ours(tmp_path):
    assert [row[:4] for row in paper_rows([])] == [
        ("4", "UvA-Euvision", "22.6 %", "?"),
        ("4", "Deep Insight", "40.5 %", "3"),
        ("4", "CUHK DeepID-Net", "40.7 %", "?"),
        ("4", "GoogLeNet", "43.9 %", "6"),
        ("5", "Trimps-Soushen", "31.6 %", "1"),
        ("5", "Berkeley Vision", "34.5 %", "1"),
        ("5", "UvA-Euvision", "35.4 %", "1"),
        ("5", "CUHK DeepID-Net2", "37.7 %", "1"),
        ("5", "GoogLeNet", "38.02 %", "1"),
        ("5", "Deep Insight", "40.2 %", "1"),
    ]
    assert [row[4] for row in paper_rows([])] == ["ILSVRC 2013, 200 classes", *["ILSVRC 2014, 200 classes"] * 9]
    rule = {"map": 61.234, "classes": [{}, {}]}
    (tmp_path / "a.json").write_text(json.dumps({"models": ["a", "b"], "data": "d", "split": "s", "images": 9, "ilsvrc": rule}))
    assert paper_rows([tmp_path / "a.json"])[-1] == ("ours", "a + b", "61.23 %", "2", "d, s: 9 images, 2 classes")
    rule["map"] = None  # as evaluation prints it where there are no objects
    (tmp_path / "a.json").write_text(json.dumps({"models": ["a"], "data": "d", "split": "s", "images": 9, "ilsvrc": rule}))
    assert paper_rows([tmp_path / "a.json"])[-1] == ("ours", "a", "", "1", "d, s: 9 images, 2 classes")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(GodeeperError, match=r"b.json' is not what `godeeper detect evaluate --json` prints"):
        paper_rows([tmp_path / "b.json"])


def test_what_the_paper_says_of_detection():
    """arXiv 1409.4842, page 10."""
    assert facts.GOOGLENET_DETECTION == {1: 40.0, 6: 43.9}  # "improves results from 40% to 43.9%"
    assert (facts.GOOGLENET_MULTIBOX, facts.GOOGLENET_PROPOSALS) == (200, 60)  # "about 60% of the proposals"
    assert facts.GOOGLENET_COVERAGE == (92, 93)
    assert facts.GOOGLENET_PROPOSALS_GAIN == 1
    assert [row[1:3] + row[4:5] for row in facts.GOOGLENET_TABLE_4] == [
        (2013, 1, "none"), (2014, 3, "ImageNet 1k"), (2014, 2, "ImageNet 1k"), (2014, 1, "ImageNet 1k"),
    ]  # fmt: skip
    assert [row[2:] for row in facts.GOOGLENET_TABLE_5] == [
        ("no", "?"), ("no", "yes"), ("?", "?"), ("no", "?"), ("no", "no"), ("yes", "yes"),
    ]  # fmt: skip
