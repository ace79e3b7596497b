"""torchvision's and Hugging Face's sets, made here as their files would be."""

import hashlib
import io
import pickle
import struct
import sys

import datasets
import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from godeeper import GodeeperError, open_data
from godeeper.cli.main import status
from godeeper.data.augment import Augment
from godeeper.data.batches import batches_of
from godeeper.data.dataset import ImageStream
from godeeper.data.loader import training_loader

pytestmark = [
    pytest.mark.usefixtures("root"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create", "ignore::ResourceWarning", "ignore::DeprecationWarning"),
]
RANDOM = np.random.default_rng(0)


@pytest.fixture
def cifar10(root, monkeypatch):
    """CIFAR-10's files with 20 images each, under the hashes of what was made."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    hashes = {}

    def put(name, content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        hashes[name] = hashlib.md5(data, usedforsecurity=False).hexdigest()

    names = [f"data_batch_{number}" for number in range(1, 6)]
    for number, name in enumerate([*names, "test_batch"]):
        pixels = RANDOM.integers(0, 256, (20, 3072), dtype=np.uint8)
        put(name, {"data": pixels, "labels": [(number + index) % 10 for index in range(20)]})
    put("batches.meta", {"label_names": [f"class{label}" for label in range(10)]})
    kind = torchvision.datasets.CIFAR10
    monkeypatch.setattr(kind, "train_list", [[name, hashes[name]] for name in names])
    monkeypatch.setattr(kind, "test_list", [["test_batch", hashes["test_batch"]]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": hashes["batches.meta"]})
    return folder


def test_cifar10_is_read_as_torchvision_reads_it(cifar10, tmp_path, monkeypatch):
    (tmp_path / "cifar10").mkdir()
    monkeypatch.chdir(tmp_path)  # a folder of that name does not stand in the way
    source = open_data("cifar10")
    assert source.classes == tuple(f"class{label}" for label in range(10))
    assert (len(source.train), len(source.test)) == (100, 20)
    peer = torchvision.datasets.CIFAR10(cifar10.parent, train=False)
    for index in range(20):
        image, label = peer[index]
        assert source.test.labels[index] == label
        assert source.test.image(index).tobytes() == image.tobytes()


def test_a_file_that_is_not_the_published_one_is_never_unpickled(cifar10):
    class Bomb:
        def __reduce__(self):
            return (sys.exit, (99,))

    (cifar10 / "data_batch_2").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(GodeeperError, match="--download"):
        open_data("cifar10")


def test_mnist_becomes_rgb(root):
    for part, count in (("train", 30), ("t10k", 20)):
        folder = root / "MNIST" / "raw"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = RANDOM.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, count, 28, 28) + pixels.tobytes())
        labels = bytes(index % 10 for index in range(count))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + labels)
    source = open_data("mnist")
    assert source.classes[0] == "0 - zero"
    assert np.array_equal(np.asarray(source.test.image(4)), np.repeat(pixels[4][..., None], 3, axis=2))
    assert list(source.test.labels[:12]) == [*range(10), 0, 1]


def test_imagenet_is_a_folder_that_must_be_there(root, class_folder):
    with pytest.raises(GodeeperError, match=r"image-net\.org"):
        open_data("imagenet")
    class_folder.rename(root / "imagenet")
    assert open_data("imagenet").classes == ("cat", "dog")


@pytest.mark.parametrize(
    "name", ["cifar100", "stl10", "food101", "dtd", "flowers102", "oxford_iiit_pet", "kmnist", "fashion_mnist"]
)
def test_a_set_that_is_not_there_names_the_remedy(name, capsys, tmp_path):
    assert status(["train", "--model", "googlenet_bn", "--data", name, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "--download" in error
    assert error.count("\n") == 1


def test_a_download_that_fails_is_one_line(capsys, tmp_path, monkeypatch):
    def fail(self):
        raise OSError("network is unreachable")

    monkeypatch.setattr(torchvision.datasets.MNIST, "download", fail)
    assert status(["train", "--model", "googlenet_bn", "--data", "mnist", "--download", "--out", str(tmp_path / "run")]) == 2
    assert "network is unreachable" in capsys.readouterr().err


def rows(count, first=0, labels=2):
    images = []
    for index in range(first, first + count):
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(buffer, "JPEG")
        images.append({"bytes": buffer.getvalue(), "path": None})
    features = datasets.Features({"image": datasets.Image(), "kind": datasets.ClassLabel(names=["cat", "dog", "fox"][:labels])})
    content = {"image": images, "kind": [index % labels for index in range(count)]}
    return datasets.Dataset.from_dict(content, features=features)


@pytest.fixture
def hub(tmp_path):
    """A set in Parquet, as the hub keeps it."""
    folder = tmp_path / "hub"
    for part, count, first in (("train", 40, 0), ("validation", 7, 100)):
        rows(count, first).to_parquet(folder / f"{part}-00000-of-00001.parquet")
    return folder


def test_a_set_of_hugging_face(hub):
    source = open_data(f"hf:{hub}")
    assert source.classes == ("cat", "dog")
    assert (len(source.train), len(source.test)) == (40, 7)
    assert list(source.test.labels) == [0, 1, 0, 1, 0, 1, 0]
    expected = Image.open(io.BytesIO(_jpeg(103)))
    assert source.test.image(3).tobytes() == expected.convert("RGB").tobytes()


def _jpeg(index):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(index).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_without_a_part_to_test_on_some_is_held_out(tmp_path):
    rows(20).to_parquet(tmp_path / "hub" / "train-00000-of-00001.parquet")
    source = open_data(f"hf:{tmp_path / 'hub'}")
    assert (len(source.train), len(source.test)) == (16, 4)
    assert not {source.train.name(i) for i in range(16)} & {source.test.name(i) for i in range(4)}


def streamed(hub, monkeypatch):
    """The set as a stream. Only the hub tells how many images there are; a folder's stream is told here."""
    load = datasets.load_dataset

    def told(path, config=None, streaming=False):
        parts = load(path, config, streaming=streaming)
        if streaming:
            splits = datasets.SplitDict()
            for part, count in (("train", 40), ("validation", 7)):
                splits.add(datasets.SplitInfo(part, num_examples=count))
            for part in parts.values():
                part.info.splits = splits
        return parts

    monkeypatch.setattr(datasets, "load_dataset", told)
    return open_data(f"hf:{hub}?streaming")


def tensors(source, workers=0, start=0, rank=0, ranks=1, epoch=1):
    batches = batches_of(source.train, 12, 5, rank, ranks)
    batches.epoch, batches.start = epoch, start
    return list(training_loader(source.train, 16, Augment(), batches, workers))


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_a_stream_gives_the_same_tensors_with_any_workers_after_any_start_and_shared(hub, monkeypatch, workers):
    source = streamed(hub, monkeypatch)
    assert isinstance(source.train, ImageStream)
    whole = tensors(source)
    assert [len(batch.labels) for batch in whole] == [12, 12, 12]
    late = tensors(source, workers, start=1)
    for one, other in zip(whole[1:], late, strict=True):
        assert torch.equal(one.images, other.images)
    second = tensors(source, workers, rank=1, ranks=3)
    for one, other in zip(whole, second, strict=True):
        assert torch.equal(one.images[1::3], other.images)
        assert torch.equal(one.labels[1::3], other.labels)
    assert not torch.equal(whole[0].images, tensors(source, epoch=2)[0].images)


def test_a_streams_images_are_those_of_the_table(hub, monkeypatch):
    table = open_data(f"hf:{hub}")
    source = streamed(hub, monkeypatch)
    for sample in source.train.images():
        assert sample.label == table.train.labels[sample.index]
    assert source.test.image(3).tobytes() == table.test.image(3).tobytes()
    with pytest.raises(GodeeperError, match="streaming"):
        source.subset("train")


def test_a_stream_of_unknown_length_says_so(hub):
    with pytest.raises(GodeeperError, match="how many images"):
        open_data(f"hf:{hub}?streaming")


def test_sets_that_are_not_of_labelled_images(tmp_path, hub):
    datasets.Dataset.from_dict({"text": ["a", "b"]}).to_parquet(tmp_path / "texts" / "train-00000-of-00001.parquet")
    with pytest.raises(GodeeperError, match=r"0 columns of images.*text"):
        open_data(f"hf:{tmp_path / 'texts'}")
    with pytest.raises(GodeeperError, match="classes"):
        open_data(f"hf:{hub}", classes=["dog", "cat"])
    rows(6, labels=3).to_parquet(tmp_path / "three" / "train-00000-of-00001.parquet")
    rows(2, labels=3).to_parquet(tmp_path / "three" / "validation-00000-of-00001.parquet")
    with pytest.raises(GodeeperError, match="class 'fox' has no image"):
        open_data(f"hf:{tmp_path / 'three'}")


def test_a_set_that_cannot_be_had_is_one_line(capsys, tmp_path):
    assert status(["train", "--model", "googlenet_bn", "--data", "hf:nobody/nothing", "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "nobody/nothing" in error
    assert error.count("\n") == 1


def test_a_missing_extra_is_named(monkeypatch, hub):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(GodeeperError, match=r"pip install .*\[data\]"):
        open_data(f"hf:{hub}")
