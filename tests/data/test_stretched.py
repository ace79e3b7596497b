"""Stretching as each FID library does it, on images whose pixels can be worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from godeeper.data.decode import decode, decode_as_stored
from godeeper.data.stretched import check_library, stretch
from godeeper.errors import GodeeperError


def row(*values):
    """A grey image whose rows are all alike, RGB."""
    return Image.fromarray(np.repeat(np.array([values] * len(values), np.uint8)[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("like", "expected"),
    [("pytorch-fid", [0, 25, 75, 100]), ("torch-fidelity", [0, 50, 100, 100])],  # pixels' centres, and their left corners
)
def test_two_pixels_become_four(like, expected):
    stretched = stretch(row(0, 100), 4, like)
    assert stretched.shape == (3, 4, 4)
    assert stretched[0, 0].tolist() == pytest.approx(expected, abs=1e-4)
    upright = stretch(row(0, 100).transpose(Image.Transpose.TRANSPOSE), 4, like)
    assert upright[2, :, 3].tolist() == pytest.approx(expected, abs=1e-4)


def test_shrinking_looks_at_every_pixel_in_clean_fid_alone():
    stripes = row(*[0, 0, 0, 100] * 4)
    shrunk = {like: stretch(stripes, 4, like)[0, 0].numpy() for like in ("pytorch-fid", "torch-fidelity", "clean-fid")}
    assert shrunk["pytorch-fid"] == pytest.approx([0, 0, 0, 0])  # between the second and the third pixel of four
    assert shrunk["torch-fidelity"] == pytest.approx([0, 0, 0, 0])
    assert np.all((shrunk["clean-fid"] > 15) & (shrunk["clean-fid"] < 35))
    assert np.any(shrunk["clean-fid"] % 1)  # not rounded
    steps = stretch(row(0, 0, 255, 255), 16, "clean-fid")
    assert (steps.min(), steps.max()) == (0, 255)  # bicubic overshoots, and is clipped


def test_files_are_read_as_the_libraries_do(tmp_path):
    image = Image.new("RGBA", (4, 2), (10, 20, 30, 0))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    assert decode_as_stored(tmp_path / "a.png").size == (4, 2)
    assert decode_as_stored(tmp_path / "a.png").getpixel((0, 0)) == (10, 20, 30)
    assert decode(tmp_path / "a.png").size == (2, 4)
    assert decode(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)


def test_an_unknown_library():
    with pytest.raises(GodeeperError, match="did you mean 'clean-fid'"):
        check_library("cleanfid")
