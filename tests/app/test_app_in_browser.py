"""The page as people use it: in a browser, with a mouse, a keyboard and a phone's width."""

import json
import shutil
import socket
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from godeeper import describe

gradio = pytest.importorskip("gradio", reason="gradio is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("there is no chromium", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore")  # Gradio's and its server's own

LAST = 30_000  # milliseconds that anything may take


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def address(ten_things, tmp_path_factory):
    from godeeper.app.page import Page, launch

    folder = tmp_path_factory.mktemp("runs")
    (folder / "one").mkdir()
    (folder / "one" / "metrics.jsonl").write_text('{"epoch": 1, "lr": 0.1, "loss": 2.0, "top1_error": 50.0, "seconds": 1.0}\n')
    blocks, address = launch(Page(ten_things, folder, "en"), free_port())
    yield address
    blocks.close(verbose=False)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(address, browser, request):
    """A fresh page; at its end nothing was fetched from elsewhere, and nothing went wrong in it."""
    width = getattr(request, "param", 1440)
    page = browser.new_page(viewport={"width": width, "height": 900})
    elsewhere, wrong = [], []
    page.on("request", lambda one: elsewhere.append(one.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.set_default_timeout(LAST)
    page.goto(address)
    page.locator("#picture").wait_for()
    yield page
    page.close()
    assert [url for url in elsewhere if not url.startswith((address, "data:", "blob:"))] == []
    assert [line for line in wrong if "413" not in line and "400" not in line] == []  # refused uploads are told as these


def upload(page, file):
    page.locator("#picture input[type=file]").first.set_input_files(str(file))


def test_a_photograph_gets_five_labels_a_heat_map_and_votes(page, files):
    upload(page, files["photograph"])
    page.locator("#answer .answer button").nth(4).wait_for()
    assert page.locator("#answer .answer button").count() == 5
    page.locator("#heat img").wait_for()
    before = page.locator("#heat img").get_attribute("src")
    page.locator("#answer .answer button").nth(1).click()
    page.wait_for_function("before => document.querySelector('#heat img')?.src != before", arg=before)
    page.locator("#vote").click()
    page.locator("#votes img").wait_for()
    assert page.locator("#votes li").count() >= 1


def test_the_language_changes_everywhere_without_a_reload_and_keeps_the_answer(page, files):
    upload(page, files["photograph"])
    page.locator("#answer .answer button").nth(4).wait_for()
    english = page.locator("#answer .percent").all_inner_texts()
    page.evaluate("window.still = true")
    page.locator("#lang").get_by_text("中文").click()
    page.get_by_role("tab", name="浏览").wait_for()
    page.locator("#answer h3", has_text="最可能的五个类别").wait_for()
    assert page.locator("#answer .percent").all_inner_texts() == english
    assert page.get_by_role("tab").all_inner_texts() == ["分类", "浏览", "对比", "训练记录"]
    assert page.evaluate("window.still")
    page.get_by_role("tab", name="对比").click()
    page.locator("#totals th", has_text="比值").wait_for()
    page.locator("#lang").get_by_text("English").click()
    page.locator("#totals th", has_text="ratio").wait_for()


def test_a_block_opens_by_keyboard_and_by_its_drawing(page):
    page.get_by_role("tab", name="Explore").click()
    described = describe("googlenet")
    page.locator('#table [data-open="4a"]').focus()
    page.keyboard.press("Enter")
    page.locator("#opened h3", has_text="4a of googlenet").wait_for()
    assert page.locator("#opened .counts dd").all_inner_texts()[1:3] == [
        f"{described['4a'].parameters:,}", f"{described['4a'].multiply_adds:,}",
    ]  # fmt: skip
    assert page.locator("#opened td", has_text="erratum").count() == 2
    assert page.evaluate("document.activeElement.dataset.open") == "4a"  # the keyboard stays where it was
    page.locator("#whole [data-stage='5b']").first.click()
    page.locator("#opened h3", has_text="5b of googlenet").wait_for()


@pytest.mark.parametrize("page", [390], indirect=True)
def test_nothing_is_wider_than_a_phone(page, files):
    upload(page, files["photograph"])
    page.locator("#answer .answer button").nth(4).wait_for()
    for tab in ("Classify", "Explore", "Compare", "Runs"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, tab


def test_bad_files_are_answered_and_the_page_lives_on(page, files):
    for name in ("text", "bomb"):
        upload(page, files[name])
        page.locator("#answer .note", has_text="no picture that can be read").wait_for()
        page.reload()
        page.locator("#picture input[type=file]").first.wait_for(state="attached")
    upload(page, files["huge"])
    page.get_by_text("exceed", exact=False).or_(page.get_by_text("larger than", exact=False)).first.wait_for()
    page.reload()
    for name in ("single", "animation", "photograph"):
        page.locator("#picture input[type=file]").first.wait_for(state="attached")
        upload(page, files[name])
        page.locator("#answer .answer button").nth(4).wait_for()
        page.reload()


def post(address, path, body):
    request = urllib.request.Request(address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def test_a_crafted_request_reads_no_file_and_fetches_nothing(address, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    asked = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=server.serve_forever, daemon=True).start()
    config = json.loads(urllib.request.urlopen(address + "config", timeout=30).read())
    picture = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "picture")
    looks = [one for one in config["dependencies"] if picture in one["inputs"]]
    assert looks
    for path in (str(secret), "/etc/hostname", f"http://127.0.0.1:{server.server_address[1]}/x.png"):
        file = {"path": path, "url": None, "orig_name": "x.png", "meta": {"_type": "gradio.FileData"}}
        post(address, "gradio_api/queue/join", {"data": [file, "en"], "fn_index": looks[0]["id"], "session_hash": "crafted"})
        events = ""
        with urllib.request.urlopen(f"{address}gradio_api/queue/data?session_hash=crafted", timeout=30) as stream:
            for line in stream:
                events += line.decode()
                if "process_completed" in events:
                    break
        assert '"success":false' in events.replace(" ", "")
        assert "secret" not in events.replace(str(secret), "")
    for path in ("/etc/hostname", str(secret)):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{address}gradio_api/file={path}", timeout=30)
    server.shutdown()
    server.server_close()
    assert asked == []
