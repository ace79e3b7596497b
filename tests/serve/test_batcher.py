"""Batching and the bounds on bodies, without a network and without sockets."""

import asyncio
import contextlib
import time

import numpy as np
from starlette.requests import Request

from godeeper import BadImage
from godeeper.deploy.predictor import Prediction
from godeeper.serve import limits as limits_module
from godeeper.serve.batcher import Batcher
from godeeper.serve.decoding import Decoding
from godeeper.serve.limits import Bodies, Limits, Refused


class Slow:
    """A predictor that takes its time, and breaks at some crops."""

    classes = ("a", "b")

    def __init__(self, seconds):
        self.seconds = seconds

    def predict_crops(self, images, *, top=5):
        time.sleep(self.seconds)
        if any(int(crop) == BREAK for crop in images):
            raise RuntimeError("broken")
        if any(int(crop) == FULL for crop in images):
            raise MemoryError
        return [Prediction(("a", "b")[:top], (0.75, 0.25)[:top]) for _ in images]


class Workers(contextlib.nullcontext):
    """In the place of processes that decode: an image's bytes say how many pixels it has, its seconds, and what its crop is."""

    count = 2

    def run(self, decoder, data, preprocess, max_pixels):
        pixels, seconds, value = data.split()
        if int(pixels) > max_pixels:
            raise BadImage(f"{pixels} pixels", code="too-many-pixels")
        time.sleep(float(seconds))
        return np.full((1, 1, 1, 1), int(value), np.uint8)


BREAK, FULL = 13, 14
GOOD, BROKEN, TOO_FULL = b"100 0 1", b"100 0 13", b"100 0 14"


def run_batcher(limits, images, seconds=0.3):
    """The outcomes of images that come all at once, each second one asking for two classes, and the sizes of the passes."""
    sizes = []

    async def run():
        batcher = Batcher(Slow(seconds), Decoding(Workers(), None, limits), limits)
        async with batcher.running(sizes.append):
            jobs = [batcher.predict(data, 1 + index % 2) for index, data in enumerate(images)]
            found = await asyncio.gather(*jobs, return_exceptions=True)
            await asyncio.sleep(seconds + 0.1)  # for what is done after the last answer
            return found

    return asyncio.run(run()), sizes


def test_a_long_wait_is_given_up():
    found, sizes = run_batcher(Limits(max_batch=1, timeout=3), [GOOD] * 4, seconds=2)  # a second to spare
    assert found[0] == Prediction(("a",), (0.75,))
    assert [outcome.status for outcome in found[1:]] == [504] * 3
    assert len(sizes) == 2  # nothing is computed for those that gave up


def test_a_full_queue_refuses_at_once():
    found, _ = run_batcher(Limits(max_waiting=2), [GOOD] * 5)
    assert statuses(found) == [200, 200, 503, 503, 503]


def test_what_breaks_a_pass_breaks_no_other_request_and_each_gets_as_many_classes_as_it_asked_for():
    found, sizes = run_batcher(Limits(max_batch=4, max_wait=200), [GOOD, GOOD, BROKEN, GOOD, TOO_FULL], seconds=0)
    one, two = Prediction(("a",), (0.75,)), Prediction(("a", "b"), (0.75, 0.25))
    assert found[:2] + found[3:4] == [one, two, two]
    assert type(found[2]) is RuntimeError
    assert (found[4].status, "not enough memory" in str(found[4])) == (503, True)
    assert sizes == [4, 1]


def statuses(found):
    return [getattr(outcome, "status", 200) for outcome in found]


def test_images_of_many_pixels_keep_no_small_ones_waiting():
    large = b"9000000 0.2 1"
    limits = Limits(max_waiting=40, timeout=3)
    found, _ = run_batcher(limits, [large] * 12 + [GOOD] * 20, seconds=0)
    assert statuses(found[12:]) == [200] * 20
    assert statuses(found[:12]) == [200] * 10 + [503] * 2  # a quarter of those that wait


def test_where_all_decoders_are_busy_for_long_an_image_is_refused_in_time():
    found, _ = run_batcher(Limits(timeout=0.6), [b"100 0.5 1"] * 2 + [GOOD], seconds=0)
    assert statuses(found) == [200, 200, 503]


def test_health_fails_while_a_pass_takes_longer_than_an_answer_may():
    async def run():
        limits = Limits(timeout=0.1)
        batcher = Batcher(Slow(0.6), Decoding(Workers(), None, limits), limits)
        async with batcher.running(lambda size: None):
            before = batcher.alive()
            (outcome,) = await asyncio.gather(batcher.predict(GOOD, 1), return_exceptions=True)
            await asyncio.sleep(0.1)
            return before, outcome.status, batcher.alive()

    start = time.monotonic()
    assert asyncio.run(run()) == (True, 504, False)
    assert time.monotonic() - start < 0.6  # nor does stopping wait for it


def test_where_room_is_short_the_slowest_body_makes_way(monkeypatch):
    monkeypatch.setattr(limits_module, "HELD_BODIES", 100)

    async def arrive(bodies, chunks):
        async def receive():
            await asyncio.sleep(0.01)
            chunk = chunks.pop(0) if chunks else await asyncio.sleep(60)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks) or len(chunk) != 10}

        async with bodies.limited(Request({"type": "http", "method": "POST", "headers": []}, receive)) as request:
            body = await request.body()
            await asyncio.sleep(0.2)
            return body, bodies.held

    async def run():
        bodies = Bodies(Limits(max_bytes=45, timeout=30))
        assert bodies._room == 100
        stalled = [asyncio.create_task(arrive(bodies, [b"x" * 40])) for _ in range(2)]
        await asyncio.sleep(0.05)
        healthy = await asyncio.gather(*(arrive(bodies, [b"y" * 20, b"z" * 10]) for _ in range(2)))
        assert [task.done() for task in stalled] == [True, False]
        assert isinstance(stalled[0].exception(), Refused)
        assert stalled[0].exception().status == 408
        stalled[1].cancel()
        await asyncio.wait(stalled)
        return healthy, bodies.held

    healthy, held = asyncio.run(run())
    assert [body for body, _ in healthy] == [b"y" * 20 + b"z" * 10] * 2
    assert max(then for _, then in healthy) == 100
    assert held == 0


def test_a_body_whose_time_has_just_run_out_makes_way_too(monkeypatch):
    """Its deadline cannot be moved any more: asyncio raises RuntimeError, and who came in time would get a 500."""
    monkeypatch.setattr(limits_module, "HELD_BODIES", 100)

    async def arrive(bodies, chunks):
        async def receive():
            chunk = chunks.pop(0) if chunks else await asyncio.sleep(60)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks) or len(chunk) == 40}

        async with bodies.limited(Request({"type": "http", "method": "POST", "headers": []}, receive)) as request:
            return await request.body()

    async def run():
        bodies = Bodies(Limits(max_bytes=45, timeout=0.01))
        late = [asyncio.create_task(arrive(bodies, [b"x" * 40])) for _ in range(2)]
        while len(bodies._arriving) < 2:
            await asyncio.sleep(0)
        first = next(iter(bodies._arriving))
        time.sleep(0.02)  # the loop was busy: their time is up, and nobody has told them
        while not first.deadline.expired():
            await asyncio.sleep(0)
        assert first in bodies._arriving
        assert await arrive(bodies, [b"y" * 45]) == b"y" * 45
        await asyncio.wait(late)
        return [task.exception().status for task in late], bodies.held

    assert asyncio.run(run()) == ([408, 408], 0)
