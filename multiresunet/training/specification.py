"""The network that a model is, on a data set, in a fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multiresunet.config import Model, Recipe
from multiresunet.data.dataset import PreparedDataset
from multiresunet.nets import NetworkSpec


def network_of(model: Model, recipe: Recipe, data: PreparedDataset) -> NetworkSpec:
    """The model's network with the filters that the recipe allows; one logit, or one for background and each class."""
    return NetworkSpec(
        model.network,
        data.dims,
        data.channels,
        filters=recipe.filters or model.filters or 1,
        alpha=model.alpha,
        arguments=model.arguments or {},
        classes=len(data.classes) + 1 if data.classes else 1,
    )


def with_numbers(spec: NetworkSpec, recipe: Recipe, numbers: Mapping[str, Any]) -> tuple[NetworkSpec, Recipe]:
    """A network and its recipe with other numbers: filters, alpha, shares, respath, learning rate and batch."""
    shares = (numbers["share_3x3"], numbers["share_5x5"], numbers["share_7x7"])
    optimiser = recipe.optimiser.model_copy(update={"learning_rate": numbers["learning_rate"]})
    return (
        spec.resized(numbers["filters"], numbers["alpha"], shares, numbers["respath"]),
        recipe.model_copy(update={"optimiser": optimiser, "batch": numbers["batch"]}),
    )


def tuned(
    spec: NetworkSpec, recipe: Recipe, best: Mapping[str, Mapping[str, Any]], fold: int
) -> tuple[NetworkSpec, Recipe]:
    """The network and recipe with the numbers that tuning found for this fold; unchanged if nothing was tuned.

    Args:
        spec: from `network_of`.
        recipe: the run's recipe.
        best: content of best.json: from fold to numbers.
        fold: the test fold.
    """
    found = best.get(str(fold))
    return with_numbers(spec, recipe, found) if found else (spec, recipe)
