"""The web app served: as people use it in a browser, with a mouse, a keyboard and a phone's width; and crafted requests."""

import asyncio
import contextlib
import gc
import json
import os
import socket
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest

from godeeper import describe

gradio = pytest.importorskip("gradio", reason="gradio is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Gradio's and its server's own

LAST = 8_000  # milliseconds that anything may take


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def address(ten_things, tmp_path_factory):
    from godeeper.app.launch import launched

    folder = tmp_path_factory.mktemp("runs")
    (folder / "one").mkdir()
    (folder / "one" / "metrics.jsonl").write_text('{"epoch": 1, "lr": 0.1, "loss": 2.0, "top1_error": 50.0, "seconds": 1.0}\n')
    with launched(ten_things, folder, "en", free_port()) as address:
        uploads = Path(os.environ["GRADIO_TEMP_DIR"])
        assert uploads.stat().st_mode & 0o077 == 0  # nobody else's business
        yield address
        assert any(uploads.iterdir())
    assert not uploads.exists()
    asyncio.set_event_loop(None)
    gc.collect()  # the loops that Gradio never closes: here, where their warnings are ignored, and not in some later test


@pytest.fixture
def page(address, browser, request):
    """A fresh page; at its end nothing was fetched from elsewhere, and nothing went wrong in it."""
    width = getattr(request, "param", 1440)
    page = browser.new_page(viewport={"width": width, "height": 900})
    elsewhere, wrong = [], []
    page.on("request", lambda request: elsewhere.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.set_default_timeout(LAST)
    page.goto(address)
    page.locator("#image").wait_for()
    yield page
    page.close()
    assert [url for url in elsewhere if not url.startswith((address, "data:", "blob:"))] == []
    assert wrong == []


def without_image(page):
    page.get_by_label("Remove Image").click()
    page.locator("#image input[type=file]").first.wait_for(state="attached")
    page.locator("#predictions .note").wait_for()


def upload(page, file):
    if page.get_by_label("Remove Image").count():
        without_image(page)
    page.locator("#image input[type=file]").first.set_input_files(str(file))


def test_the_app_opens_with_an_answer(page):
    page.locator("#predictions .predictions button").nth(4).wait_for()
    page.locator("#heat-map img").wait_for()
    assert page.locator("#predictions [aria-current]").count() == 1
    page.get_by_role("tab", name="Explore").click()
    page.locator("#stage h3", has_text="3a of googlenet").wait_for()
    table, cells = page.locator("#table .scroll"), "element => [element.scrollWidth, element.clientWidth]"
    wanted, given = table.evaluate(cells)
    assert wanted <= given  # no column is cut off


def test_a_sample_that_is_removed_takes_its_predictions_along(page):
    without_image(page)
    page.locator("#samples .thumbnail-item").first.click()
    page.locator("#predictions .predictions button").nth(4).wait_for()
    without_image(page)
    assert page.locator("#predictions .predictions button").count() == 0
    assert page.locator("#heat-map img").count() == 0


def test_a_photograph_gets_five_predictions_a_heat_map_and_those_of_its_crops(page, files):
    upload(page, files["photograph"])
    page.locator("#predictions .predictions button").nth(4).wait_for()
    assert page.locator("#predictions .predictions button").count() == 5
    page.locator("#heat-map img").wait_for()
    before = page.locator("#heat-map img").get_attribute("src")
    page.locator("#predictions .predictions button").nth(1).click()
    page.wait_for_function("before => document.querySelector('#heat-map img')?.src != before", arg=before)
    page.locator("#predict-crops").click()
    page.locator("#crop-predictions img").wait_for()
    assert page.locator("#crop-predictions li").count() >= 1


def test_the_language_changes_everywhere_without_a_reload_and_keeps_the_predictions(page, files):
    upload(page, files["photograph"])
    page.locator("#predictions .predictions button").nth(4).wait_for()
    english = page.locator("#predictions .percent").all_inner_texts()
    page.evaluate("window.still = true")
    page.locator("#lang").get_by_text("中文").click()
    page.get_by_role("tab", name="浏览").wait_for()
    page.locator("#predictions h3", has_text="前五个预测").wait_for()
    assert page.locator("#predictions .percent").all_inner_texts() == english
    assert page.get_by_role("tab").all_inner_texts() == ["分类", "浏览", "对比", "训练记录"]
    assert page.evaluate("window.still")
    assert page.locator("#samples").get_by_text("示例").is_visible()
    page.get_by_role("tab", name="对比").click()
    page.locator("#totals th", has_text="比值").wait_for()
    page.locator("#lang").get_by_text("English").click()
    page.locator("#totals th", has_text="ratio").wait_for()


def test_a_block_opens_by_keyboard_and_by_its_drawing(page):
    page.get_by_role("tab", name="Explore").click()
    described = describe("googlenet")
    page.locator('#table [data-open="4a"]').focus()
    page.keyboard.press("Enter")
    page.locator("#stage h3", has_text="4a of googlenet").wait_for()
    assert page.locator("#stage .counts dd").all_inner_texts()[1:3] == [
        f"{described['4a'].parameters:,}", f"{described['4a'].multiply_adds:,}",
    ]  # fmt: skip
    assert page.locator("#stage td", has_text="erratum").count() == 2
    assert page.evaluate("document.activeElement.dataset.open") == "4a"  # the keyboard stays where it was
    page.locator('#table [data-open="aux1"]').focus()
    page.keyboard.press("Enter")
    page.locator("#stage h3", has_text="aux1 of googlenet").wait_for()
    page.locator("#drawing [data-stage='5b']").first.click()
    page.locator("#stage h3", has_text="5b of googlenet").wait_for()


@pytest.mark.parametrize("page", [390], indirect=True)
def test_nothing_is_wider_than_a_phone(page, files):
    upload(page, files["photograph"])
    page.locator("#predictions .predictions button").nth(4).wait_for()
    for tab in ("Classify", "Explore", "Compare", "Runs"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, tab


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_bad_files_are_answered_and_the_page_lives_on(page, files, lang):
    without_image(page)
    if lang == "zh":  # Gradio makes a component anew when its words change, and ours must still be asked
        page.locator("#lang").get_by_text("中文").click()
        page.get_by_text("把图片拖到这里").wait_for()
    answers = {"en": ("This image cannot be read", "larger than 20 MB"), "zh": ("这张图片无法读取", "文件超过 20 MB")}[lang]
    for name, answer in zip(("text", "bomb", "huge"), (answers[0], *answers), strict=True):
        upload(page, files[name])
        page.locator("#predictions .note", has_text=answer).wait_for()
        assert page.locator("#predictions .predictions button").count() == 0
        without_image(page)
    for name in ("single", "animation", "photograph"):
        upload(page, files[name])
        page.locator("#predictions .predictions button").nth(4).wait_for()
        assert page.locator("#heat-map img").count() == 1
        page.get_by_label("Remove Image").click()
        page.locator("#predictions .note").wait_for()


def ask(address, event, data, **more):
    """What Gradio answers to a crafted request."""
    body = json.dumps({"data": data, "fn_index": event["id"], "session_hash": "crafted", **more}).encode()
    request = urllib.request.Request(address + "gradio_api/queue/join", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()
    with urllib.request.urlopen(f"{address}gradio_api/queue/data?session_hash=crafted", timeout=30) as stream:
        return next(line.decode() for line in stream if b"process_completed" in line)


def refusal(request):
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    refused.value.close()
    return refused.value.code


@pytest.fixture(scope="module")
def events(address):
    with urllib.request.urlopen(address + "config", timeout=30) as answer:
        config = json.load(answer)
    names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    return {(names[part], what): event for event in config["dependencies"] for part, what in event["targets"]}


def crafted(path):
    return {"path": str(path), "url": None, "orig_name": "x.png", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize("switched", [False, True])
def test_a_crafted_request_reads_no_file(address, events, files, switched):
    if switched:
        state = ["zh", None, "googlenet", None, "googlenet", "vgg16", []]
        assert '"success":true' in ask(address, events["lang", "change"], state).replace(" ", "")
    assert all(event["api_visibility"] == "private" for event in events.values())
    uploads = os.environ["GRADIO_TEMP_DIR"]
    for path in (files["photograph"], "/etc/hostname", Path(__file__), f"{uploads}/../x.png", "x.png", ["/etc/hostname"], "\0"):
        for file in (crafted(path), {"path": path if isinstance(path, list) else str(path)}):
            for event, data, chosen in (
                (events["image", "change"], [file, "en"], None),
                (events["samples", "select"], [], {"index": 0, "value": {"image": file}}),
            ):
                with pytest.raises(HTTPError, match="403"):
                    ask(address, event, data, event_data=chosen)
    assert refusal(f"{address}gradio_api/file={files['photograph']}") == 403


def test_a_crafted_request_fetches_nothing_and_finds_no_other_door(address, events, monkeypatch):
    hosts = []
    there = socket.getaddrinfo

    def counted(host, *rest, **more):
        hosts.append(host)
        return there(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", counted)  # the server is a thread of this process
    url = "http://images.invalid/x.png"
    for (_, _), event in events.items():
        for place in range(len(event["inputs"])):
            data = [None] * len(event["inputs"])
            data[place] = [{"deeper": crafted(url)}]
            with pytest.raises(HTTPError, match="403"):
                ask(address, event, data)
    for part in (f"file={url}", f"proxy={url}", "runs", "run-history/buckets", "openapi.json", "info", "vibe-code"):
        assert refusal(f"{address}gradio_api/{part}") == 404
    assert refusal(urllib.request.Request(address, headers={"Host": "elsewhere.example"})) == 400  # a name that leads here
    assert set(hosts) <= {"127.0.0.1"}


def test_a_file_from_elsewhere_is_seen_at_any_depth(tmp_path):
    from godeeper.app.guard import names_other_file

    (tmp_path / "link").symlink_to("/etc")
    mine, url = str(tmp_path / "a" / "x.png"), "https://x/y"
    for path, elsewhere in {mine: False, url: True, "/tmp/x": True, f"{tmp_path}/../x": True, f"{tmp_path}/link/x": True}.items():
        body = json.dumps({"data": [[{"a": {"path": path, "b": {"path": mine}}}]]})
        assert names_other_file(body.encode(), tmp_path) is elsewhere
    assert not names_other_file(json.dumps({"data": [{"path": mine, "url": url}, url, None, {"path": None}]}).encode(), tmp_path)
    assert names_other_file(f'{{"path": "{url}", "path": "{mine}"}}'.encode(), tmp_path)
    for body in (b"no JSON", b"[" * 1_000_000, b'{"path": 3}'):
        assert names_other_file(body, tmp_path)


def uploaded(address, *contents):
    """What the server answers to files that are sent as a form."""
    parts = [b'--XX\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n' + content for content in contents]
    body = b"\r\n".join([*parts, b"--XX--\r\n"])
    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    with urllib.request.urlopen(urllib.request.Request(f"{address}gradio_api/upload", body, headers), timeout=30) as answer:
        return answer.read().decode()


def stored():
    return sum(file.stat().st_size for file in Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*") if file.is_file())


@pytest.mark.parametrize("framing", ["content-length: 100000000", "transfer-encoding: chunked", "content-length: none"])
@pytest.mark.parametrize("part", ["upload", "queue/join"])
def test_a_large_body_is_refused_before_it_is_stored(address, framing, part):
    """Three ways of 100 MB: announced, of which nothing is read; in chunks, of which no more is read than is taken."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    before = stored()
    head = (
        f"POST /gradio_api/{part} HTTP/1.1\r\nhost: {host}\r\ncontent-type: multipart/form-data; boundary=XX\r\n{framing}\r\n\r\n"
    )
    piece = b"x" * 1_000_000
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode())
        form = b'--XX\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n'
        with contextlib.suppress(ConnectionError):
            for number in range(100 if "chunked" in framing else 0):
                sent = (form if number == 0 else b"") + piece
                connection.sendall(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert connection.recv(20).split(b" ")[1] in (b"413", b"400")
    assert stored() - before < 1_000_000


def test_many_files_at_once_are_bounded_together(address):
    before = stored()
    with pytest.raises(URLError):  # a 413, or a connection that is closed before all is sent
        uploaded(address, *[bytes(8_000_000)] * 3)
    assert stored() == before


def test_an_upload_that_is_broken_off_leaves_nothing(address):
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    before = stored()
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = f"POST /gradio_api/upload HTTP/1.1\r\nhost: {host}\r\ncontent-length: 9000000\r\n"
        form = '--XX\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n'
        connection.sendall(f"{head}content-type: multipart/form-data; boundary=XX\r\n\r\n{form}".encode() + bytes(3_000_000))
        end = time.monotonic() + 20
        while stored() == before and time.monotonic() < end:  # until some of it is there
            time.sleep(0.05)
    while stored() != before and time.monotonic() < end:
        time.sleep(0.05)
    assert stored() == before


def test_no_answer_names_the_folder_of_uploads(address, events, files):
    path = json.loads(uploaded(address, files["photograph"].read_bytes()))[0]
    assert path.startswith("/uploads/")
    answers = [ask(address, events["image", "change"], [crafted(path), "en"])]
    for part in ("", "config"):
        with urllib.request.urlopen(address + part, timeout=30) as answer:
            answers.append(answer.read().decode())
    with urllib.request.urlopen(f"{address}gradio_api/file={path}", timeout=30) as answer:
        assert answer.read() == files["photograph"].read_bytes()
    assert '"success":true' in answers[0].replace(" ", "")
    assert [
        text for text in answers for secret in (os.environ["GRADIO_TEMP_DIR"], str(Path.home()), os.getcwd()) if secret in text
    ] == []
    for outside in (f"/uploads/../{files['photograph'].name}", "/uploads/../../etc/hostname", "/etc/hostname"):
        assert refusal(f"{address}gradio_api/file={outside}") in (403, 404)


def test_bad_input_is_a_line_not_a_traceback(address, events, capfd):
    for event in events.values():
        for value in (3, "x", {"a": 1}, [[]], {"path": None}, True, 10**400):
            with contextlib.suppress(HTTPError):
                ask(address, event, [value] * len(event["inputs"]))
    broken = b'{"fn_index": 4, "data": [null, "en"], "session_hash": "\\ud800"}', b'{"fn_index": 10000}', b'{"data": []}'
    for body in (b"", b"[]", b"{", b'{"fn_index": "x", "data": 3, "session_hash": 3}', *broken):
        request = urllib.request.Request(address + "gradio_api/queue/join", body, {"Content-Type": "application/json"})
        with contextlib.suppress(HTTPError):
            urllib.request.urlopen(request, timeout=30).close()
    for part in ("?page=none", "gradio_api/queue/data?session_hash=none", "assets/" + "a" * 1_000):
        with contextlib.suppress(HTTPError), urllib.request.urlopen(address + part, timeout=30) as answer:
            answer.read()
    error = capfd.readouterr().err
    assert "Traceback" not in error
