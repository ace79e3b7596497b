"""Batching and the bounds on bodies, without a network and without sockets."""

import asyncio
import time

from starlette.requests import Request

from godeeper.deploy.predictor import Prediction
from godeeper.serve import limits as limits_module
from godeeper.serve.batcher import Batcher
from godeeper.serve.limits import Bodies, Limits, Refused


class Slow:
    """A predictor that takes its time, and breaks at some images."""

    classes = ("a", "b")

    def outcomes(self, images, *, top=5, crops=1):
        time.sleep(0.3)
        for data in images:
            if data == b"break":
                raise RuntimeError("broken")
            yield Prediction(("a", "b")[:top], (0.75, 0.25)[:top])


def run_batcher(limits, images):
    """The outcomes of images that come all at once, each second one asking for two classes, and the sizes of the passes."""
    sizes = []

    async def run():
        batcher = Batcher(Slow(), limits)
        async with batcher.running(sizes.append):
            jobs = [batcher.predict(data, 1 + index % 2) for index, data in enumerate(images)]
            found = await asyncio.gather(*jobs, return_exceptions=True)
            await asyncio.sleep(0.4)  # for what is done after the last answer
            return found

    return asyncio.run(run()), sizes


def test_a_long_wait_is_given_up():
    found, sizes = run_batcher(Limits(max_batch=1, timeout=0.45), [b"good"] * 4)
    assert found[0] == Prediction(("a",), (0.75,))
    assert [outcome.status for outcome in found[1:]] == [504] * 3
    assert len(sizes) == 2  # nothing is computed for those that gave up


def test_a_full_queue_refuses_at_once():
    found, _ = run_batcher(Limits(max_waiting=2), [b"good"] * 5)
    assert [getattr(outcome, "status", 200) for outcome in found] == [200, 200, 503, 503, 503]


def test_a_broken_pass_breaks_no_other_and_each_gets_as_many_classes_as_it_asked_for():
    found, sizes = run_batcher(Limits(max_batch=2), [b"break", b"good", b"good", b"good"])
    assert [type(outcome) for outcome in found[:2]] == [RuntimeError, RuntimeError]
    assert found[2:] == [Prediction(("a",), (0.75,)), Prediction(("a", "b"), (0.75, 0.25))]
    assert sizes == [2, 2]


def test_where_room_is_short_the_slowest_body_makes_way(monkeypatch):
    monkeypatch.setattr(limits_module, "HELD_BODIES", 100)

    async def arrive(bodies, chunks):
        async def receive():
            await asyncio.sleep(0.01)
            chunk = chunks.pop(0) if chunks else await asyncio.sleep(60)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks) or len(chunk) != 10}

        async with bodies.body(Request({"type": "http", "method": "POST", "headers": []}, receive)) as body:
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
