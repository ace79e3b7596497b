"""What attackers send: each is refused with a reason, costs little, and keeps nobody else from an answer."""

import contextlib
import io
import json
import resource
import selectors
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from serve_client import BYTES, JPEG, TIMEOUT, WAITING, Server, form, image, read_all

from godeeper.serve.connections import MAX_CONNECTIONS, OTHER_FILES
from godeeper.serve.limits import HELD_BODIES

MEMORY = 150_000_000  # what an attack may cost: a few bodies and images at their limits, not what was sent


FORM = {"content-type": "multipart/form-data; boundary=XX"}


def field(name):
    return b'--XX\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\nphoto.jpg\r\n'


def bomb(side):
    """A small file of many pixels."""
    with io.BytesIO() as file:
        Image.new("1", (side, side)).save(file, "PNG")
        return file.getvalue()


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
    yield "a form without a boundary", b"--XX", {"content-type": "multipart/form-data"}, 400, "boundary"
    yield "a form of text", field(b"image"), FORM, 400, "with a file"
    yield "a form of many fields", field(b"a") * 20 + form(whole)[0], FORM, 400, "Too many fields"
    yield "a form of many files", form(whole)[0][:-8] * 3, FORM, 400, "Too many files"
    yield "a form whose part has a long head", b"--XX\r\n" + b"a" * 9000, FORM, 400, "multipart"
    yield "plain PNM", b"P3 1 1 255\n" + b"#\n" * 1000 + b"1 2 3", JPEG, 400, "in plain text is not read"
    yield "a JPEG of many scans", whole[:-2] + b"\xff\xda" * 101 + whole[-2:], JPEG, 400, "more than 100 scans"
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


HOSTILE = {
    "P1 in plain text": (b"P1 1 1\n" + b"#\n" * 9_900_000 + b"1", 20),
    "a GIF's comment": (b"GIF89a\1\0\1\0\0\0\0!\xfe" + (b"\xff" + b"a" * 255) * 77_000, 20),
    "25 million pixels": (bomb(5000), 64),
}


def answered(server):
    """The status of a good request, asked again for half a minute while the server says that it is busy."""
    for _ in range(60):
        status = server.predict(image())[0]
        if status != 503:
            break
        time.sleep(0.5)
    return status


@pytest.mark.slow
@pytest.mark.parametrize(("data", "count"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_images_keep_no_good_one_from_an_answer_nor_the_server_from_its_end(weights, data, count):
    options = "--max-bytes 25000000 --max-pixels 25000000 --timeout 6 --max-waiting 64"
    server = Server(weights, *options.split())
    try:
        server.predict(image())
        before = server.peak()
        with ThreadPoolExecutor(count) as hostile, ThreadPoolExecutor(16) as good:
            refused = [hostile.submit(server.ask, "/predict", data, JPEG) for _ in range(count)]
            found = set(good.map(lambda _: answered(server), range(200)))
            statuses = {future.result()[0] for future in refused}
        assert found == {200}
        assert statuses <= {200, 400, 408, 503, 504}
        assert server.peak() - before < 3 * HELD_BODIES  # each while it is joined, and handed to a decoder
        assert server.predict(image())[0] == 200
        assert server.ask("/health")[0] == 200
        with ThreadPoolExecutor(count) as hostile:
            for _ in range(count):
                hostile.submit(server.ask, "/predict", data, JPEG)  # whatever comes of it
            time.sleep(1)
            server.process.terminate()
            assert server.process.wait(10) == 143
    finally:
        server.stop()


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


POST = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
HEADS = [  # and the status that the server before this one gave, with its own parser of forms and its own HTTP protocol
    (b"GET /health HTTP/1.0\r\n\r\n", 200),
    (b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
    (b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    (POST + b"Content-Length: -3\r\n\r\n", 400),
    (POST + b"Content-Length: 999999999999999999999999\r\n\r\n", 400),
    (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", 413),
]


@pytest.mark.parametrize(("head", "status"), HEADS)
def test_odd_heads_are_answered_as_they_were(server, head, status):
    with server.connect() as connection:
        connection.sendall(head)
        assert int(connection.recv(65536).split()[1]) == status


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
        assert server.predict(image())[0] == 200
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
        for _ in range(15):
            assert server.predict(image())[0] == 200
        assert not slow.done()  # answered while they are still connected
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


@pytest.mark.slow
def test_a_burst_of_connections_beyond_the_files_that_may_be_open_is_hung_up_on(weights):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (OTHER_FILES + 60, hard))  # of the server, which inherits it
    try:
        server = Server(weights)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        assert server.predict(image())[0] == 200
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(300)]
            refused = [read_all(connection).startswith(b"HTTP/1.1 503") for connection in connections[100:]]
            assert all(refused)
        deadline = time.monotonic() + 10
        while server.predict(image())[0] != 200:
            assert time.monotonic() < deadline
        server.process.terminate()
        assert server.process.wait(10) == 143
        assert server.process.stderr.read() == "godeeper: terminated\n"
    finally:
        server.stop()


def test_at_saturation_it_sheds_load_and_recovers(server):
    heavy = image(1600, 1600)
    server.predict(heavy)
    before = server.peak()
    with ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(server.ask, "/predict", heavy, JPEG) for _ in range(256)]
        depths = []
        while not all(answer.done() for answer in answers):
            assert server.ask("/health")[0] == 200
            depths.append(server.metrics()["godeeper_waiting_requests"])
            time.sleep(0.05)
        found = [answer.result() for answer in answers]
    statuses = [status for status, _, _ in found]
    assert {200, 503} <= set(statuses) <= {200, 503, 504}  # 504: where the machine is slower than --timeout
    assert statuses.count(200) + statuses.count(504) >= WAITING
    assert max(depths) <= WAITING
    for status, headers, body in found:
        if status == 503:
            assert headers["retry-after"] == "1"
            assert "waiting" in json.loads(body)["error"]
    assert server.peak() - before < MEMORY
    assert server.predict(image())[0] == 200
    assert server.metrics()["godeeper_waiting_requests"] == 0
