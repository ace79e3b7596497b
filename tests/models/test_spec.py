"""A network is data, on disk too: the spec says all, and needs no registry to be built again."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from godeeper import GodeeperError, create_model, list_models, load, save
from godeeper.models.network import Network
from godeeper.models.spec import FORMAT_VERSION, ModelSpec, read_spec
from godeeper.notation import AvgTo, BatchNorm, Cat, Conv, Definition, Linear, Max, Residual, times
from godeeper.papers.registry import DEFINITIONS, definition, variant
from godeeper.preprocess import Preprocess, Resize
from networks import alive, images


def edited(filters: int = 40) -> Definition:
    """googlenet_bn, small and narrow, with another number of filters in conv1: a table that no registry has."""
    table = variant(definition("googlenet_bn"), width=0.25, num_classes=3, small=True)
    return replace(table, name="mine", stages={**table.stages, "conv1": replace(table.stages["conv1"], filters=filters)})


def through_json(spec: ModelSpec) -> ModelSpec:
    return ModelSpec.from_dict(json.loads(json.dumps(spec.as_dict())))


@pytest.mark.parametrize("name", list_models())
def test_every_definition_comes_back_from_json(name):
    for table in (definition(name), variant(definition(name), width=0.3, num_classes=7, in_channels=1, small=True)):
        spec = ModelSpec.of(table, aux=True)
        again = through_json(spec)
        assert again == spec
        assert again.digest == spec.digest
        assert list(again.definition.stages) == list(table.stages)  # in order


def test_the_rest_comes_back_too():
    spec = ModelSpec(
        edited(), Preprocess(Resize(48, "squash", 0.9, "bicubic", antialias=False)), ("cat", "dog", "金鱼"), aux=True
    )
    assert through_json(spec) == spec
    assert through_json(replace(spec, classes=None)) == replace(spec, classes=None) != spec


def test_the_digest_is_canonical():
    spec = ModelSpec.of(edited())
    assert spec.digest == ModelSpec.of(edited()).digest
    whole = Definition("t", "made up", {"row": Residual(Cat([Conv(2)]), 1)}, {"linear": Linear(3)})
    decimal = replace(whole, stages={"row": Residual(Cat([Conv(2)]), 1.0)})
    assert ModelSpec.of(whole).digest == ModelSpec.of(decimal).digest  # the same table
    others = [
        ModelSpec.of(edited(48)), replace(spec, aux=True), replace(spec, classes=("a", "b", "c")),
        replace(spec, preprocess=spec.preprocess.with_size(48)), ModelSpec.of(replace(edited(), batch_norm=BatchNorm(1e-5))),
    ]  # fmt: skip
    assert len({spec.digest, *(other.digest for other in others)}) == 6


def test_an_edited_table_saves_and_loads_where_no_registry_knows_it(tmp_path):
    torch.manual_seed(0)
    network = alive(create_model(edited()))
    network.classes = ("cat", "dog", "金鱼")
    network.preprocess = Preprocess.of(32, (0.5, 0.5, 0.5), interpolation="bicubic")
    save(network, tmp_path / "model.safetensors")
    x = images(32)
    torch.save(x, tmp_path / "x.pt")
    code = """
import sys, json, torch
from pathlib import Path
from godeeper.papers import registry
registry.DEFINITIONS.clear()
import godeeper
folder = Path(sys.argv[1])
network = godeeper.load(folder)
logits = network(torch.load(folder / "x.pt"))
print(json.dumps({"logits": logits.tolist(), "classes": network.classes, "spec": network.spec.digest}))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    torch.testing.assert_close(torch.tensor(answer["logits"]), network(x))
    assert answer["classes"] == ["cat", "dog", "金鱼"]
    assert answer["spec"] == network.spec.digest
    assert load(tmp_path).spec == network.spec


def test_create_model_takes_a_name_a_table_and_a_spec():
    table = edited()
    spec = ModelSpec(table, Preprocess.of(32), ("a", "b", "c"))
    assert create_model(table).spec == ModelSpec.of(table)
    assert create_model(spec).spec == spec
    assert create_model(spec, num_classes=5).spec.classes is None  # the names were of three
    assert create_model("googlenet_bn", width=0.25, small=True).definition == variant(
        definition("googlenet_bn"), width=0.25, small=True
    )
    assert create_model(table).stages["conv1"].conv.out_channels == 40


def test_one_size_only():
    """The preprocessing's size wins over the table's; a variant for other images brings its own."""
    spec = replace(ModelSpec.of(edited()), preprocess=Preprocess.of(48))
    assert create_model(spec).preprocess.image_size == 48
    assert create_model(ModelSpec.of(definition("googlenet_bn")), width=0.25, small=True).preprocess.image_size == 32


def test_names_are_as_many_as_the_classes():
    network = create_model(edited())
    with pytest.raises(GodeeperError, match="2 names of classes for 3 classes"):
        network.classes = ("cat", "dog")
    with pytest.raises(GodeeperError, match=r"of at most 1000 letters: rename 'y+"):  # what was saved could not be read again
        network.classes = ("cat", "dog", "y" * 1001)
    assert network.classes is None
    with pytest.raises(AttributeError):
        network.definition = definition("googlenet")


