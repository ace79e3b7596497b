"""What is not trusted is decoded in processes of their own: what costs them too much ends them, and nobody else notices."""

import io
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from godeeper import BadImage, decode
from godeeper.data import decode_workers
from godeeper.data.decode_workers import DecodeWorkers, decode_crop, decode_pixels
from godeeper.data.pixels import take_crops
from godeeper.preprocess import Preprocess

PREPROCESS = Preprocess.of(32)


def encoded(image, kind, **options):
    with io.BytesIO() as file:
        image.save(file, kind, **options)
        return file.getvalue()


@pytest.fixture(scope="module")
def photograph():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels).resize((100, 75)), "PNG")


@pytest.fixture(scope="module")
def workers():
    with DecodeWorkers(2, 1.0) as workers:
        yield workers


def test_pixels_and_crops_are_those_decoded_here(workers, photograph, tmp_path):
    assert (workers.run(decode_pixels, photograph) == np.asarray(decode(photograph))).all()
    crop = workers.run(decode_crop, photograph, PREPROCESS, 10_000)
    assert (crop == take_crops(decode(photograph), PREPROCESS).permute(0, 2, 3, 1).numpy()).all()
    (tmp_path / "a.png").write_bytes(photograph)
    assert np.array_equal(workers.image(tmp_path / "a.png"), decode(photograph))


def test_errors_come_back_with_their_codes(workers, photograph):
    with pytest.raises(BadImage, match="100x75 pixels are more than the limit of 7,499") as refused:
        workers.run(decode_crop, photograph, PREPROCESS, 7499)
    assert refused.value.code == "too-many-pixels"
    with pytest.raises(BadImage, match="not an image"):
        workers.run(decode_pixels, b"no image")


def never_end(data):
    """Takes as long as it is let: the images known to take minutes are refused before, by how many pieces they have."""
    while True:
        pass


def test_what_takes_too_long_ends_its_process_and_no_other(workers, photograph):
    with ThreadPoolExecutor(2) as pool:
        endless = pool.submit(workers.run, never_end, photograph)
        for _ in range(3):
            assert workers.run(decode_pixels, photograph).shape == (75, 100, 3)
        with pytest.raises(BadImage, match="takes longer than 1 seconds") as refused:
            endless.result()
    assert refused.value.code == "stuck-decoder"
    with ThreadPoolExecutor(2) as pool:  # both processes are there again
        assert [pixels.shape for pixels in pool.map(workers.run, [decode_pixels] * 2, [photograph] * 2)] == [(75, 100, 3)] * 2


def take_memory(data):
    """Grows beyond what a process may have."""
    return np.ones(decode_workers.MEMORY + 1, np.uint8)


def end(data):
    """Ends as a decoder's fault in C does."""
    os.abort()


@pytest.mark.slow
def test_memory_is_limited_and_a_process_that_dies_is_replaced(photograph):
    with DecodeWorkers(1, 60.0) as workers:
        with pytest.raises(BadImage, match="takes too much memory"):
            workers.run(take_memory, photograph)
        with pytest.raises(BadImage, match="ends the process"):
            workers.run(end, photograph)
        assert workers.run(decode_pixels, photograph).shape == (75, 100, 3)


def test_closing_waits_for_nobody(photograph):
    with ThreadPoolExecutor(1) as pool, DecodeWorkers(1, 60.0) as workers:
        stuck = pool.submit(workers.run, never_end, photograph)
        while workers._idle.qsize():
            time.sleep(0.01)
        (worker,) = workers._workers
    with pytest.raises(BadImage):
        stuck.result()
    worker.process.join(10)
    assert worker.process.exitcode == -signal.SIGKILL
