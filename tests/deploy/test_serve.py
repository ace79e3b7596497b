"""The server as its clients meet it: a process of its own, real sockets, and what attackers send."""

import asyncio
import contextlib
import http.client
import inspect
import io
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("starlette", reason="needs godeeper[serve]")
pytest.importorskip("uvicorn", reason="needs godeeper[serve]")
pytest.importorskip("prometheus_client", reason="needs godeeper[serve]")

from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request

from godeeper import GodeeperError, Predictor, create_model
from godeeper.cli.serve import serve_command
from godeeper.deploy import limits as limits_module
from godeeper.deploy.batches import Batcher
from godeeper.deploy.limits import MAX_CONNECTIONS, Bodies, Limits, Refused
from godeeper.deploy.openapi import document
from godeeper.deploy.predictor import Prediction
from godeeper.deploy.serve import listen
from godeeper.labels import chinese_name
from godeeper.models.load import save
from godeeper.preprocess import Preprocess

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TIMEOUT, WAITING, BYTES = 2, 16, 2_000_000
LIMITS = f"--port 0 --timeout {TIMEOUT} --max-batch 8 --max-waiting {WAITING} --max-bytes {BYTES} --max-pixels 4000000".split()
JPEG = {"content-type": "image/jpeg"}
QUERIES = ("&lang=en", "&lang=zh", "&lang=both")
MEMORY = 150_000_000  # what an attack may cost: a few bodies and images at their limits, not what was sent


