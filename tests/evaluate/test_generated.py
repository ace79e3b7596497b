"""FID, KID and the Inception Score of features whose answers are known."""

import struct
import zipfile

import numpy as np
import pytest

from flips import outcomes
from godeeper.errors import GodeeperError
from godeeper.evaluate import generated
from godeeper.evaluate.generated import FeatureStatistics, frechet_distance, inception_score, kernel_distance
from godeeper.evaluate.statistics_file import SavedStatistics, load_statistics, save_statistics


def rotation(size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def test_fid_of_gaussians_that_share_their_axes():
    """Then it is the distance of the means and of the deviations, squared."""
    axes = rotation(6)
    mean, other = np.arange(6.0), np.array([0, 1, 2, 3, 4, 7.0])
    a = FeatureStatistics(mean, axes @ np.diag([1, 4, 9, 16, 25, 0.0]) @ axes.T)
    b = FeatureStatistics(other, axes @ np.diag([4, 4, 0, 1, 0, 0.0]) @ axes.T)
    expected = 4 + (1 + 0 + 9 + 9 + 25 + 0)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-7)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-7)


def test_fid_of_gaussians_whose_axes_differ():
    """diag(1, 9) and a quarter turn of it are swapped: the root of their product is diag(3, 3)."""
    a = FeatureStatistics(np.zeros(2), np.diag([1.0, 9.0]))
    b = FeatureStatistics(np.zeros(2), np.diag([9.0, 1.0]))
    assert frechet_distance(a, b) == pytest.approx(20 - 2 * (3 + 3))
    tilted = FeatureStatistics(np.zeros(2), np.array([[5.0, 4.0], [4.0, 5.0]]))  # eigenvalues 1 and 9, turned by 45 degrees
    trace = np.sqrt(10 / 2 * 10 + 2 * 9)  # of the root M of the product: (tr M)^2 = tr M^2 + 2 det M, with tr M^2 = 50, det M = 9
    assert frechet_distance(a, tilted) == pytest.approx(20 - 2 * trace)


def test_statistics_are_those_of_numpy_and_a_large_mean_costs_nothing(monkeypatch):
    monkeypatch.setattr(generated, "BLOCK", 7)
    features = (np.random.default_rng(0).standard_normal((50, 5)) + 1000).astype(np.float32)
    statistics = FeatureStatistics.of(features)
    np.testing.assert_allclose(statistics.mu, features.astype(float).mean(0), rtol=1e-14)
    np.testing.assert_allclose(statistics.sigma, np.cov(features.astype(float), rowvar=False), rtol=1e-10, atol=1e-12)
    assert frechet_distance(statistics, statistics) == pytest.approx(0, abs=1e-9)


def test_kid_by_hand():
    """One feature; kernels (x y + 1)^3: 1 among zeros, 8 among ones, 1 between them."""
    zeros, ones = np.zeros((3, 1), np.float32), np.ones((3, 1), np.float32)
    assert kernel_distance(zeros, ones) == (pytest.approx(1 + 8 - 2 * 1), 0)
    mixed = np.array([[0], [0], [1], [1]], np.float32)
    mean, deviation = kernel_distance(zeros, mixed)  # 3 of 4, drawn: with one 1, (1 + 1 + 1) / 3, with two (1 + 1 + 8) / 3
    assert 1 + 1 - 2 < mean < 1 + 10 / 3 - 2
    assert deviation > 0


def test_inception_score_by_hand():
    assert inception_score(np.tile([3.0, 1.0], (20, 1))) == (pytest.approx(1), pytest.approx(0))  # all images alike
    sure = np.repeat(np.eye(2) * 1000, 2000, axis=0)  # a half is surely one class, a half the other
    assert inception_score(sure)[0] == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: FeatureStatistics.of(np.zeros((1, 3))), "at least 2 images a side"),
        (lambda: kernel_distance(np.zeros((1, 3)), np.zeros((9, 3))), "at least 2 images a side"),
        (lambda: kernel_distance(np.zeros((2, 3)), np.zeros((2, 4))), "use one network for both"),
        (lambda: inception_score(np.zeros((9, 3))), "at least 10 images"),
    ],
)
def test_too_few_or_other_features(call, reason):
    with pytest.raises(GodeeperError, match=reason):
        call()


def test_statistics_files(tmp_path):
    statistics = FeatureStatistics(np.arange(3.0), np.eye(3))
    save_statistics(tmp_path / "ours.npz", SavedStatistics(statistics, 7, "clean-fid", "abc"))
    ours = load_statistics(tmp_path / "ours.npz")
    assert (ours.images, ours.like, ours.weights, ours.statistics.mu.tolist()) == (7, "clean-fid", "abc", [0, 1, 2])
    np.savez(tmp_path / "theirs.npz", mu=np.zeros(3, np.float32), sigma=np.eye(3, dtype=np.float32))
    theirs = load_statistics(tmp_path / "theirs.npz")
    assert (theirs.images, theirs.like, theirs.statistics.sigma.dtype) == (None, None, np.float64)
    np.savez(tmp_path / "odd.npz", mu=np.zeros(3), sigma=np.eye(3), images=np.nan, like=["a", "b"], more=np.array([Bomb()]))
    odd = load_statistics(tmp_path / "odd.npz")  # what is not asked for is not read
    assert (odd.images, odd.like) == (None, None)


class Bomb:
    """Unpickled, it raises an error."""

    def __reduce__(self):
        return int, ("it was unpickled",)


