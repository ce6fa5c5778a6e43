"""How a trial's numbers are drawn, and when a trial is stopped early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from multiresunet.config import HyperbandPruning, MedianPruning, Tune
from multiresunet.tuning.cost import Cost
from multiresunet.tuning.space import Numbers, SearchSpace
from multiresunet.tuning.trials import FINISHED, number_of, value_of


class Sampler(optuna.samplers.BaseSampler):
    """TPE for the Jaccard index alone, or for it and cost together; the first ones are the space's.

    Optuna can't prune a study of several objectives. So the study has one, and this sampler asks a twin with all
    objectives, made anew from the finished trials. A trial's numbers thus depend on its own number and on the trials
    finished before it, not on whether the study ran in one go.

    Args:
        space: what is varied.
        tune: objectives, and how many trials are drawn at random.
        seed_of: from a trial's number to its seed.
        cost: of a network with these numbers.
    """

    watched: optuna.Study

    def __init__(
        self, space: SearchSpace, tune: Tune, seed_of: Callable[[int], int], cost: Callable[[Numbers], Cost]
    ) -> None:
        self._space, self._tune, self._seed_of, self._cost = space, tune, seed_of, cost

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Everything is sampled at once."""
        return self._space.distributions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Numbers:
        """Numbers for a new trial."""
        number = number_of(trial)
        planned = self._space.first()
        if number < len(planned):
            return planned[number]
        both = self._tune.objectives == "jaccard and cost"
        twin = optuna.create_study(
            directions=["maximize", "minimize", "minimize"] if both else ["maximize"],
            sampler=optuna.samplers.TPESampler(n_startup_trials=self._tune.startup, seed=self._seed_of(number)),
        )
        # Not from `study`: with Hyperband that is one bracket of it, or, before anything was pruned, all of it.
        finished = self.watched.get_trials(deepcopy=False, states=FINISHED)
        for done in sorted(finished, key=number_of):
            values = [value_of(done)]
            if both:
                cost = self._cost(self._space.numbers(done.params))
                values += [np.log(cost.multiply_adds), np.log(cost.parameters)]
            twin.add_trial(
                optuna.trial.create_trial(params=done.params, distributions=done.distributions, values=values)
            )
        return twin.ask(search_space).params

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Nothing is sampled on its own."""
        raise AssertionError(param_name)


def pruner_of(rule: MedianPruning | HyperbandPruning | None, epochs: int) -> optuna.pruners.BasePruner:
    """Optuna's pruner for a rule of params.yaml, for trials of so many epochs."""
    match rule:
        case MedianPruning():
            return optuna.pruners.MedianPruner(n_startup_trials=rule.startup, n_warmup_steps=rule.first_epoch)
        case HyperbandPruning():
            first = min(rule.first_epoch, epochs)
            return optuna.pruners.HyperbandPruner(min_resource=first, max_resource=epochs, reduction_factor=rule.factor)
        case None:
            return optuna.pruners.NopPruner()