class Server:
    def __init__(self, weights, *options):
        command = [sys.executable, "-m", "godeeper", "serve", str(weights), *LIMITS, *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.line = self.process.stderr.readline()
        self.port = int(re.search(r":(\d+)", self.line)[1])

    def ask(self, path, body=None, headers=JPEG, method=None):
        """Status, headers and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method or ("GET" if body is None else "POST"), path, body, headers if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def predict(self, body, query="", headers=JPEG):
        status, _, answer = self.ask(f"/predict{query}", body, headers)
        return status, json.loads(answer)

    def metrics(self):
        text = self.ask("/metrics")[2].decode()
        return {s.name + s.labels.get("status", ""): s.value for f in text_string_to_metric_families(text) for s in f.samples}

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def peak(self):
        """The most memory that the process ever had, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as lines:
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    def stop(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(3)
    network = create_model("googlenet_bn", num_classes=10, width=0.25, small=True)
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.05)  # so that predictions differ between images
    network.classes, network.preprocess = CLASSES, Preprocess.of(32)
    file = tmp_path_factory.mktemp("served") / "small.safetensors"
    save(network, file)
    return file


@pytest.fixture(scope="module")
def server(weights):
    server = Server(weights)
    yield server
    server.stop()


def image(width=80, height=60, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
    with io.BytesIO() as file:
        Image.fromarray(pixels).resize((width, height)).save(file, "JPEG")
        return file.getvalue()


def bomb(side):
    with io.BytesIO() as file:
        Image.new("1", (side, side)).save(file, "PNG")
        return file.getvalue()


def form(content, name="image", filename="cat.jpg"):
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: image/jpeg\r\n\r\n'
    return head.encode() + content + b"\r\n--XX--\r\n", {"content-type": "multipart/form-data; boundary=XX"}


def read_all(connection):
    """What a server says until it hangs up."""
    with contextlib.suppress(ConnectionError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def test_answers_are_those_of_the_predictor(server, weights):
    images = [image(seed=seed) for seed in range(3)]
    for data, expected in zip(images, Predictor(weights).outcomes(images, top=4), strict=True):
        for body, headers in ((data, JPEG), (data, {"content-type": "application/octet-stream"}), form(data)):
            status, answer = server.predict(body, "?top=4", headers)
            assert status == 200
            assert tuple(named["label"] for named in answer["predictions"]) == expected.labels
            found = [named["probability"] for named in answer["predictions"]]
            assert found == pytest.approx(expected.probabilities, rel=1e-3)
            assert answer["model"] == "small.safetensors"
            assert 0 < answer["seconds"] < 5
            assert "label_zh" not in answer["predictions"][0]


def test_top_and_languages(server):
    data = image()
    english = [named["label"] for named in server.predict(data, "?top=10")[1]["predictions"]]
    both = server.predict(data, "?top=10&lang=both")[1]["predictions"]
    chinese = server.predict(data, "?top=10&lang=zh")[1]["predictions"]
    assert sorted(english) == sorted(CLASSES)
    assert [(named["label"], named["label_zh"]) for named in both] == [(label, chinese_name(label)) for label in english]
    assert [named["label"] for named in chinese] == [chinese_name(label) for label in english]
    assert len(server.predict(data)[1]["predictions"]) == 5


def test_the_language_unless_another_is_asked_for(server, weights):
    def answers(one):
        return {query: one.predict(image(), f"?top=10{query}")[1]["predictions"] for query in ("", *QUERIES)}

    chinese = Server(weights, "--lang", "zh")
    try:
        english, here = answers(server), answers(chinese)
        operation = json.loads(chinese.ask("/openapi.json")[2])["paths"]["/predict"]["post"]
        page = chinese.ask("/docs")[2].decode()
    finally:
        chinese.stop()
    assert all(here[query] == english[query] for query in QUERIES)
    assert english[""] == english["&lang=en"] != here[""] == here["&lang=zh"]
    assert operation["parameters"][1]["schema"]["default"] == "zh"
    assert "here `zh` unless given" in page


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?top=0", "1 to 10"), ("?top=11", "1 to 10"), ("?top=-1", "1 to 10"), ("?top=x", "1 to 10"),
        ("?top=" + "9" * 5000, "1 to 10"),
        ("?lang=fr", "en, zh, both"), ("?url=http://127.0.0.1/a.jpg", "unknown in the query: url"),
        ("?path=../../etc/passwd", "path"),
    ],
)  # fmt: skip
def test_bad_queries(server, query, reason):
    status, answer = server.predict(image(), query)
    assert status == 422
    assert reason in answer["error"]


def attacks():
    whole = image(400, 300)
    yield "random bytes", np.random.default_rng(1).bytes(5000), JPEG, 400, "not an image"
    yield "nothing", b"", JPEG, 400, "empty"
    yield "a URL", b"https://example.com/cat.jpg", JPEG, 400, "never a path or URL"
    yield "a file URL", b"file:///etc/passwd", JPEG, 400, "never a path or URL"
    yield "a path", b"../../../../etc/passwd", JPEG, 400, "never a path or URL"
    yield "half an image", whole[: len(whole) // 2], JPEG, 400, "damaged"
    yield "a bomb", bomb(12_000), {"content-type": "image/png"}, 400, "12000x12000 pixels"
    yield "beyond Pillow's limit", bomb(20_000), {"content-type": "image/png"}, 400, "more pixels than the limit of 4,000,000"
    yield "a bomb below the library's limit", bomb(2100), {"content-type": "image/png"}, 400, "limit of 4,000,000"
    yield "a path as a name", *form(whole, filename="../../cat.jpg"), 400, "name is a path"
    yield "a form without the field", *form(whole, name="photo"), 400, "no field 'image'"
    yield "a form with a URL", *form(b"http://example.com/cat.jpg"), 400, "never a path or URL"
    yield "a form of boundaries", b"--XX" * 100_000, {"content-type": "multipart/form-data; boundary=XX"}, 400, "no field"
    yield "a form without a boundary", b"--XX", {"content-type": "multipart/form-data"}, 415, "boundary"
    yield "JSON", b'{"url": "http://example.com"}', {"content-type": "application/json"}, 415, "application/json"
    yield "compressed", whole, JPEG | {"content-encoding": "gzip"}, 415, "encoded"
    yield "too large", b"x" * (BYTES + 1), JPEG, 413, "2,000,000 bytes"
    yield "too large for a client to hear it while it sends", b"x" * 15 * BYTES, JPEG, 413, "2,000,000 bytes"


@pytest.mark.parametrize(("body", "headers", "status", "reason"), [pytest.param(*a[1:], id=a[0]) for a in attacks()])
def test_an_attack_is_refused_with_a_reason(server, body, headers, status, reason):
    found, answer = server.predict(body, "", headers)
    assert (found, list(answer)) == (status, ["error"])
    assert reason in answer["error"]
    assert server.predict(image())[0] == 200


def test_other_addresses_are_refused_with_a_reason(server):
    for path, method, expected in (
        ("/predict/", "POST", 404), ("/../../etc/passwd", "GET", 404), ("/predict/../../etc/passwd", "POST", 404),
        ("/predict", "GET", 405), ("/health", "POST", 405)
    ):  # fmt: skip
        status, _, body = server.ask(path, b"x", {}, method)
        assert (status, list(json.loads(body))) == (expected, ["error"])


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 40, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000]
)
def test_what_is_not_http_is_hung_up_on(server, junk):
    with server.connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(junk)
        assert read_all(connection)[:12] in (b"HTTP/1.1 400", b"")
    assert server.predict(image())[0] == 200


