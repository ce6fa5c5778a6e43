"""A study: the search for a model's numbers on some training images, and on nothing else."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from multiresunet.config import Tune
from multiresunet.errors import DivergedError
from multiresunet.seeds import seed_for
from multiresunet.training.fit import fit
from multiresunet.training.job import TrainJob, with_numbers
from multiresunet.training.loader import Indices
from multiresunet.training.result import Epoch
from multiresunet.tuning.cost import Cost, cost_of
from multiresunet.tuning.inner_split import inner_split
from multiresunet.tuning.sampler import Sampler, pruner_of
from multiresunet.tuning.space import Numbers, SearchSpace
from multiresunet.tuning.trials import FINISHED, number_of, value_of

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Study:
    """All that the search of one fold needs.

    job: a trial's training with the model's own numbers, for as many epochs as the recipe says. With `job.seed` (of
        data set and fold), a trial's numbers depend on its own number, and its training on its network's numbers.
    tune: what is searched, for how long.
    fold: the test fold, whose images aren't in the job; None for the study on all images.
    splits: of the training images, into those that a trial trains on and those that validate it; each trial is trained
        on each split, so that any two can be compared in pairs.
    """

    job: TrainJob
    tune: Tune
    fold: int | None
    space: SearchSpace
    splits: Sequence[tuple[Indices, Indices]]

    @property
    def name(self) -> str:
        """Data set, model and fold."""
        return " ".join(map(str, self.job.names))

    @property
    def limit(self) -> float:
        """Seconds of training after which no other trial begins."""
        return math.inf if self.tune.minutes is None else 60 * self.tune.minutes

    def cost(self, numbers: Numbers) -> Cost:
        """Multiply-adds for one of the data set's images, and parameters, of the network with these numbers."""
        spec, _ = with_numbers(self.job.spec, self.job.recipe, numbers)
        return cost_of(spec, self.job.data.size)

    def create(self, storage: optuna.storages.BaseStorage | None = None, prefix: str = "") -> optuna.Study:
        """The Optuna study; the one in `storage`, if it is there already."""
        sampler = Sampler(self.space, self.tune, self._sampler_seed, self.cost)
        created = sampler.watched = optuna.create_study(
            study_name=prefix + self.name,
            storage=storage,
            direction="maximize",
            sampler=sampler,
            pruner=pruner_of(self.tune.pruning, self.job.epochs * len(self.splits)),
            load_if_exists=True,
        )
        return created

    def objective(self, trial: optuna.Trial) -> float:
        """Train a trial's network on each split; its mean Jaccard index on their validation images.

        Every split's training starts from a seed of its own, which is the same for all trials.

        Raises:
            optuna.TrialPruned: if the rule in `tune.pruning` says so after an epoch; they are counted over all splits.
        """
        since = time.perf_counter()
        spec, recipe = with_numbers(self.job.spec, self.job.recipe, self.space.numbers(self.space.suggest(trial)))
        last = self.job.epochs * len(self.splits)
        scores = []
        for number, (train, validation) in enumerate(self.splits):
            seed, names = seed_for(self.job.seed, "split", number), (*self.job.names, "trial", number_of(trial))
            job = replace(self.job, spec=spec, recipe=recipe, train=train, test=validation, seed=seed, names=names)
            # Only pruning asks how a trial does before its end.
            job = replace(job, curve=self.tune.pruning is not None)

            def on_epoch(line: Epoch, before: int = number * job.epochs, job: TrainJob = job) -> None:
                if not job.curve and line.epoch < job.epochs:
                    return
                trial.report(line.test_jaccard, before + line.epoch)
                # One that has come to its last epoch has cost all that it can. The model's own values (trial 0) are
                # what all others are compared with.
                if before + line.epoch < last and trial.should_prune() and number_of(trial) > 0:
                    trial.set_user_attr("seconds", time.perf_counter() - since)
                    raise optuna.TrialPruned

            try:
                scores.append(fit(job, on_epoch=on_epoch).history[-1].test_jaccard)
            except DivergedError:
                scores.append(0.0)  # it has learnt nothing, and the search continues
        trial.set_user_attr("splits", scores)
        trial.set_user_attr("seconds", time.perf_counter() - since)
        return float(np.mean(scores))

    def row(self, trial: FrozenTrial) -> Numbers:
        """A trial as a line of trials.csv; a pruned one has its last Jaccard index as score, one given up has none."""
        numbers = self.space.numbers(trial.params)
        cost = self.cost(numbers)
        return {
            "fold": "all" if self.fold is None else self.fold,
            "trial": number_of(trial),
            "state": trial.state.name.lower(),
            **numbers,
            "epochs": trial.last_step or 0,
            "score": value_of(trial) if trial.state in FINISHED else None,
            **{f"split_{number}": score for number, score in enumerate(self._scores(trial), start=1)},
            "multiply_adds": cost.multiply_adds,
            "parameters": cost.parameters,
        }

    def _scores(self, trial: FrozenTrial) -> list[float | None]:
        return trial.user_attrs.get("splits") or [None] * len(self.splits)

    def _sampler_seed(self, number: int) -> int:
        return seed_for(self.job.seed, "sampler", number)


def study_of(job: TrainJob, tune: Tune, fold: int | None, *, grouped: bool) -> Study:
    """The study that finds numbers for a training.

    Args:
        job: the training, with the model's own numbers. Its test images take no part.
        tune: how trials are trained, and what is searched.
        fold: the job's test fold; None if the job trains on all images, for a study that all folds share.
        grouped: whether images of a group stay on one side of an inner split.

    Raises:
        UserError: if there are too few images or groups to split, or the model's own values aren't in the space.
    """
    seeds = [seed_for(job.seed, "inner", number) for number in range(tune.splits)]
    splits = [inner_split(job.data, job.train, tune.validation_share, seed, grouped=grouped) for seed in seeds]
    return Study(job, tune, fold, SearchSpace(tune.space, job.spec, job.recipe), splits)
