"""The server as its clients meet it: a process of its own and real sockets."""

import inspect
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from serve_client import CLASSES, JPEG, Server, form, image

from godeeper import GodeeperError, Predictor
from godeeper.cli.main import status
from godeeper.cli.serve import serve_command
from godeeper.labels import chinese_name
from godeeper.serve.server import listen

QUERIES = ("&lang=en", "&lang=zh", "&lang=both")


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


def test_embeddings_are_those_of_the_predictor(server, weights):
    data = image(seed=5)
    (expected,) = Predictor(weights).embeddings([data])
    for query, length in (("", None), ("?normalize=true", 1)):
        code, _, answer = server.ask(f"/embed{query}", data)
        assert code == 200, answer
        embedding = json.loads(answer)["embedding"]
        scale = 1 if length is None else 1 / expected.norm().item()
        assert embedding == pytest.approx([scale * value for value in expected.tolist()], rel=1e-3, abs=1e-5)
    assert server.ask("/embed?top=3", data)[0] == 422
    assert server.ask("/embed", b"no image")[0] == 400


def test_top_and_languages(server):
    data = image()
    english = [named["label"] for named in server.predict(data, "?top=10")[1]["predictions"]]
    both = server.predict(data, "?top=10&lang=both")[1]["predictions"]
    chinese = server.predict(data, "?top=10&lang=zh")[1]["predictions"]
    assert sorted(english) == sorted(CLASSES)
    assert [(named["label"], named["label_zh"]) for named in both] == [(label, chinese_name(label)) for label in english]
    assert [named["label"] for named in chinese] == [chinese_name(label) for label in english]
    assert len(server.predict(data)[1]["predictions"]) == 5


@pytest.mark.slow
def test_the_language_unless_another_is_asked_for(server, weights):
    def answers(asked):
        return {query: asked.predict(image(), f"?top=10{query}")[1]["predictions"] for query in ("", *QUERIES)}

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
        ("?top=0", "equal to 1"), ("?top=11", "equal to 10"), ("?top=-1", "equal to 1"), ("?top=x", "integer"),
        ("?top=" + "9" * 5000, "integer"), ("?top=", "integer"),
        ("?lang=fr", "Input should be"), ("?url=http://127.0.0.1/a.jpg", "unknown in the query: url"),
        ("?path=../../etc/passwd", "path"),
    ],
)  # fmt: skip
def test_bad_queries(server, query, reason):
    status, answer = server.predict(image(), query)
    assert status == 422
    assert reason in answer["error"]


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


def test_the_interface_is_described(server):
    status, headers, body = server.ask("/openapi.json")
    described = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert described["openapi"].startswith("3.1")
    operation = described["paths"]["/predict"]["post"]
    assert {"image/*", "application/octet-stream", "multipart/form-data"} == set(operation["requestBody"]["content"])
    assert operation["parameters"][0]["schema"]["maximum"] == len(CLASSES)
    assert {"200", "400", "408", "413", "415", "422", "503", "504"} == set(operation["responses"])
    assert {"/predict", "/embed", "/health", "/metrics"} == set(described["paths"])
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGTERM, (143, "godeeper: terminated\n")), (signal.SIGINT, (130, "godeeper: interrupted\n"))],
)
def test_a_signal_ends_it(number, expected, weights):
    assert ended(weights, number) == expected


def test_a_port_in_use_is_one_line():
    with (
        listen("127.0.0.1", 0) as taken,
        pytest.raises(GodeeperError, match=r"cannot listen .* already in use: choose another") as info,
    ):
        serve_command("nothing", port=taken.getsockname()[1])
    assert "\n" not in str(info.value)


def test_a_server_without_an_address_is_refused(weights, capsys):
    assert status(["serve", str(weights), "--host", ""]) == 2
    assert capsys.readouterr().err == "godeeper: --host is empty: give it a value, or leave it out\n"


@pytest.mark.parametrize("host", ["no such host", "256.1.1.1", "a" * 300])
def test_a_bad_host_is_one_line(host):
    with pytest.raises(GodeeperError, match="cannot listen on"):
        listen(host, 0)


@pytest.mark.parametrize("package", ["fastapi", "python_multipart", "uvicorn", "prometheus_client"])
def test_a_missing_extra_names_the_command(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(GodeeperError, match=r"pip install .*\[serve\]'"):
        serve_command("nothing")
