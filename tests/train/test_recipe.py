import json

import pytest

from godeeper import GodeeperError
from godeeper.train.recipe import Recipe, recipe_named, recipes


def test_settings_are_parsed_by_the_fields_type():
    recipe = Recipe().having(["lr=0.05", "epochs=7", "mirror=false", "area=0.3,1", "schedule=step"])
    assert (recipe.lr, recipe.epochs, recipe.mirror, recipe.area, recipe.schedule) == (0.05, 7, False, (0.3, 1.0), "step")
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
        ("mirror=perhaps", ["mirror", "true or false"]),
        ("area=1", ["area", "two numbers"]),
        ("area=1,0.5", ["area", "rise"]),
        ("schedule=cosin", ["cosin", "'cosine'"]),
        ("precision=fp16", ["fp16", "'bf16'"]),
    ],
)
def test_a_bad_setting_is_one_line_that_names_field_and_remedy(setting, words):
    with pytest.raises(GodeeperError) as error:
        Recipe().having([setting])
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
