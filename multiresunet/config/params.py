"""All sections of params.yaml together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import NonNegativeInt

from multiresunet.config.base import Name, Strict
from multiresunet.config.data import Dataset
from multiresunet.config.evaluation import OTHERS, Evaluate, Perturbed
from multiresunet.config.machine import Fetch, Machine
from multiresunet.config.models import Model
from multiresunet.config.recipes import Recipe
from multiresunet.config.run import Run
from multiresunet.config.tuning import Tune
from multiresunet.errors import UserError, did_you_mean

T = TypeVar("T")


class Params(Strict):
    """All of params.yaml."""

    run: Run
    seed: NonNegativeInt
    datasets: dict[Name, Dataset]
    models: dict[Name, Model]
    recipes: dict[Name, Recipe]
    tune: Tune
    evaluate: Evaluate
    fetch: Fetch = Fetch()
    machine: Machine = Machine()

    @property
    def recipe(self) -> Recipe:
        """The recipe that this run uses."""
        return self.recipes[self.run.recipe]

    @property
    def perturbed(self) -> Perturbed:
        """What this run's recipe perturbs."""
        return self.evaluate.perturbed.get(self.run.recipe, self.evaluate.perturbed[OTHERS])

    def dataset(self, name: str) -> Dataset:
        """The data set of this name.

        Raises:
            UserError: if there is none.
        """
        return _named("data set", name, self.datasets)

    def model(self, name: str) -> Model:
        """The model of this name.

        Raises:
            UserError: if there is none.
        """
        return _named("model", name, self.models)


def _named(kind: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise UserError(f"{kind} {name!r} is unknown{did_you_mean(name, known)}; params.yaml has {', '.join(known)}")
    return known[name]
