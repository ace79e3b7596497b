"""Sources in bad shape or of another make: what is wrong is named, and what is unusual but right is read."""

import io
import json
import os
import resource
import struct
import tarfile
import threading
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import datasets
import filelock
import numpy as np
import pytest
from PIL import Image

from godeeper import BadImage, GodeeperError, open_data
from godeeper.cli.main import status
from godeeper.data.batches import StreamBatches
from godeeper.data.dataset import ImageStream, StreamedImage
from godeeper.data.decode import decode_for
from godeeper.data.download import downloaded
from godeeper.data.folders import open_folder
from godeeper.data.hub import HubStream
from godeeper.data.write_shards import write_shards

pytestmark = [
    pytest.mark.usefixtures("root"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]


def encoded(value, kind="PNG", size=(8, 6), **options):
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, 0, 0)).save(buffer, kind, **options)
    return buffer.getvalue()


def shard(path, *members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def labelled(first=0, last=8, classes=2, named=()):
    for index in range(first, last):
        yield f"{index:04d}.png", encoded(index % 256)
        notes = {"label": index % classes} | ({"class": named[index % classes]} if named else {})
        yield f"{index:04d}.json", json.dumps(notes).encode()


def message(source, classes=None, **options):
    with pytest.raises(GodeeperError) as error:
        open_data(source, classes, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


# Shards


def test_more_shards_than_a_process_may_open(tmp_path):
    for number in range(300):
        shard(tmp_path / "s" / f"{number:04d}.tar", *labelled(number * 2, number * 2 + 2))
    images = open_data(f"wds:{tmp_path / 's'}").subset("all")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, hard))
    try:
        reds = [images.image(index).getpixel((0, 0))[0] for index in range(len(images))]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sorted(reds) == sorted(number % 256 for number in range(600))


def test_a_shard_that_is_gone_is_a_bad_image(tmp_path):
    file = shard(tmp_path / "s" / "a.tar", *labelled())
    images = open_data(f"wds:{file}").train
    file.unlink()
    with pytest.raises(BadImage, match=r"a\.tar.*No such file"):
        images.image(0)


def test_a_label_file_comes_before_notes_without_a_label(tmp_path):
    members = []
    for index in range(8):  # as img2dataset writes them
        notes = json.dumps({"url": "somewhere", "sha256": "x"}).encode()
        image, label = (f"{index}.jpg", encoded(index, "JPEG")), (f"{index}.cls", str(index % 2).encode())
        members += [image, label, (f"{index}.json", notes)] if index % 2 else [(f"{index}.json", notes), label, image]
    source = open_data(f"wds:{shard(tmp_path / 'a.tar', *members)}")
    assert sorted(source.subset("all").labels) == [0] * 4 + [1] * 4


@pytest.mark.parametrize("cut", ["between members", "within a header", "no end"])
def test_a_shard_cut_where_tar_does_not_notice(tmp_path, cut):
    file = shard(tmp_path / "a.tar", *labelled())
    with tarfile.open(file) as tar:
        middle, last = tar.getmembers()[8].offset, tar.getmembers()[-1]
    end = last.offset_data + (last.size + 511) // 512 * 512
    file.write_bytes(file.read_bytes()[: {"between members": middle, "within a header": middle + 100, "no end": end}[cut]])
    text = message(f"wds:{file}")
    assert "a.tar" in text
    assert "end" in text


def test_a_shard_with_a_broken_header_in_the_middle(tmp_path):
    file = shard(tmp_path / "a.tar", *labelled())
    with tarfile.open(file) as tar:
        middle = tar.getmembers()[8].offset
    data = bytearray(file.read_bytes())
    data[middle : middle + 20] = b"x" * 20
    file.write_bytes(data)
    assert "a.tar" in message(f"wds:{file}")


def test_shards_that_disagree_about_a_class(tmp_path):
    train = shard(tmp_path / "t.tar", *labelled(named=("cat", "dog")))
    test = shard(tmp_path / "v.tar", *labelled(named=("dog", "cat")))
    text = message(f"wds:{train},wds:{test}")
    assert "'cat'" in text
    assert "'dog'" in text


def test_a_network_may_be_shown_shards_of_some_of_its_classes(tmp_path):
    members = [("a.png", encoded(1)), ("a.json", b'{"label": 7, "class": "fox"}')]
    members += [("b.png", encoded(1)), ("b.json", b'{"label": 7, "class": "fox"}')]
    source = open_data(f"wds:{shard(tmp_path / 'a.tar', *members)}", classes=["ant", "fox"])
    assert source.subset("all").labels == [1, 1]


def test_a_range_that_counts_down_is_of_no_shards(tmp_path):
    assert "no shards" in message(f"wds:{tmp_path}/{{3..1}}.tar")


