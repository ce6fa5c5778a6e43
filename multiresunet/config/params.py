"""All sections of params.yaml together."""

from __future__ import annotations

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
        if name not in self.datasets:
            hint = did_you_mean(name, self.datasets)
            raise UserError(f"data set {name!r} is unknown{hint}; params.yaml has {', '.join(self.datasets)}")
        return self.datasets[name]
