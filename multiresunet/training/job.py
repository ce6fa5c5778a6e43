"""All that one training needs, and the network that a model of params.yaml is on a data set, in a fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from multiresunet.config import Model, Recipe
from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.nets import NetworkSpec
from multiresunet.seeds import seed_for
from multiresunet.training.devices import Devices
from multiresunet.training.loader import Indices
from multiresunet.training.patches import pool


@dataclass(frozen=True)
class TrainJob:
    """One network to be trained on one split.

    spec: the network.
    data: the prepared data set.
    train, test: indices into it; the test images choose nothing but which epoch is called best. There may be none.
    recipe: batch, loss, optimiser, schedule, averaging, augmentation, normalisation, precision.
    epochs: how many (see `Course`); the recipe's, or more for a model that is trained longer.
    threshold: of the probability, for the Jaccard index.
    seed: initial weights, the order of the images and their augmentation depend on it and on the network's numbers
        alone, so two models with the same numbers end with the same bytes.
    names: for messages.
    devices: one, or several that share each batch.
    curve: whether each epoch ends with a validation, or the last one alone; then no epoch before it can be the best.
    """

    spec: NetworkSpec
    data: PreparedDataset
    train: Indices
    test: Indices
    recipe: Recipe
    epochs: int
    threshold: float
    seed: int
    names: tuple[str | int, ...]
    devices: Devices
    curve: bool = True

    @cached_property
    def pool(self) -> Indices:
        """Indices into the data set of what one epoch shows: the training images, or patches of them."""
        return pool(self.data, self.train)

    @property
    def own_seed(self) -> int:
        """The seed of all that is random in this training."""
        return seed_for(self.seed, self.spec.in_words)


def network_of(model: Model, recipe: Recipe, data: PreparedDataset) -> NetworkSpec:
    """The model's network with the filters that the recipe allows; one logit, or one for background and each class."""
    return NetworkSpec(
        model.network,
        data.dims,
        data.channels,
        filters=recipe.width(model.filters) if model.filters else 1,
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

    Raises:
        UserError: if other folds were tuned, and this one wasn't.
    """
    if not best:
        return spec, recipe
    if str(fold) not in best:
        raise UserError(f"tuning has no numbers for fold {fold} (best.json); run `dvc repro tune` first")
    return with_numbers(spec, recipe, best[str(fold)])
