"""The network that a model is, on a data set, in a fold."""

from __future__ import annotations

from collections.abc import Mapping

from multiresunet.data.arrays import Prepared
from multiresunet.nets import NetworkSpec
from multiresunet.params import Model, Recipe


def network_of(model: Model, recipe: Recipe, data: Prepared) -> NetworkSpec:
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


def tuned(spec: NetworkSpec, best: Mapping[str, Mapping[str, float]], fold: int) -> NetworkSpec:
    """The network with the numbers that tuning found for this fold; unchanged if nothing was tuned.

    Args:
        spec: from `network_of`.
        best: content of best.json: from fold to filters and alpha.
        fold: the test fold.
    """
    found = best.get(str(fold))
    return spec.resized(int(found["filters"]), float(found["alpha"])) if found else spec
