"""WebDataset shards: written by us and by others, read in the folder's order, staged from URLs."""

import io
import json
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image

from godeeper import GodeeperError, open_data
from godeeper.cli.main import status
from godeeper.data.augment import Augment
from godeeper.data.batches import EpochBatches
from godeeper.data.loader import training_loader
from godeeper.data.shards import expand

pytestmark = pytest.mark.filterwarnings(
    "ignore:This DataLoader will create", "ignore::ResourceWarning", "ignore::DeprecationWarning"
)


@pytest.fixture
def folder(class_folder):
    """PNGs in train/ and val/; one JPEG among them, with a name that is not ASCII."""
    pixels = np.random.default_rng(1).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(class_folder / "train" / "dog" / "狗.jpg")
    return class_folder


@pytest.fixture
def shards(folder, tmp_path):
    assert status(["shards", str(folder), str(tmp_path / "shards"), "--shard-size", "0.02"]) == 0
    return tmp_path / "shards"


def test_the_shards_hold_the_folder_in_its_order(folder, shards):
    assert len(list(shards.glob("train-*.tar"))) > 2
    own, ours = open_data(folder), open_data(f"wds:{shards}")
    assert ours.classes == own.classes == ("cat", "dog")
    for part in ("train", "test"):
        files, members = own.subset(part), ours.subset(part)
        assert list(members.labels) == list(files.labels)
        for index in range(len(files)):
            assert members.name(index).endswith(files.files[index].name)
            assert members.image(index).tobytes() == files.image(index).tobytes()


def test_hidden_shards_are_none_and_only_those_of_the_part_that_is_wanted_are_read(shards):
    (shards / "._train-000000.tar").write_bytes(b"what macOS writes beside a file")
    assert len(open_data(f"wds:{shards}").train) == 25
    min(shards.glob("train-*.tar")).write_bytes(b"no shard")
    assert len(open_data(f"wds:{shards}", ("cat", "dog"), split="test").test) == 8
    with pytest.raises(GodeeperError, match="cannot be read"):
        open_data(f"wds:{shards}", ("cat", "dog"))


def test_within_the_shards_the_classes_are_mixed_and_the_bytes_are_the_files(folder, shards):
    with tarfile.open(min(shards.glob("train-*.tar"))) as tar:
        names = tar.getnames()
        assert names[:1] != ["00000000.png"] or names[2:3] != ["00000001.png"]
        key = names[0].partition(".")[0]
        assert names[1] == f"{key}.json"
        notes = json.load(tar.extractfile(names[1]))
        assert tar.extractfile(names[0]).read() == (folder / notes["name"]).read_bytes()


def test_writing_again_gives_the_same_bytes_and_never_overwrites(folder, shards, tmp_path, capsys):
    assert status(["shards", str(folder), str(shards)]) == 2
    assert "shards already" in capsys.readouterr().err
    assert status(["shards", str(folder), str(tmp_path / "again"), "--shard-size", "0.02"]) == 0
    for shard in shards.iterdir():
        assert (tmp_path / "again" / shard.name).read_bytes() == shard.read_bytes()


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_the_same_tensors_from_folder_and_shards_with_any_number_of_workers(folder, shards, workers):
    def epoch(source, workers):
        images = open_data(source).subset("train")
        batches = EpochBatches(len(images), 5, seed=3)
        batches.epoch = 2
        return list(training_loader(images, 24, Augment(), batches, workers))

    expected, found = epoch(folder, 0), epoch(f"wds:{shards}", workers)
    assert len(expected) == len(found) == 5
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)


def test_webdataset_reads_ours(folder, shards):
    names = [str(path) for path in sorted(shards.glob("train-*.tar"))]
    read = {sample["__key__"]: sample for sample in webdataset.WebDataset(names, shardshuffle=False)}
    images = open_data(folder).subset("train")
    assert len(read) == len(images) == 25
    for index, (file, label) in enumerate(zip(images.files, images.labels, strict=True)):
        sample = read[f"{index:08d}"]
        assert sample[file.suffix[1:]] == file.read_bytes()
        assert json.loads(sample["json"])["label"] == label


def png(value):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_we_read_webdatasets(tmp_path):
    with webdataset.ShardWriter(str(tmp_path / "shard-%06d.tar"), maxcount=7, verbose=0) as writer:
        for index in range(20):
            writer.write({"__key__": f"some/where/{index:04d}", "png": png(index * 10), "cls": index % 2, "txt": "an image"})
    source = open_data(f"wds:{tmp_path}/shard-{{000000..000002}}.tar")
    assert source.classes == ("0", "1")
    everything = source.subset("all")
    assert len(everything) == 20
    assert len(source.test) == 4  # a fifth of each class
    for index in range(20):
        red = everything.image(index).getpixel((3, 3))[0]
        assert everything.labels[index] == red // 10 % 2
    assert open_data(f"wds:{tmp_path}/shard-{{000000..000002}}.tar", classes=["no", "yes"]).classes == ("no", "yes")


