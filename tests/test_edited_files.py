"""Files that people edit: specs, recipes, runs and results with any value edited are what they say, or refused in one line."""

import copy
import json
import math
from dataclasses import replace

import pytest
import torch

from godeeper import BadCheckpoint, GodeeperError, create_model, load, save
from godeeper.cli.ensemble import tables_command
from godeeper.detect.detection_recipes import DetectionRecipe
from godeeper.models.spec import ModelSpec
from godeeper.tensor_files import load_tensors, save_tensors
from godeeper.train.checkpoint import Position, State, load_newest, save_checkpoint
from godeeper.train.optim import make_optimizer
from godeeper.train.recipe import Recipe
from godeeper.train.run import RunFolder
from godeeper.workflows.plan import resumed_plan
from godeeper.workflows.training import COMMAND, DEFAULTS
from mutations import VALUES


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    table = create_model("googlenet_bn", num_classes=2, width=0.1, small=True).definition
    made = create_model(
        replace(table, stages={name: table.stages[name] for name in ("conv1", "3a")}, stem=("conv1",), auxiliary={})
    )
    made.classes = ("cat", "dog")
    return made.eval()


def edits(document, place=()):
    """Copies of a JSON document with each of its values left out, replaced by others, or with a field beside it."""
    inner = document
    for key in place:
        inner = inner[key]
    if place:
        for value in VALUES:
            edited = copy.deepcopy(document)
            outer = edited
            for key in place[:-1]:
                outer = outer[key]
            outer[place[-1]] = value
            yield place, edited
        if isinstance(place[-1], str):
            del outer[place[-1]]
            yield place, edited
            outer["x"] = 1
            outer[place[-1]] = inner
            yield place, edited
    for key in inner if isinstance(inner, dict) else range(min(len(inner), 2)) if isinstance(inner, list) else ():
        yield from edits(document, (*place, key))


