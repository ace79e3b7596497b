"""Images with boxes: where the lines are, in whose colours, beside which words."""

import numpy as np
import pytest
from PIL import Image

from godeeper import GodeeperError
from godeeper.data.decode import decode
from godeeper.detect.detections import Detections
from godeeper.explain import draw_detections as drawing
from godeeper.explain.draw_detections import COLOURS, draw_detections

FOUND = Detections(np.float32([[40, 60, 140, 160], [200, 80, 260, 130]]), np.array([0, 1]), np.float32([0.987, 0.5]))


def colour(label):
    return tuple(bytes.fromhex(COLOURS[label][1:]))


def test_lines_lie_on_the_boxes_own_pixels(tmp_path):
    image = Image.new("RGB", (300, 200))
    draw_detections(image, FOUND, ("RBC", "WBC"), tmp_path / "new/out.png")
    drawn = np.array(decode(tmp_path / "new/out.png"))
    for (left, top, right, bottom), label in zip(FOUND.boxes.astype(int), FOUND.labels, strict=True):
        for y, x in ((top, left), (top, right - 1), (bottom - 1, left), (bottom - 1, right - 1)):
            assert tuple(drawn[y, x]) == colour(label)
        assert not drawn[top + 2 : bottom - 2, left + 2 : right - 2].any()  # what is inside stays visible
        assert not drawn[bottom, left:right].any()
    assert not np.array(image).any()


def test_labels(monkeypatch, tmp_path):
    written = []
    font_for = drawing.font_for

    def recorded(text, size):
        written.append(text)
        return font_for(text, size)

    monkeypatch.setattr(drawing, "font_for", recorded)
    draw_detections(Image.new("RGB", (300, 200)), FOUND, ("红细胞 RBC", "thing"), tmp_path / "out.png")
    assert sorted(written) == ["thing 50 %", "红细胞 RBC 99 %"]


def test_boxes_at_the_edges_of_a_tiny_image_and_none_at_all(tmp_path):
    whole = Detections(np.float32([[0, 0, 5, 4], [4.5, 3.5, 5, 4]]), np.array([0, 9]), np.float32([1, 1]))
    draw_detections(Image.new("RGB", (5, 4)), whole, [str(label) for label in range(10)], tmp_path / "a.png")
    assert decode(tmp_path / "a.png").size == (5, 4)
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))
    draw_detections(Image.new("RGB", (5, 4), "red"), none, ("a",), tmp_path / "b.png")
    assert (np.array(decode(tmp_path / "b.png")) == (255, 0, 0)).all()


@pytest.mark.parametrize("name", ["out.nosuch", "file/out.png"])
def test_a_file_that_cannot_be_written(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(GodeeperError, match="cannot write"):
        draw_detections(Image.new("RGB", (5, 4)), FOUND, ("a", "b"), tmp_path / name)