def test_a_spec_in_a_file(tmp_path):
    spec = ModelSpec.of(edited())
    (tmp_path / "spec.json").write_text(json.dumps(spec.as_dict()))
    assert read_spec(tmp_path / "spec.json") == spec
    (tmp_path / "text.json").write_text("{")
    for name in ("text.json", "nowhere.json"):
        with pytest.raises(GodeeperError, match=name):
            read_spec(tmp_path / name)


# Tables of strangers


CONV = ModelSpec.of(edited()).as_dict()["definition"]["stages"]["conv1"]


def deep(levels: int) -> dict:
    """Rows within rows."""
    row = CONV
    for _ in range(levels):
        row = {"row": "cat", "branches": [[row]]}
    return row


def changed(path: str, value: object):
    """A change of the spec's JSON: `path` is keys and indices between dots; Ellipsis takes the key away."""

    def change(values):
        *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in way:
            values = values[key]
        if value is ...:
            del values[last]
        else:
            values[last] = value
        return values

    return change


STRANGE = {
    "another version": (changed("format_version", 2), "format version 2"),
    "no version": (changed("format_version", ...), "format_version"),
    "no definition": (changed("definition", ...), "definition"),
    "a definition that is none": (changed("definition", 5), "the table is 5: it must be an object"),
    "no stages": (changed("definition.stages", {}), "no stages"),
    "an unknown row": (changed("definition.stages.conv1.row", "attention"), "conv1.*attention"),
    "an unknown field": (changed("definition.stages.conv1.groups", 2), "conv1.*groups"),
    "a field missing": (changed("definition.stages.conv1.kernel", ...), "conv1.*kernel"),
    "filters below 1": (changed("definition.stages.conv1.filters", 0), "filters is 0"),
    "filters that are no number": (changed("definition.stages.conv1.filters", True), "filters is True"),
    "far too many filters": (changed("definition.stages.conv1.filters", 10**9), "filters is 1000000000"),
    "a kernel of three sides": (changed("definition.stages.conv1.kernel", [1, 2, 3]), "conv1"),
    "a stage of no name": (changed("definition.stages.a b", CONV), "'a b'"),
    "an eps that is none": (changed("definition.batch_norm.eps", float("nan")), "eps is nan"),
    "a head on no stage": (changed("definition.auxiliary.aux1.on", "9z"), "'9z'"),
    "an image of a mile": (changed("definition.image_size", 10**6), "image_size is 1000000"),
    "rows within rows": (changed("definition.stages.conv1", deep(50)), "within each other"),
    "rows without end": (changed("definition.stages.conv1", [CONV] * 5000), "too large"),
    "classes of another number": (changed("classes", ["a"]), "1 names of classes for 3"),
    "classes that are none": (changed("classes", "cat"), "classes"),
    "a name of a megabyte": (changed("classes", ["a" * 10**6, "b", "c"]), "classes"),
    "aux that is none": (changed("aux", 1), "aux"),
    "a size that is none": (changed("preprocess.resize.size", "32"), "preprocess"),
    "preprocessing with another field": (changed("preprocess.gamma", 2), "preprocess"),
    "no classifier": (changed("definition.head", {"conv": CONV}), "no Linear row"),
    "a classifier of another name": (changed("definition.head", {"fc": {"row": "linear", "classes": 3}}), "called 'linear'"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_strange_spec_is_refused_in_a_line(case):
    change, says = STRANGE[case]
    values = json.loads(json.dumps(ModelSpec.of(edited()).as_dict()))
    change(values)
    with pytest.raises(GodeeperError, match=says) as caught:
        ModelSpec.from_dict(values).num_classes  # noqa: B018
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_table_that_would_fill_the_memory_is_refused_before_it_is_built():
    giant = Definition(
        "giant", "made up", {"a": times(3, Conv(60_000, 3))}, {"pool": AvgTo(1), "linear": Linear(3)}, image_size=32
    )
    with pytest.raises(GodeeperError, match="parameters"):
        create_model(ModelSpec.from_dict(json.loads(json.dumps(ModelSpec.of(giant).as_dict()))))


def test_what_people_write_themselves_is_a_network():
    """The notation is public: a table of one's own trains, saves and loads as a registered one."""
    table = Definition(
        "tiny", "made up", {"conv": Conv(8, 3), "cat": Cat([Conv(4)], [Max(3), Conv(4)])},
        {"pool": AvgTo(1), "linear": Linear(2)}, {}, BatchNorm(), image_size=16,
    )  # fmt: skip
    network = Network(table)
    logits = network(torch.randn(4, 3, 16, 16))
    logits.sum().backward()
    assert logits.shape == (4, 2)
    assert network.spec == ModelSpec.of(table)
    assert network.spec.format_version == FORMAT_VERSION
    assert "tiny" not in DEFINITIONS
