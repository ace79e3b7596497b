"""What is fuzzed: for each kind of file that may come from anyone, what reads it and what must hold of the result."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sound_images import MAX_PIXELS, PNG, encoded_images
from tars import tars

from fuzzing import tried
from godeeper import Recipe, create_model, decode, load, open_data, save
from godeeper.data import decode as decode_module
from godeeper.data.decode import decode_for, image_size
from godeeper.data.open_annotations import open_annotations
from godeeper.digests import BLANK, write_checksum
from godeeper.models.spec import ModelSpec, read_spec
from godeeper.papers.describe import describe
from godeeper.papers.registry import definition
from godeeper.tensor_files import save_tensors
from godeeper.text import printable
from godeeper.train.checkpoint import Position, State, checkpoints, load_newest, save_checkpoint
from godeeper.train.optim import make_optimizer
from godeeper.train.run import RunFolder
from godeeper.workflows.plan import resumed_plan
from godeeper.workflows.training import COMMAND, DEFAULTS
from mutations import as_json, edited, json_files, mutated, noise, xml_files
from scenes import voc_folder


@dataclass(frozen=True)
class Target:
    """`prepare(folder)` gives what tries one input; `inputs(folder)` how they are made, of sound ones."""

    prepare: Callable[[Path], Callable[[bytes], str]]
    inputs: Callable[[Path], SearchStrategy[bytes]]


# Images


def image_tried(folder: Path) -> Callable[[bytes], str]:
    file = folder / "image"
    decode_module.MAX_PIXELS = MAX_PIXELS

    def try_one(content: bytes) -> str:
        file.write_bytes(content)
        sizes = []

        def whole() -> None:
            image = decode(content)
            assert image.mode == "RGB"
            assert 0 < image.width * image.height <= MAX_PIXELS
            sizes.append(image.size)

        outcome = tried(whole)
        tried(lambda: sizes.append(image_size(file)))
        tried(lambda: decode_for(lambda width, height: 1.0, content))
        tried(lambda: decode_for(lambda width, height: 3.0, content))
        if outcome == "taken":
            assert sizes == sizes[:1] * 2, "the header says another size than the pixels have, or nothing"
        return outcome

    return try_one


def image_inputs(_: Path) -> SearchStrategy[bytes]:
    files = encoded_images()
    return st.one_of(mutated(files), mutated(files), st.binary(max_size=200))


# Specs and recipes


def small_network() -> Any:
    torch.manual_seed(0)
    table = create_model("googlenet_bn", num_classes=2, width=0.1, small=True).definition
    stages = {name: table.stages[name] for name in ("conv1", "3a")}
    made = create_model(replace(table, stages=stages, stem=("conv1",), auxiliary={}))
    made.classes = ("cat", "dog")
    return made.eval()


def spec_tried(folder: Path) -> Callable[[bytes], str]:
    file = folder / "SPEC.json"

    def read() -> None:
        spec = read_spec(file)
        again = ModelSpec.from_dict(json.loads(json.dumps(spec.as_dict())))
        assert again == spec
        assert again.digest == spec.digest
        describe(spec.definition)
        with torch.device("meta"):
            network = create_model(spec)
        assert network.num_classes == spec.num_classes

    def try_one(content: bytes) -> str:
        file.write_bytes(content)
        return tried(read)

    return try_one


def spec_inputs(_: Path) -> SearchStrategy[bytes]:
    specs = [small_network().spec, *(ModelSpec.of(definition(name)) for name in ("googlenet", *OTHER_ROWS))]
    documents = [json.loads(json.dumps(spec.as_dict())) for spec in specs]
    stages = [stage for each in documents for stage in each["definition"]["stages"].values()]
    rows = [row for stage in stages for row in (stage if isinstance(stage, list) else [stage])]
    kinds = {row["row"]: row for row in rows}
    return st.one_of(*[json_files(documents[0], list(kinds.values()))] * 9, json_files(documents[1]))


def recipe_tried(folder: Path) -> Callable[[bytes], str]:
    nothing = dict.fromkeys(("model", "data", "recipe", "width", "small", "weights"))

    def read() -> None:
        plan = resumed_plan(folder, COMMAND, {"": Recipe}, nothing, DEFAULTS, ())
        assert Recipe.from_dict(json.loads(json.dumps(plan.recipe.as_dict()))) == plan.recipe
        RunFolder(folder).metrics()

    def try_one(content: bytes) -> str:
        (folder / "recipe.json").write_bytes(content)
        (folder / "metrics.jsonl").write_bytes(content)
        return tried(read)

    return try_one


def recipe_inputs(folder: Path) -> SearchStrategy[bytes]:
    options = {"model": "googlenet_bn", "data": "digits", "recipe": "digits", "width": 0.1, "small": True, "weights": None}
    spec = {"classes": ["cat", "dog"]}  # of which resuming asks nothing before it opens the data
    description = {
        "id": "1", "spec": spec, "recipe": Recipe().as_dict(), "images": {"images": 2}, "bf16": False, "processes": 1,
        "command": COMMAND, "options": options, "split_note": "", "versions": {},
    }  # fmt: skip
    return json_files(json.loads(json.dumps(description)))


# Tensors


def parts(file: Path) -> tuple[dict[str, Any], bytes]:
    """A safetensors file's header, the metadata's own JSON read as well, and the bytes of its tensors."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    texts = {name: text for name, text in header["__metadata__"].items() if name != "checksum"}
    return header | {"__metadata__": {name: json.loads(text) for name, text in texts.items()}}, content[8 + length :]