def test_a_class_of_shards_with_a_single_image_cannot_be_split(tmp_path):
    members = [*labelled(), ("x.png", encoded(1)), ("x.cls", b"2")]
    text = message(f"wds:{shard(tmp_path / 'a.tar', *members)}")
    assert "'2'" in text
    assert "one image" in text


def test_shards_are_not_written_into_their_own_folder(class_folder, capsys):
    assert status(["shards", str(class_folder), str(class_folder / "shards")]) == 2
    assert "outside" in capsys.readouterr().err
    assert not (class_folder / "shards").exists()


def test_classes_and_names_that_are_not_utf8(tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    for name in (odd, "tea"):
        (tmp_path / "p" / name).mkdir(parents=True)
        for index in range(3):
            (tmp_path / "p" / name / f"{odd}{index}.png").write_bytes(encoded(index))
    source = open_folder(tmp_path / "p", None)
    write_shards(source, tmp_path / "p", tmp_path / "out")
    assert open_data(f"wds:{tmp_path / 'out'}").classes == source.classes == (odd, "tea")


# Downloads


class Server(ThreadingHTTPServer):
    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def test_a_transfer_that_breaks_off_leaves_nothing(root):
    class Cut(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(b"x" * 5000)

        def log_message(self, *_):
            pass

    with Server(Cut) as server, pytest.raises(GodeeperError, match=r"a\.tar"):
        downloaded(f"{server.url}/a.tar")
    assert [path.name for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_server_that_falls_silent_is_given_up(root, monkeypatch):
    class Silent(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"x" * 5000)
            self.wfile.flush()
            done.wait(20)

        def log_message(self, *_):
            pass

    done = threading.Event()
    monkeypatch.setattr("godeeper.data.download.TIMEOUT", 0.5)
    with Server(Silent) as server:
        with pytest.raises(GodeeperError, match=r"a\.tar"):
            downloaded(f"{server.url}/a.tar")
        done.set()


def test_who_gives_up_waiting_leaves_the_file_that_another_process_is_fetching(root, monkeypatch):
    def interrupted(self):
        (partial_file,) = root.rglob("*.partial")
        assert partial_file.read_bytes() == b"half"
        raise KeyboardInterrupt

    url = "http://127.0.0.1:9/a.tar"
    with pytest.raises(GodeeperError):
        downloaded(url)
    folder = next((root / "downloads").iterdir())
    (folder / ".a.tar.partial").write_bytes(b"half")
    monkeypatch.setattr(filelock.FileLock, "__enter__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        downloaded(url)
    assert (folder / ".a.tar.partial").read_bytes() == b"half"


def test_what_is_not_at_a_url_is_said_in_words(tmp_path):
    with Server(partial(SimpleHTTPRequestHandler, directory=str(tmp_path))) as server, pytest.raises(GodeeperError) as error:
        downloaded(f"{server.url}/nowhere.tar")
    assert "no such file" in str(error.value)


def test_the_package_that_a_kind_of_url_wants_is_named():
    text = message("wds:s3://bucket/a.tar")
    assert "s3fs" in text
    assert "[data]" not in text


# torchvision's


def make_dtd(root, image):
    for part in ("labels", "images/banded", "images/woven"):
        (root / "dtd" / "dtd" / part).mkdir(parents=True)
    for part in ("train", "test"):
        names = [f"{kind}/{kind}_{part}.jpg" for kind in ("banded", "woven")]
        (root / "dtd" / "dtd" / "labels" / f"{part}1.txt").write_text("\n".join(names) + "\n")
        for name in names:
            (root / "dtd" / "dtd" / "images" / name).write_bytes(image)


def test_images_in_files_pass_through_our_decoder(root):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    make_dtd(root, encoded(9, "JPEG", (640, 320), exif=exif))
    image = open_data("dtd").train.image(1)
    assert image.size == (320, 640)
    asked = []
    smaller = decode_for(lambda width, height: asked.append((width, height)) or 4, open_data("dtd").train.raw(1))
    assert asked == [(320, 640)]
    assert smaller.size == (80, 160)
    (root / "dtd" / "dtd" / "images" / "woven" / "woven_train.jpg").write_bytes(b"")
    with pytest.raises(BadImage, match=r"woven_train\.jpg: the file is empty"):
        open_data("dtd").train.image(1)


def test_a_torn_file_of_a_set(root):
    (root / "MNIST" / "raw").mkdir(parents=True)
    for part in ("train", "t10k"):
        (root / "MNIST" / "raw" / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 30, 28, 28) + b"x" * 99)
        (root / "MNIST" / "raw" / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 30) + bytes(30))
    text = message("mnist")
    assert "damaged" in text
    assert "--download" in text


def test_a_set_that_wants_scipy(root, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy", None)
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    folder = root / "flowers-102"
    (folder / "jpg").mkdir(parents=True)
    monkeypatch.setattr("torchvision.datasets.Flowers102._check_integrity", lambda self: True)
    assert "scipy" in message("flowers102")


def test_an_error_of_many_lines_becomes_one(monkeypatch):
    def fail(self):
        raise RuntimeError("Error downloading x:\nTried there, got:\nno route\n")

    monkeypatch.setattr("torchvision.datasets.MNIST.download", fail)
    assert "no route" in message("mnist", download=True)


# Hugging Face's


def table(path, images, labels, names=("cat", "dog"), **more):
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))}
    content = {"image": [{"bytes": data, "path": None} for data in images], "label": labels, **more}
    for name in more:
        features[name] = datasets.Value("string")
    datasets.Dataset.from_dict(content, features=datasets.Features(features)).to_parquet(path)


