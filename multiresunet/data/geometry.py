"""The size that a network sees."""

from __future__ import annotations

from itertools import product
from math import ceil, floor

from multiresunet.config import Dataset, Recipe
from multiresunet.paper import STEP

BENT = 0.04  # by how much a proposed size may stretch one side against the other


def input_size(dataset: Dataset, recipe: Recipe) -> tuple[int, ...]:
    """The data set's `size`, in pixels, shrunk to the recipe's longest side in multiples of 16; never enlarged."""
    return capped(tuple(dataset.size), recipe.longest_side)


def capped(size: tuple[int, ...], longest_side: int | None) -> tuple[int, ...]:
    """`size`, shrunk to a longest side in multiples of 16; never enlarged."""
    if longest_side is None or max(size) <= longest_side:
        return size
    scale = longest_side / max(size)
    return tuple(max(STEP, round(side * scale / STEP) * STEP) for side in size)


def proposed_size(shape: tuple[float, ...], longest_side: int) -> tuple[int, ...]:
    """A size in multiples of 16 that images of `shape` keep their proportions at.

    The largest up to `longest_side`, and up to the images' own, that stretches no side against another by more than
    `BENT`; if there is none of at least half that length, the one that stretches least.
    """
    longest = max(shape)
    most = max(1, round(min(longest_side, longest) / STEP))
    candidates = []
    for steps in range(most, (most + 1) // 2 - 1, -1):
        exact = [side / longest * steps for side in shape]
        for counts in product(*({max(1, floor(count)), ceil(count)} for count in exact)):
            scales = [count / side for count, side in zip(counts, shape, strict=True)]
            candidates.append((max(scales) / min(scales) - 1, -steps, tuple(count * STEP for count in counts)))
    fitting = [(steps, bent, size) for bent, steps, size in candidates if bent <= BENT]
    return min(fitting)[2] if fitting else min(candidates)[2]
