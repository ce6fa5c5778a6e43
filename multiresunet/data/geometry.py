"""The size that a network sees."""

from __future__ import annotations

from multiresunet.config import Dataset, Recipe
from multiresunet.paper import STEP


def input_size(dataset: Dataset, recipe: Recipe) -> tuple[int, ...]:
    """The data set's `size`, in pixels, shrunk to the recipe's longest side in multiples of 16; never enlarged."""
    longest = max(dataset.size)
    if recipe.longest_side is None or longest <= recipe.longest_side:
        return tuple(dataset.size)
    scale = recipe.longest_side / longest
    return tuple(max(STEP, round(side * scale / STEP) * STEP) for side in dataset.size)