def test_a_set_without_a_name():
    assert "OWNER/NAME" in message("hf:")


def test_labels_that_are_none(tmp_path):
    table(tmp_path / "h" / "train-00000-of-00001.parquet", [encoded(i) for i in range(8)], [0, 1] * 4)
    table(tmp_path / "h" / "test-00000-of-00001.parquet", [encoded(i) for i in range(4)], [None] * 4)
    assert len(open_data(f"hf:{tmp_path / 'h'}").test) == 2  # held out of the training part
    table(tmp_path / "n" / "train-00000-of-00001.parquet", [encoded(i) for i in range(4)], [0, 1, 0, None])
    assert "without labels" in message(f"hf:{tmp_path / 'n'}")


def test_a_class_of_a_table_with_a_single_image_cannot_be_split(tmp_path):
    table(tmp_path / "h" / "train-00000-of-00001.parquet", [encoded(i) for i in range(4)], [0, 0, 0, 1])
    text = message(f"hf:{tmp_path / 'h'}")
    assert "'dog'" in text
    assert "one image" in text


def test_the_reason_behind_a_failed_preparation_is_told(tmp_path):
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "train.parquet").write_bytes(b"not parquet at all")
    text = message(f"hf:{tmp_path / 'h'}")
    assert "Parquet" in text


def test_images_in_an_archive_are_streamed(tmp_path):
    file = tmp_path / "h.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("cat/a.png", encoded(7))
    paths = [f"zip://cat/a.png::{file}", f"zip://cat/gone.png::{file}", None]  # as `datasets` names them when it streams
    rows = [{"image": {"bytes": None, "path": path}, "label": 0} for path in paths]
    samples = list(HubStream(rows, "image", "label", 3, "hf:x/train").images())
    assert [sample.raw for sample in samples] == [encoded(7), b"", b""]


def test_a_stream_that_breaks_off_is_one_line():
    def rows():
        yield {"image": {"bytes": encoded(0), "path": None}, "label": 0}
        raise ConnectionError("no route\nat all")

    with pytest.raises(GodeeperError, match="no route at all"):
        list(HubStream(rows(), "image", "label", 2, "hf:x/train").images())
    with pytest.raises(GodeeperError, match="1 of 2"):
        list(HubStream([next(rows())], "image", "label", 2, "hf:x/train").images())
    with pytest.raises(GodeeperError, match=r"hf:x/train\[0\].*label"):
        list(HubStream([{"image": {"bytes": b"x", "path": None}, "label": -1}], "image", "label", 1, "hf:x/train").images())


class Numbers(ImageStream):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def images(self):
        return (StreamedImage(index, b"", index, str(index)) for index in range(self.count))


@pytest.mark.parametrize(("batch_size", "ranks", "words"), [(10, 3, "10 .* 3 processes"), (0, 1, "0"), (-2, 1, "-2")])
def test_impossible_batches_of_a_stream_are_refused(batch_size, ranks, words):
    with pytest.raises(GodeeperError, match=words):
        StreamBatches(Numbers(40), batch_size, 0, 0, ranks)


def test_an_epoch_of_a_stream_is_drawn_through_the_buffer(monkeypatch):
    monkeypatch.setattr("godeeper.data.batches.BUFFER", 16)
    batches = StreamBatches(Numbers(103), 10, seed=1)

    def order(epoch):
        batches.epoch = epoch
        return [sample.index for batch in batches for _, sample in batch]

    assert len(order(0)) == len(set(order(0))) == 100
    assert order(0) == order(0) != order(1)
    assert order(0) != sorted(order(0))
    assert all(index < place + 17 for place, index in enumerate(order(0)))  # no further ahead than the buffer reaches
    assert np.mean(np.abs(np.array(order(0)) - np.arange(100))) > 3
