import json
import runpy
from pathlib import Path

import pytest
import torch

from godeeper import GodeeperError, RMSpropTF
from godeeper.train.optim import learning_rate, make_optimizer
from godeeper.train.recipe import Recipe, recipe_named, recipes


def test_settings_are_parsed_by_the_fields_type():
    recipe = Recipe().with_overrides(["lr=0.05", "epochs=7", "hflip=false", "crop_scale=0.3,1", "schedule=step"])
    assert (recipe.lr, recipe.epochs, recipe.hflip, recipe.crop_scale, recipe.schedule) == (0.05, 7, False, (0.3, 1.0), "step")
    assert recipe.momentum == Recipe().momentum


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("learning_rate=1", ["learning_rate", "choose one of"]),
        ("epoch=3", ["epoch", "'epochs'"]),
        ("weight_decai=0", ["weight_decai", "'weight_decay'"]),
        ("lr=fast", ["lr", "a number"]),
        ("lr", ["lr", "FIELD=VALUE"]),
        ("lr=-1", ["lr", "between"]),
        ("lr=nan", ["lr", "between"]),
        ("epochs=0", ["epochs", "between"]),
        ("epochs=1.5", ["epochs", "whole number"]),
        ("hflip=perhaps", ["hflip", "true or false"]),
        ("crop_scale=1", ["crop_scale", "two numbers"]),
        ("crop_scale=1,0.5", ["crop_scale", "rise"]),
        ("schedule=cosin", ["cosin", "'cosine'"]),
        ("precision=fp16", ["fp16", "'bf16'"]),
    ],
)
def test_a_bad_setting_is_one_line_that_names_field_and_remedy(setting, words):
    with pytest.raises(GodeeperError) as error:
        Recipe().with_overrides([setting])
    assert "\n" not in str(error.value)
    for word in words[:2]:
        assert word in str(error.value)


@pytest.mark.parametrize("name", list(recipes))
def test_a_recipe_survives_json(name):
    assert Recipe.from_dict(json.loads(json.dumps(recipes[name].as_dict()))) == recipes[name]


def test_an_unknown_recipe_or_saved_field_is_named():
    with pytest.raises(GodeeperError, match="'digits'"):
        recipe_named("digit")
    with pytest.raises(GodeeperError, match="learning_speed"):
        Recipe.from_dict({"learning_speed": 1})


def test_the_papers_recipes_are_as_printed():
    ours = recipes["googlenet_2014"]  # arXiv 1409.4842, Sections 5 and 6
    assert (ours.optimizer, ours.momentum, ours.nesterov, ours.auxiliary_weight) == ("sgd", 0.9, False, 0.3)
    rates = [learning_rate(ours, epoch * 10, 10) / ours.lr for epoch in (0, 7, 8, 16)]
    assert rates == pytest.approx([1, 1, 0.96, 0.96**2])
    assert (ours.crop_scale, ours.crop_ratio, ours.color_jitter, ours.hflip) == ((0.08, 1.0), (3 / 4, 4 / 3), True, True)
    ours = recipes["inception_2016"]  # arXiv 1602.07261, Section 4
    assert (ours.optimizer, ours.rmsprop_decay, ours.rmsprop_eps, ours.lr) == ("rmsprop", 0.9, 1.0, 0.045)
    rates = [learning_rate(ours, epoch * 10, 10) / ours.lr for epoch in (0, 1, 2, 4)]
    assert rates == pytest.approx([1, 1, 0.94, 0.94**2])
    optimizer = make_optimizer([(1.0, list(torch.nn.Linear(2, 2).parameters()))], ours)
    assert isinstance(optimizer, RMSpropTF)
    assert (optimizer.defaults["alpha"], optimizer.defaults["eps"], optimizer.defaults["lr"]) == (0.9, 1.0, 0.045)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [4e-5, 0.0]


def test_images_grow_evenly_in_steps_of_8_and_are_full_for_the_last_fifth():
    recipe = Recipe(epochs=10, start_size=128)
    sizes = [recipe.size_at(epoch, 224) for epoch in range(10)]
    assert sizes == [128, 136, 152, 160, 176, 184, 200, 208, 224, 224]
    assert {Recipe(epochs=10).size_at(epoch, 299) for epoch in range(10)} == {299}


def test_every_recipe_stands_with_its_command_above_it():
    from pathlib import Path

    import godeeper.train.recipe as module

    source = Path(module.__file__).read_text()
    for name in recipes:
        comment = source.partition(f'    "{name}": Recipe(')[0].rsplit("    ),", 1)[-1].rsplit("= {", 1)[-1]
        assert "`godeeper train --model" in comment, name
        assert f"--recipe {name}" in comment or name == "standard", name


def test_each_part_that_the_benchmark_measures_changes_the_recipe_or_the_table():
    arms = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/cifar10.py"))["ARMS"]
    recipe, table = recipe_named("cifar10"), arms["recipe"].table
    changed = {name for name, arm in arms.items() if recipe.with_overrides(arm.settings) != recipe or arm.table is not table}
    assert changed == set(arms) - {"recipe"}
