"""The top activations of a channel, against every image by itself; the patch, against where the colour is."""

import numpy as np
import pytest
import torch
from PIL import Image

from godeeper import GodeeperError, decode, load
from godeeper.explain.centre_crop import centre_crop
from godeeper.explain.top_activations import FRAME, Activation, draw_activation, top_activations


def test_against_every_image_by_itself(weights_file, class_folder):
    network, files = load(weights_file), sorted(class_folder.rglob("*.png"))
    assert len(files) == 32
    progress = []
    activations, bad = top_activations(network, files, "4a", 17, count=5, progress=lambda *counts: progress.append(counts))
    values = {}
    for file in files:
        with torch.no_grad():
            _, tapped = network.features(centre_crop(network, decode(file)), ["4a"])
        values[file] = tapped["4a"][0, 17].max().item()
    best = sorted(files, key=values.get, reverse=True)[:5]
    assert [activation.file for activation in activations] == best
    assert [activation.value for activation in activations] == pytest.approx([values[file] for file in best], rel=1e-4)
    assert len(set(values.values())) > 10
    assert (bad, progress[-1]) == ([], (32, 32))
    network.train()
    assert top_activations(network, files, "4a", 17, count=5)[0] == activations
    assert network.training


@pytest.mark.parametrize(("size", "scale"), [((64, 64), 1), ((128, 128), 2), ((96, 64), 1)])
def test_the_patch_is_where_the_colour_is(red_or_green, two_squares, tmp_path, size, scale):
    for name, red in {"a": (28, 12), "b": (40, 44)}.items():
        two_squares(size, [scale * side for side in red], None, 4 * scale).save(tmp_path / f"{name}.png")
    two_squares(size, None, (20, 20), 8).save(tmp_path / "green.png")
    activations, _ = top_activations(red_or_green, sorted(tmp_path.iterdir()), "mixed", 0)
    assert {activation.file.stem for activation in activations[:2]} == {"a", "b"}
    assert activations[2].value == 0
    for activation in activations[:2]:
        left, top, right, bottom = activation.patch
        assert (right - left, bottom - top) == (7 * scale, 7 * scale)  # 3x3/2, then 3x3/2
        patch = np.array(decode(activation.file))[top:bottom, left:right, 0]
        assert patch.max() == 255  # it holds the square, or its part


def test_a_patch_is_cut_off_at_the_edge_of_the_crop(red_or_green, two_squares, tmp_path):
    two_squares((96, 64), (16, 0), None, 5).save(tmp_path / "corner.png")
    (activation,), _ = top_activations(red_or_green, [tmp_path / "corner.png"], "mixed", 0)
    assert activation.patch[:2] == (16, 0)
    assert activation.patch[2] <= 16 + 7


def test_images_that_cannot_be_decoded_are_left_out_and_named(weights_file, class_folder):
    broken = class_folder / "broken.png"
    broken.write_bytes(b"no image")
    files = [broken, *sorted((class_folder / "val").rglob("*.png"))]
    network = load(weights_file)
    activations, bad = top_activations(network, files, "conv1", 0)
    assert len(activations) == 8
    assert len(bad) == 1
    assert "broken.png: not an image" in bad[0]
    with pytest.raises(GodeeperError, match=r"none of the 1 images can be decoded: .*broken.png: not an image"):
        top_activations(network, [broken], "conv1", 0)


def test_stages_and_channels_that_there_are_not(weights_file, class_folder):
    network, files = load(weights_file), sorted(class_folder.rglob("*.png"))
    with pytest.raises(GodeeperError, match="unknown stage 'pool9': did you mean"):
        top_activations(network, files, "pool9", 0)
    with pytest.raises(GodeeperError, match="4a of googlenet_bn has the channels 0 to 135, not 136"):
        top_activations(network, files, "4a", 136)


def test_the_patch_is_framed_in_the_image_and_drawn_beside_it(tmp_path):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[10:20, 30:50] = (0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "blue.png")
    drawn = np.array(draw_activation(Activation(tmp_path / "blue.png", 1.5, (30, 10, 50, 20))).convert("RGB"))
    assert drawn.shape == (200, 406, 3)  # the image at 2.5, 200x100, in the middle of its square
    frame = (drawn[:, :200] == tuple(bytes.fromhex(FRAME[1:]))).all(2)
    rows, columns = frame.any(1).nonzero()[0], frame.any(0).nonzero()[0]
    assert (columns[0], columns[-1], rows[0], rows[-1]) == (75, 124, 75, 99)
    assert (drawn[50:150, 206:] == (0, 0, 255)).all()


def test_the_frame_lies_within_an_image_whose_sides_are_rounded(tmp_path):
    Image.new("RGB", (133, 50)).save(tmp_path / "a.png")
    drawn = np.array(draw_activation(Activation(tmp_path / "a.png", 1.0, (0, 0, 133, 50))))  # 200 x 75: 50 * 200 / 133 is 75.2
    assert (drawn[:, :200, 3] > 0).any(1).sum() == 75