@st.composite
def tensor_files(draw: Any, header: dict[str, Any], data: bytes) -> bytes:
    """A safetensors file with its header or metadata edited; its checksum is right again, absent or wrong."""
    kinds = ("F8_E4M3", "F64", "C64", "I8", "BOOL", "F4", "F16", [0], [2**62, 4], [0, 2**62], [-1], [0, 9])
    changed = draw(edited(header, kinds))
    if not isinstance(changed, dict):
        changed = {"__metadata__": changed}
    metadata = changed.get("__metadata__")
    if isinstance(metadata, dict):
        texts = {str(name): as_json(value).decode() for name, value in metadata.items()}
        checksum = (
            {"checksum": draw(st.sampled_from((BLANK, BLANK, "godeeper-sha256:" + "1" * 64)))} if draw(st.booleans()) else {}
        )
        changed = changed | {"__metadata__": texts | checksum}
    text = as_json(changed)
    content = struct.pack("<Q", len(text)) + text + data
    return draw(mutated([content])) if draw(st.integers(0, 4)) == 0 else content


def with_checksum(file: Path, content: bytes) -> None:
    """The file, with its checksum written where there is a place for it."""
    file.write_bytes(content)
    if BLANK.encode() in content:
        write_checksum(file)


def weights_tried(folder: Path) -> Callable[[bytes], str]:
    file = folder / "net.safetensors"

    def read() -> None:
        network = load(file)
        assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
        assert network.classes is None or len(network.classes) == network.num_classes

    def try_one(content: bytes) -> str:
        with_checksum(file, content)
        return tried(read)

    return try_one


def weights_inputs(folder: Path) -> SearchStrategy[bytes]:
    save(small_network(), folder / "sound.safetensors")
    ours = tensor_files(*parts(folder / "sound.safetensors"))
    save_tensors(folder / "foreign.safetensors", {"conv1.conv.weight": torch.ones(2, 3, 1, 1)}, {})
    return st.one_of(ours, ours, tensor_files(*parts(folder / "foreign.safetensors")))


