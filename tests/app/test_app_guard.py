"""What stands before Gradio, without Gradio: requests to an app that keeps what reaches it, or fails."""

import asyncio
import json
import logging
import os
from urllib.parse import quote

import pytest

pytest.importorskip("starlette", reason="starlette is not installed")
JOIN, UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "first.png").write_bytes(bytes(600))
    return tmp_path


def answer(folder, app, path, body=b"", method="POST", query=b"", **headers):
    """The status that a client sees, what the body says, and whether it ended."""
    from godeeper.app.guard import Guard

    sent = []
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "127.0.0.1:7860", **headers}.items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query, "headers": raw}

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(app, str(folder))(scope, receive, send))
    text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
    return sent[0]["status"], text, not sent[-1].get("more_body", False) and len(sent) > 1


async def accepts(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"accepted"})


def event(**changes):
    return json.dumps({"data": ["x"], "fn_index": 0, "session_hash": "abc123", **changes}).encode()


def test_what_gradio_does_not_foresee_is_one_line_and_one_answer(folder, caplog):
    async def fails(scope, receive, send):
        if scope["path"].endswith("data"):  # in the midst of an answer
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        raise KeyError(f"{folder}\n\x1b[31m" + "x" * 900_000)

    with caplog.at_level(logging.WARNING, "godeeper"):
        assert answer(folder, fails, "/", method="GET") == (500, "the app could not answer this request", True)
        assert answer(folder, fails, "/gradio_api/queue/data", method="GET") == (200, "data: 1\n\n", True)
    assert len(caplog.messages) == 2
    for line in caplog.messages:
        assert "KeyError" in line
        assert line.isprintable()
        assert len(line) < 11_000


def test_another_page_of_the_browser_uploads_nothing(folder):
    own = ({}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}, {"origin": "http://127.0.0.1:7860"})
    others = (
        {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site", "origin": "http://127.0.0.1:80"},
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:80"}, {"origin": "127.0.0.1:7860"},
    )  # fmt: skip
    assert [answer(folder, accepts, UPLOAD, **headers)[0] for headers in own] == [200] * 4
    assert [answer(folder, accepts, UPLOAD, **headers)[0] for headers in others] == [403] * 6


def test_an_event_that_would_break_gradio_for_every_session_is_refused(folder):
    bad = [event(session_hash=name) for name in ("\ud800", "", "a b", "x\n", "x" * 65, "../x", "名", None, 3, ["x"])]
    bad += [event(data=["\udfff"]), event(event_data={"\ud800": 1}), b"[]", b"3", b"", b"{", b"[" * 100_000]
    assert [answer(folder, accepts, JOIN, body)[:2] for body in bad] == [(422, "the app takes no such event")] * len(bad)
    for body in (event(), event(data=["名", "\U0001f600", float("nan"), None]), event(session_hash="zk3.x_y-9")):
        assert answer(folder, accepts, JOIN, body)[:2] == (200, "accepted")


def test_no_answer_names_the_folder_of_uploads_however_it_is_written(tmp_path):
    folder = tmp_path / 'a "b" 名\\c'
    folder.mkdir()
    answers = {"x.png": json.dumps, "y.png": lambda path: json.dumps(path, ensure_ascii=False), "z.png": quote}

    async def names(scope, receive, send):
        asked = json.loads((await receive())["body"])["data"][0]
        assert asked["path"] == f"{folder}/x.png"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        body = " ".join(write(f"{folder}/{name}") for name, write in answers.items())
        await send({"type": "http.response.body", "body": body.encode()})

    shown = answer(folder, names, JOIN, event(data=[{"path": "/uploads/x.png"}]))[1]
    assert shown == '"/uploads/x.png" "/uploads/y.png" /uploads/z.png'


def test_a_long_address_is_refused_since_gradio_keeps_the_names_in_it(folder):
    for path, query in (("/assets/" + "a" * 5_000, b""), ("/gradio_api/upload_progress", b"upload_id=" + b"u" * 50_000)):
        assert answer(folder, accepts, path, method="GET", query=query)[0] == 414
    assert answer(folder, accepts, f"/gradio_api/file=/uploads/{'a' * 64}/{'名' * 80}.png", method="GET")[0] == 200


@pytest.mark.parametrize("bound", [("LARGEST_FOLDER", 2_000), ("MOST_UPLOADS", 3)])
def test_beyond_a_bound_the_oldest_uploads_go_and_the_samples_stay(folder, monkeypatch, bound):
    monkeypatch.setattr(f"godeeper.app.guard.{bound[0]}", bound[1])

    async def stores(scope, receive, send):
        for age in (40, 10, 30, 20):
            file = folder / f"hash{age}" / "x.png"
            file.parent.mkdir()
            file.write_bytes(bytes(700))
            os.utime(file, (1_000_000 - age,) * 2)
        await accepts(scope, receive, send)

    os.utime(folder / "sample" / "first.png", (1, 1))
    assert answer(folder, stores, UPLOAD)[0] == 200
    assert sorted(path.name for path in folder.iterdir()) == ["hash10", "hash20", "sample"]
    assert (folder / "sample" / "first.png").exists()