def same(one, other):
    """Whether two JSON documents are equal, whole numbers being numbers, as the table that a file means has them."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True) or one == other


def tried(read):
    """What it gives, or why it refuses."""
    try:
        return read(), ""
    except GodeeperError as error:
        return None, str(error)


def test_an_edited_spec_is_what_it_says_or_refused(network):
    sound = json.loads(json.dumps(network.spec.as_dict()))
    refused = taken = 0
    for place, edited in edits(sound):
        spec, refusal = tried(lambda edited=edited: ModelSpec.from_dict(edited))
        assert "\n" not in refusal
        assert spec is None or same(json.loads(json.dumps(spec.as_dict())), edited), place
        refused += spec is None
        taken += spec is not None
    assert refused > 500
    assert taken < refused / 10


@pytest.mark.parametrize("recipe", [Recipe(), DetectionRecipe()])
def test_an_edited_recipe_is_what_it_says_or_refused(recipe):
    values = json.loads(json.dumps(recipe.as_dict()))
    for name in values:
        for value in VALUES:
            edited = values | {name: value}
            read, refusal = tried(lambda edited=edited: type(recipe).from_dict(edited))
            assert refusal == "" or name in refusal or "crop_ratio" in refusal
            assert read is None or same(json.loads(json.dumps(read.as_dict())), edited)
        without = type(recipe).from_dict({other: value for other, value in values.items() if other != name})
        assert without == recipe  # a field that came later has its default in older runs


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        (("preprocess", "resize", "size"), 100_000, "size=100000"),
        (("preprocess", "resize", "size"), 9_000, r"of images of 9,000 x 9,000 pixels, a stage of 'googlenet_bn' makes \d+ GB"),
        (("definition", "image_size"), 100_000, ": definition: image_size is 100000: it must be a whole number from 1 to 10,000"),
        (("preprocess", "normalize", "std", 0), 1e-300, r"std is 1e-300: it must be a number between 0.0001 and 10000"),
        (("preprocess", "normalize", "mean", 2), 1e9, "mean is 1000000000.0"),
        (("definition", "batch_norm", "eps"), 1e6, "eps is 1000000.0: it must be a number from 0 to 1"),
        (("clases",), ["cat", "dog"], "did you mean 'classes'"),
        (("classes",), [1], "must be a list of names"),
        (("preprocess", "resize", "antialias"), "no", "out of range"),
    ],
)
def test_what_is_out_of_range_is_said_before_anything_is_allocated(network, where, value, says, tmp_path):
    save(network, tmp_path / "net.safetensors")
    tensors, metadata = load_tensors(tmp_path / "net.safetensors")
    inner = metadata["spec"]
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    save_tensors(tmp_path / "net.safetensors", tensors, metadata)
    with pytest.raises(BadCheckpoint, match=says):
        load(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("stages.conv1.conv.weight", 3e38, "values as large as 3e\\+38, which no training leaves"),
        ("stages.conv1.norm.running_var", 1e20, "values as large as 1e\\+20"),
        ("head.linear.linear.bias", -math.inf, "not finite"),
        ("stages.conv1.norm.running_var", -1.0, "variances below 0"),
    ],
)
def test_weights_that_answer_the_same_to_everything_are_refused(network, name, value, says, tmp_path):
    broken = copy.deepcopy(network)
    broken.state_dict()[name].view(-1)[0] = value
    save(broken, tmp_path / "net.safetensors")
    with pytest.raises(BadCheckpoint, match=f"{says}.*in '{name}'"):
        load(tmp_path / "net.safetensors")


def test_a_size_that_is_asked_for_is_bounded_as_a_files_own_is(network, tmp_path):
    save(network, tmp_path / "net.safetensors")
    with pytest.raises(GodeeperError, match=r"of images of 10,000 x 10,000 pixels, a stage of 'googlenet_bn' makes \d+ GB"):
        load(tmp_path / "net.safetensors", preprocess="10000")


def test_metrics_that_no_chart_can_show_are_left_out(tmp_path):
    values = (1e308, -1e308, 10**400, 2.5)
    (tmp_path / "metrics.jsonl").write_text("".join(f'{{"epoch": {n}, "loss": {loss!r}}}\n' for n, loss in enumerate(values, 1)))
    assert RunFolder(tmp_path).metrics() == [{"epoch": 4, "loss": 2.5}]


@pytest.fixture
def run(network, tmp_path):
    """The folder of a run that has just begun."""
    options = {"model": "googlenet_bn", "data": "digits", "recipe": "digits", "width": 0.1, "small": True, "weights": None}
    RunFolder(tmp_path).begin({
        "spec": network.spec.as_dict(), "recipe": Recipe().as_dict(), "images": {"images": 2}, "bf16": False, "processes": 1,
        "command": COMMAND, "options": options, "split_note": "",
    })  # fmt: skip
    return tmp_path


NOTHING = dict.fromkeys(("model", "data", "recipe", "width", "small", "weights"))


def test_an_edited_description_of_a_run_is_refused_or_harmless(run):
    file = run / "recipe.json"
    description = json.loads(file.read_text())

    def read():
        return resumed_plan(run, COMMAND, {"": Recipe}, NOTHING, DEFAULTS, ())

    before = read()
    for place, edited in edits({name: value for name, value in description.items() if name not in ("spec", "recipe")}):
        file.write_text(json.dumps({"spec": description["spec"], "recipe": description["recipe"]} | edited))
        plan, refusal = tried(read)
        if plan is None:
            assert str(run) in refusal, place
            assert "\n" not in refusal
        else:
            assert plan.recipe == before.recipe
            assert plan.options == edited["options"]
            assert all(isinstance(plan.options[name], type(before.options[name])) for name in ("model", "data", "small"))
    for name in ("spec", "recipe"):
        for value in VALUES[:-2]:
            file.write_text(json.dumps(description | {name: value}))
            with pytest.raises(GodeeperError, match=f"recipe.json' is damaged \\({name}"):
                read()


def test_an_edited_result_of_an_evaluation_is_what_it_says_or_refused(tmp_path, capsys):
    errors = {"images": 50_000, "top1_error": 20.0, "top5_error": 5.0}
    numbers = errors | {"crops": 144, "blacklisted": 0}
    result = {"average": "softmax", "ilsvrc": True, "architectures": ["googlenet"] * 2, "members": [errors] * 2}
    file, taken = tmp_path / "result.json", set()
    for place, edited in edits(result | numbers):
        file.write_text(json.dumps(edited))
        _, refusal = tried(lambda: tables_command([file], as_json=True))
        assert refusal in ("", f"{str(file)!r} is not what `godeeper evaluate --json` prints")
        if place[0] in numbers and not refusal:
            taken.add((place[0], edited[place[0]]))
        capsys.readouterr()
    rates, counts = {"top1_error", "top5_error"}, {"images", "crops", "blacklisted"}
    assert taken == numbers.items() | {(name, 1.5) for name in rates} | {(name, 10**7) for name in counts}


@pytest.mark.parametrize(("name", "value"), [("seed", 7), ("batch_size", 64), ("epochs", 200), ("lr", 0.2), ("hflip", False)])
def test_a_recipe_that_was_edited_since_the_checkpoint_is_refused_with_old_and_new(network, name, value, tmp_path):
    def state(recipe):
        optimizer = make_optimizer([(1.0, list(network.parameters()))], recipe)
        return State(network, copy.deepcopy(network), optimizer, network.spec.as_dict(), recipe.as_dict())

    before = Recipe()
    save_checkpoint(tmp_path, Position(1, 0, {}), state(before))
    assert load_newest(tmp_path, state(before), pytest.fail).epoch == 1
    with pytest.raises(BadCheckpoint, match=f"edited: {name} was {getattr(before, name)}, is now {value}: put that back"):
        load_newest(tmp_path, state(replace(before, **{name: value})), pytest.fail)
