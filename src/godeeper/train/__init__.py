"""Training: recipes, the loss, the optimiser, the loop, its checkpoints. An evaluator is passed in, never imported."""

from .loop import train
from .recipe import Recipe, recipe_named, recipes

__all__ = ["Recipe", "recipe_named", "recipes", "train"]