def test_patterns():
    assert expand("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expand("{x,y}/{0..1}") == ["x/0", "x/1", "y/0", "y/1"]
    assert expand("plain.tar") == ["plain.tar"]
    assert expand("²-{²..3}") == ["²-²..3"]  # a digit, and no number


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", ["x{0..99999999999}.tar", "{1..999}{1..999}", "{a,b}" * 2000])
def test_a_pattern_of_very_many_shards_is_refused_before_they_are_listed(pattern):
    with pytest.raises(GodeeperError, match="names more than 100,000 shards"):
        expand(pattern)


def test_the_classes_of_a_trained_network_are_matched_by_name(shards):
    source = open_data(f"wds:{shards}", classes=["dog", "fox", "cat"])
    own = open_data(f"wds:{shards}")
    assert [source.classes[label] for label in source.test.labels] == [own.classes[label] for label in own.test.labels]
    with pytest.raises(GodeeperError, match="'dog'"):
        open_data(f"wds:{shards}", classes=["cat", "fox"])


def write(path, **members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "is empty"),
        ({"a_txt": b"no image"}, "is empty"),
        ({"a_png": png(1)}, "a.cls or a.json is missing"),
        ({"a_png": png(1), "a_cls": b"cat"}, "a.cls gives no label"),
        ({"a_png": png(1), "a_cls": b"-1"}, "a.cls gives no label"),
        ({"a_png": png(1), "a_json": b"[1]"}, "a.json gives no label"),
        ({"a_png": png(1), "a_json": b'{"label": true}'}, "a.json gives no label"),
        ({"a_png": png(1), "a_cls": b"0"}, "one class only"),
    ],
)
def test_what_is_wrong_in_a_shard_is_named(tmp_path, members, message, capsys):
    shard = write(tmp_path / "x.tar", **members)
    line = ["train", "--model", "googlenet_bn", "--data", f"wds:{shard}", "--out", str(tmp_path / "run")]
    assert status(line) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "x.tar" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_torn_shard_a_missing_one_and_an_empty_folder(tmp_path, shards):
    shard = min(shards.glob("train-*.tar"))
    shard.write_bytes(shard.read_bytes()[:-15000])
    with pytest.raises(GodeeperError, match=shard.name):
        open_data(f"wds:{shards}")
    with pytest.raises(GodeeperError, match=r"no shard .*train-000099\.tar"):
        open_data(f"wds:{shards}/train-{{000099..000101}}.tar")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(GodeeperError, match="holds no shards"):
        open_data(f"wds:{tmp_path / 'nothing'}")
    with pytest.raises(GodeeperError, match="form wds:"):
        open_data("wds:a,wds:b,wds:c")


def test_a_class_that_is_not_tested_is_named(tmp_path):
    train = write(tmp_path / "t.tar", a_png=png(1), a_cls=b"0", b_png=png(2), b_cls=b"1")
    test = write(tmp_path / "v.tar", c_png=png(1), c_cls=b"1")
    with pytest.raises(GodeeperError, match="class '0' has no image in the test shards"):
        open_data(f"wds:{train},wds:{test}")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def test_shards_at_a_url_are_fetched_once(shards, server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GODEEPER_DATA", str(tmp_path / "data"))
    count = len(list(shards.glob("train-*.tar")))
    name = f"wds:{server}/shards/train-{{000000..{count - 1:06d}}}.tar,wds:{server}/shards/test-000000.tar"
    first = open_data(name)
    assert capsys.readouterr().err.count("downloading http://") == count + 1
    local = open_data(f"wds:{shards}")
    assert first.train.labels == local.train.labels
    assert first.train.image(3).tobytes() == local.train.image(3).tobytes()
    assert open_data(name).classes == ("cat", "dog")
    assert "downloading" not in capsys.readouterr().err
    assert not list((tmp_path / "data").rglob("*.partial"))
    with pytest.raises(GodeeperError, match=r"nowhere\.tar"):
        open_data(f"wds:{server}/nowhere.tar")


def test_an_unreachable_url_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GODEEPER_DATA", str(tmp_path / "data"))
    line = ["train", "--model", "googlenet_bn", "--data", "wds:http://127.0.0.1:9/a.tar", "--out", str(tmp_path / "run")]
    assert status(line) == 2
    error = capsys.readouterr().err
    assert "http://127.0.0.1:9/a.tar" in error.splitlines()[-1]
    assert "nobody answers" in error
    assert "Traceback" not in error
    with pytest.raises(GodeeperError, match="s3"):
        open_data("wds:s3://nobody/a.tar")