ODD = {
    "other arrays": ({"feats": np.zeros((3, 3))}, "arrays mu and sigma"),
    "not square": ({"mu": np.zeros(3), "sigma": np.ones((3, 4))}, "no mean and covariance"),
    "other shapes": ({"mu": np.zeros(3), "sigma": np.eye(4)}, "no mean and covariance"),
    "no features": ({"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, "no mean and covariance"),
    "not finite": ({"mu": np.zeros(2), "sigma": np.diag([1, np.nan])}, "no mean and covariance"),
    "infinite": ({"mu": np.array([0, np.inf]), "sigma": np.eye(2)}, "no mean and covariance"),
    "not symmetric": ({"mu": np.zeros(2), "sigma": np.array([[1.0, 0.5], [0.0, 1.0]])}, "no mean and covariance"),
    "negative": ({"mu": np.zeros(2), "sigma": np.diag([1.0, -1.0])}, "no mean and covariance"),
    "text": ({"mu": np.array(["a", "b"]), "sigma": np.eye(2)}, "no mean and covariance"),
    "objects": ({"mu": np.array([Bomb()]), "sigma": np.eye(1)}, "'mu' holds Python objects, which are not unpickled"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_no_statistics_file_is_refused(case, tmp_path):
    arrays, reason = ODD[case]
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(GodeeperError, match=reason) as caught:
        load_statistics(tmp_path / "odd.npz")
    assert "\n" not in str(caught.value)


def huge(file):
    """A mean that claims 8 TB, of which nothing is there."""
    with zipfile.ZipFile(file, "w") as archive, archive.open("mu.npy", "w") as opened:
        np.lib.format.write_array_header_1_0(opened, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})


def test_no_flipped_bit_of_saved_statistics_loads_as_something_else(tmp_path):
    file = tmp_path / "kept.npz"
    save_statistics(file, SavedStatistics(FeatureStatistics(np.arange(3.0), np.eye(3)), 12, "pytorch-fid", "w"))

    def read():
        made = load_statistics(file)
        return made.statistics.mu.tobytes(), made.statistics.sigma.tobytes(), made.images, made.like, made.weights

    seen = outcomes(read, [file], 100)
    assert seen["other"] + seen["refused in several lines"] == 0
    assert seen["refused"] > 90  # the others are in the words before the digits


def halves(file):
    """A covariance that is four times as large once it is one of float64, of which nothing is there."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, shape in (("mu", (6000,)), ("sigma", (6000, 6000))):
            with archive.open(f"{name}.npy", "w") as opened:
                np.lib.format.write_array_header_1_0(opened, {"descr": "<f2", "fortran_order": False, "shape": shape})
                opened.write(bytes(2 * 6000 if name == "mu" else 0))


def truncated(file):
    np.savez(file, mu=np.zeros(300), sigma=np.eye(300))
    file.write_bytes(file.read_bytes()[:5000])


def one_array(file):
    with file.open("wb") as opened:
        np.save(opened, np.zeros(3))


def no_array(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mu.npy", b"\x93NUMPY\x01\x00\xff\xff{")


def header(text):
    """An archive with an array of this header, which numpy reads as Python's source."""

    def make(file):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("mu.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)

    return make


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (huge, "'mu' is larger than 268435456 bytes"),
        (halves, "'sigma' is larger than 268435456 bytes"),
        (truncated, "is not a zip file"),
        (one_array, "is not a zip file"),
        (no_array, "cannot be read"),
        (header(b"((("), "EOF in multi-line"),
        (header(b"{[]: 1}"), "unhashable"),
        (header(b"  x\n y\n  z"), "unindent"),
        (header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 0)}" % 10**30), "too large"),
        (lambda file: file.write_text("no archive"), "is not a zip file"),
        (lambda file: file.mkdir(), "Is a directory"),
        (lambda file: None, "No such file"),
    ],
)
def test_a_damaged_statistics_file_is_refused(make, reason, tmp_path):
    make(tmp_path / "odd.npz")
    with pytest.raises(GodeeperError, match=f"odd.npz' cannot be read as saved statistics: .*{reason}|{reason}") as caught:
        load_statistics(tmp_path / "odd.npz")
    assert "\n" not in str(caught.value)


def test_figures_beyond_numbers_are_refused():
    with pytest.raises(GodeeperError, match="features that are not finite"):
        FeatureStatistics.of(np.array([[1, np.nan], [2, 3]], np.float32))
    near, wide = FeatureStatistics(np.zeros(2), np.eye(2)), FeatureStatistics(np.zeros(2), 1e300 * np.eye(2))
    for a, b in ((FeatureStatistics(np.full(2, 1e200), np.eye(2)), near), (wide, wide)):
        with pytest.raises(GodeeperError, match="beyond float64"), np.errstate(all="raise"):
            frechet_distance(a, b)


@pytest.mark.parametrize("turned", [False, True])
def test_a_matrix_of_negative_variances_is_no_covariance(turned):
    sound, odd = FeatureStatistics(np.zeros(4), np.eye(4)), FeatureStatistics(np.zeros(4), 5 - 4 * np.eye(4))
    with pytest.raises(GodeeperError, match="negative along some direction"):
        frechet_distance(*((sound, odd) if turned else (odd, sound)))
    assert frechet_distance(FeatureStatistics(np.zeros(4), np.zeros((4, 4))), sound) == pytest.approx(4)


def test_a_header_of_gigabytes_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mu.npy", b"\x93NUMPY\x02\0" + struct.pack("<I", 1 << 31) + b" " * (1 << 20))
        archive.writestr("sigma.npy", b"")
    with pytest.raises(GodeeperError, match="cannot be read as saved statistics"):
        load_statistics(tmp_path / "bomb.npz")
    with open(tmp_path / "long.npz", "wb") as file:
        file.truncate(1 << 31)
    with pytest.raises(GodeeperError, match="larger than 536870912 bytes"):
        load_statistics(tmp_path / "long.npz")