def upload(server, head, chunk, count):
    """Sends a body until it is all there or nobody listens; what the server said, and the bytes sent."""
    sent = 0
    with server.connect() as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n" + head + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(count):
                connection.sendall(chunk)
                sent += len(chunk)
        return read_all(connection), sent


def test_a_gigabyte_is_refused_early_and_not_kept(server):
    server.predict(image(1500, 1500))
    before, megabyte = server.peak(), b"x" * 1_000_000
    said, _ = upload(server, b"Content-Length: 1000000000", b"x", 1)
    assert said.startswith(b"HTTP/1.1 413")
    assert b"1,000,000,000 bytes is larger than the limit of 2,000,000 bytes" in said
    chunk = b"%x\r\n%s\r\n" % (len(megabyte), megabyte)
    with ThreadPoolExecutor(4) as pool:
        uploads = [pool.submit(upload, server, b"Transfer-Encoding: chunked", chunk, 1000) for _ in range(3)]
        uploads.append(pool.submit(upload, server, b"Content-Length: 1000000000", megabyte, 1000))
        start = time.perf_counter()
        assert server.predict(image())[0] == 200
        assert time.perf_counter() - start < 3
        for said, sent in (future.result() for future in uploads):
            assert said[:12] in (b"HTTP/1.1 413", b"")  # a client that goes on sending may be cut off before it reads
            assert sent < 300_000_000
        assert any(future.result()[0].startswith(b"HTTP/1.1 413") for future in uploads)
    assert server.peak() - before < MEMORY


def dribble(server, stop, said):
    """A hundred clients that send nothing, or a head, or a body, a byte at a time."""
    heads = [
        b"",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Long: ",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n",
    ]
    with selectors.DefaultSelector() as selector:
        for index in range(100):
            connection = server.connect()
            connection.sendall(heads[index % 3])
            selector.register(connection, selectors.EVENT_READ, index)
            said[index] = b""
        while selector.get_map() and not stop.wait(0.1):
            for key, _ in selector.select(0):
                with contextlib.suppress(ConnectionError):
                    data = key.fileobj.recv(65536)
                    said[key.data] += data
                    if data:
                        continue
                selector.unregister(key.fileobj)
                key.fileobj.close()
            for key in list(selector.get_map().values()):
                if key.data % 3:
                    with contextlib.suppress(ConnectionError):
                        key.fileobj.send(b"x")
        return not selector.get_map()


def test_a_hundred_slow_clients_keep_nobody_from_an_answer(server):
    stop, said = threading.Event(), {}
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(dribble, server, stop, said)
        while len(said) < 100:
            time.sleep(0.01)
        seconds = []
        while not slow.done() and len(seconds) < 15:
            start = time.perf_counter()
            assert server.predict(image())[0] == 200
            seconds.append(time.perf_counter() - start)
            time.sleep(0.05)
        assert sorted(seconds)[len(seconds) // 2] < 0.5
        timer = threading.Timer(5 * TIMEOUT, stop.set)
        timer.start()
        assert slow.result()  # each of them has been hung up on
        timer.cancel()
    assert all(answer.startswith(b"HTTP/1.1 408") and b'"error"' in answer for answer in said.values())
    assert server.metrics()["godeeper_body_bytes"] == 0


@pytest.mark.slow
def test_a_client_that_does_not_read_or_asks_its_second_question_slowly_is_hung_up_on(server):
    before = server.metrics()["process_open_fds"]
    with server.connect() as deaf, server.connect() as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        deaf.setblocking(False)
        with contextlib.suppress(OSError):
            for _ in range(100_000):
                deaf.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        assert server.metrics()["process_open_fds"] == before + 2
        deadline = time.monotonic() + 4 * TIMEOUT
        while server.metrics()["process_open_fds"] > before:
            assert time.monotonic() < deadline
            with contextlib.suppress(ConnectionError):
                slow.send(b"G")
            time.sleep(0.2)


def test_connections_are_bounded(server):
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(MAX_CONNECTIONS + 50)]
        refused = 0
        for connection in connections[MAX_CONNECTIONS:]:
            connection.settimeout(5)
            refused += read_all(connection).startswith(b"HTTP/1.1 503")
        assert refused == 50
    deadline = time.monotonic() + 5
    while server.predict(image())[0] != 200:
        assert time.monotonic() < deadline
    assert server.predict(image())[0] == 200