def training_state() -> State:
    network = small_network().train()
    optimizer = make_optimizer([(1.0, list(network.parameters()))], Recipe())
    network(torch.ones(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    return State(network, small_network(), optimizer, network.spec.as_dict(), Recipe().as_dict())


def checkpoint_tried(folder: Path) -> Callable[[bytes], str]:
    folder = folder / "checkpoints"
    folder.mkdir(exist_ok=True)
    state = training_state()
    state = replace(state, spec=json.loads(json.dumps(state.spec)))

    def read() -> None:
        position = load_newest(folder, state, pytest.fail)
        assert (type(position.epoch), type(position.step), type(position.totals)) == (int, int, dict)
        assert min(position.epoch, position.step) >= 0

    def try_one(content: bytes) -> str:
        with_checksum(folder / "epoch-00001-step-0000002.safetensors", content)
        return tried(read)

    return try_one


def checkpoint_inputs(folder: Path) -> SearchStrategy[bytes]:
    (folder / "sound").mkdir(exist_ok=True)
    save_checkpoint(folder / "sound", Position(1, 2, {"loss": 1.0}), training_state())
    return tensor_files(*parts(checkpoints(folder / "sound")[0]))


# Shards


def shard_tried(folder: Path) -> Callable[[bytes], str]:
    file = folder / "a.tar"

    def read() -> None:
        for known in (None, ("cat", "dog")):
            splits = open_data(f"wds:{file}", known)
            for part in (splits.train, splits.test):
                assert all(0 <= label < len(splits.classes) for label in part.labels)
                for index in range(len(part)):
                    assert len(part.raw(index)) <= len(file.read_bytes())
                    tried(lambda part=part, index=index: part.image(index))

    def try_one(content: bytes) -> str:
        file.write_bytes(content)
        return tried(read)

    return try_one


# Annotations


def check_annotated(folder: Path, split: str) -> None:
    for skip_bad in (True, False):
        found = open_annotations(folder, split, skip_bad=skip_bad)
        assert all(line == printable(line) for line in found.left_out.lines())
        for (width, height), objects in zip(found.sizes, found.objects, strict=True):
            assert np.isfinite(objects.boxes).all()
            assert ((objects.boxes >= 0) & (objects.boxes <= (width, height) * 2)).all()
            assert (objects.boxes[:, 2:] > objects.boxes[:, :2]).all()
            assert ((objects.labels >= 0) & (objects.labels < len(found.classes))).all()
            assert objects.areas is None or np.isfinite(objects.areas).all()


def voc_tried(folder: Path) -> Callable[[bytes], str]:
    voc_folder(folder / "voc", {"train": range(2)})

    def try_one(content: bytes) -> str:
        (folder / "voc" / "Annotations" / "scene000.xml").write_bytes(content)
        return tried(lambda: check_annotated(folder / "voc", "train"))

    return try_one


def voc_inputs(folder: Path) -> SearchStrategy[bytes]:
    sound = voc_folder(folder / "sound", {"train": range(2)}) / "Annotations" / "scene000.xml"
    return xml_files(sound.read_bytes())


def coco_tried(folder: Path) -> Callable[[bytes], str]:
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "val").mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        (folder / "val" / name).write_bytes(PNG)

    def try_one(content: bytes) -> str:
        (folder / "annotations" / "instances_val.json").write_bytes(content)
        return tried(lambda: check_annotated(folder, "val"))

    return try_one


def coco_inputs(_: Path) -> SearchStrategy[bytes]:
    images = [{"id": 1, "file_name": "a.png", "width": 16, "height": 12}, {"id": 2, "file_name": "b.png"}]
    boxes = [[1, 2, 3, 4], [0.5, 0, 15.5, 12], [3, 3, 2, 2]]
    entries = [
        {"id": n, "image_id": 1 + n % 2, "category_id": 7 + n % 2, "bbox": box, "area": 4.0, "iscrowd": 0}
        for n, box in enumerate(boxes)
    ]
    categories = [{"id": 7, "name": "cat", "supercategory": "animal"}, {"id": 8, "name": "dog", "supercategory": "none"}]
    return json_files({"images": images, "annotations": entries, "categories": categories})


TARGETS = {
    "image": Target(image_tried, image_inputs),
    "spec": Target(spec_tried, spec_inputs),
    "recipe": Target(recipe_tried, recipe_inputs),
    "weights": Target(weights_tried, weights_inputs),
    "checkpoint": Target(checkpoint_tried, checkpoint_inputs),
    "shard": Target(shard_tried, lambda _: tars()),
    "voc": Target(voc_tried, voc_inputs),
    "coco": Target(coco_tried, coco_inputs),
}
OTHER_ROWS = ("inception_resnet_v1_facenet", "vgg16", "inception_v4", "googlenet_cifar")  # tables that have them
NOISE = (b"", b"\0", b"{}", b"[]", noise(100), noise(20_000, 1))  # tried by every target
