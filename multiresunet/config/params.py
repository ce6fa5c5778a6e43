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
from multiresunet.config.verify import Verify
from multiresunet.errors import UserError, did_you_mean

T = TypeVar("T")
TUNED = "_tuned"  # ends the name of a tuned model; what comes before is the model that it is without tuning


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
    verify: Verify = Verify()

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
        """The model of this name; of a tuned one, what it is without tuning.

        Raises:
            UserError: if there is none.
        """
        return _named("model", self.untuned(name) or name, self.models)

    def recipe_of(self, model: str) -> Recipe:
        """This run's recipe for a model, with its own learning rate if it has one for this recipe."""
        if (rate := self.model(model).learning_rate.get(self.run.recipe)) is None:
            return self.recipe
        optimiser = self.recipe.optimiser.model_copy(update={"learning_rate": rate})
        return self.recipe.model_copy(update={"optimiser": optimiser})

    def epochs_of(self, model: str) -> int:
        """How many epochs a model is trained for by this run's recipe: the recipe's, or some times as many."""
        return self.recipe.epoch_count * self.model(model).longer.get(self.run.recipe, 1)

    def untuned(self, name: str) -> str | None:
        """The model that a tuned one is without tuning; None if it isn't tuned."""
        original = name.removesuffix(TUNED)
        return original if name != original and original in self.run.tuned.models else None

    def models_of(self, dataset: str) -> list[str]:
        """The models of the run on a data set: those of `run.models`, and behind them the tuned ones."""
        tuned = self.run.tuned.models if dataset in self.run.tuned.datasets else []
        return [*self.run.models, *(f"{name}{TUNED}" for name in tuned)]


def _named(kind: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise UserError(f"{kind} {name!r} is unknown{did_you_mean(name, known)}; params.yaml has {', '.join(known)}")
    return known[name]