def test_a_client_that_stays_is_answered_without_delay(server):
    seconds = []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        for _ in range(40):
            start = time.perf_counter()
            connection.request("GET", "/health")
            assert connection.getresponse().read()
            seconds.append(time.perf_counter() - start)
    assert sorted(seconds)[20] < 0.03  # head and body held back for each other's acknowledgement take 0.04


def test_requests_of_many_clients_go_through_the_network_together(server):
    before = server.metrics()
    with ThreadPoolExecutor(8) as pool:
        assert {status for status, _ in pool.map(server.predict, [image()] * 64)} == {200}
    after = server.metrics()
    passes, images = (
        after[f"godeeper_batch_images_{what}"] - before[f"godeeper_batch_images_{what}"] for what in ("count", "sum")
    )
    assert images == 64
    assert passes < 48
    assert after["godeeper_requests_total200"] - before["godeeper_requests_total200"] >= 64
    assert after["godeeper_request_seconds_count"] - before["godeeper_request_seconds_count"] == 64
    assert after["process_resident_memory_bytes"] > 1e7


def test_at_saturation_it_sheds_load_and_recovers(server):
    heavy = image(1600, 1600)
    server.predict(heavy)
    before = server.peak()
    with ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(server.ask, "/predict", heavy, JPEG) for _ in range(256)]
        depths = []
        while not all(answer.done() for answer in answers):
            start = time.perf_counter()
            assert server.ask("/health")[0] == 200
            depths.append(server.metrics()["godeeper_waiting_requests"])
            assert time.perf_counter() - start < 3
            time.sleep(0.05)
        found = [answer.result() for answer in answers]
    statuses = [status for status, _, _ in found]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= WAITING
    assert max(depths) <= WAITING
    for status, headers, body in found:
        if status == 503:
            assert headers["retry-after"] == "1"
            assert "waiting" in json.loads(body)["error"]
    assert server.peak() - before < MEMORY
    assert server.predict(image())[0] == 200
    assert server.metrics()["godeeper_waiting_requests"] == 0


def test_the_interface_is_described(server):
    status, headers, body = server.ask("/openapi.json")
    described = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert described["openapi"].startswith("3.1")
    operation = described["paths"]["/predict"]["post"]
    assert {"image/*", "application/octet-stream", "multipart/form-data"} == set(operation["requestBody"]["content"])
    assert operation["parameters"][0]["schema"]["maximum"] == len(CLASSES)
    assert {"200", "400", "408", "413", "415", "422", "503", "504"} == set(operation["responses"])
    assert {"/predict", "/health", "/metrics"} == set(document(3, "en")["paths"])
    page = server.ask("/docs")[2].decode()
    assert "curl" in page
    assert "<script" not in page


def test_it_listens_on_this_machine_only_unless_told(server):
    assert inspect.signature(serve_command).parameters["host"].default == "127.0.0.1"
    assert server.line.startswith("listening on http://127.0.0.1:")
    status, _, body = server.ask("/health")
    assert (status, json.loads(body)) == (200, {"status": "ok", "model": "small.safetensors"})


def ended(weights, number):
    """Status and last words of a server that gets a signal twice, while one client asks nothing and one is about to."""
    server = Server(weights)
    try:
        with server.connect():
            with server.connect() as asking:
                asking.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
                assert server.predict(image())[0] == 200
                os.kill(server.process.pid, number)
                time.sleep(0.3)
                os.kill(server.process.pid, number)
                time.sleep(0.1)
            return server.process.wait(10), server.process.stderr.read()
    finally:
        server.stop()


def test_a_signal_ends_it(weights):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(ended, [weights] * 2, [signal.SIGTERM, signal.SIGINT]))
    assert found == [(143, "godeeper: terminated\n"), (130, "godeeper: interrupted\n")]


def test_a_port_in_use_is_one_line():
    with (
        listen("127.0.0.1", 0) as taken,
        pytest.raises(GodeeperError, match=r"cannot listen .* already in use: choose another") as info,
    ):
        serve_command("nothing", port=taken.getsockname()[1])
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("host", ["no such host", "256.1.1.1", "a" * 300])
def test_a_bad_host_is_one_line(host):
    with pytest.raises(GodeeperError, match="cannot listen on"):
        listen(host, 0)


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "prometheus_client"])
def test_a_missing_extra_names_the_command(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(GodeeperError, match=r"pip install 'godeeper\[serve\]'"):
        serve_command("nothing")


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
