"""A study: the search for a model's numbers on some training images, and on nothing else."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from multiresunet.config import Tune
from multiresunet.errors import DivergedError
from multiresunet.nets import build_network
from multiresunet.seeds import seed_for
from multiresunet.training.fit import fit
from multiresunet.training.job import TrainJob, with_numbers
from multiresunet.training.loader import Loader
from multiresunet.training.losses import loss_by_name
from multiresunet.training.result import Epoch, Weights
from multiresunet.training.trainer import autocast
from multiresunet.training.validation import validate
from multiresunet.tuning.cost import Cost, cost_of
from multiresunet.tuning.inner_split import inner_split, standard_error
from multiresunet.tuning.sampler import Sampler, pruner_of
from multiresunet.tuning.space import Numbers, SearchSpace
from multiresunet.tuning.trials import FINISHED, number_of, value_of

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Study:
    """All that the search of one fold needs.

    job: a trial's training with the model's own numbers: on the inner split, for the inner epochs. With `job.seed` (of
        data set and fold), what is drawn for a trial depends on its number, and its training on its network's numbers.
    tune: what is searched, for how long.
    fold: the test fold, whose images aren't in the job; None for the study on all images.
    units: what the validation images are samples of, one label an image: themselves, or their groups.
    """

    job: TrainJob
    tune: Tune
    fold: int | None
    space: SearchSpace
    units: NDArray[Any]

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
            pruner=pruner_of(self.tune.pruning, self.job.epochs),
            load_if_exists=True,
        )
        return created

    def objective(self, trial: optuna.Trial) -> float:
        """Train a trial's network; its Jaccard index on the validation images after the last inner epoch.

        Raises:
            optuna.TrialPruned: if the rule in `tune.pruning` says so after an epoch.
        """
        since = time.perf_counter()
        spec, recipe = with_numbers(self.job.spec, self.job.recipe, self.space.numbers(self.space.suggest(trial)))
        job = replace(self.job, spec=spec, recipe=recipe, names=(*self.job.names, "trial", number_of(trial)))

        def on_epoch(line: Epoch) -> None:
            trial.report(line.test_jaccard, line.epoch)
            # One that has come to its last epoch has cost all that it can.
            if line.epoch < job.epochs and trial.should_prune():
                trial.set_user_attr("seconds", time.perf_counter() - since)
                raise optuna.TrialPruned

        try:
            jaccard = _validated(job, fit(job, on_epoch=on_epoch).last)
        except DivergedError:
            jaccard = np.zeros(len(job.test))  # it has learnt nothing, and the search continues
        trial.set_user_attr("standard_error", standard_error(jaccard, self.units))
        trial.set_user_attr("seconds", time.perf_counter() - since)
        return float(jaccard.mean())

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
            "standard_error": trial.user_attrs.get("standard_error"),
            "multiply_adds": cost.multiply_adds,
            "parameters": cost.parameters,
        }

    def _sampler_seed(self, number: int) -> int:
        return seed_for(self.job.seed, "sampler", number)


def study_of(job: TrainJob, tune: Tune, fold: int | None, *, grouped: bool) -> Study:
    """The study that finds numbers for a training.

    Args:
        job: the training, with the model's own numbers. Its test images take no part.
        tune: how trials are trained, and what is searched.
        fold: the job's test fold; None if the job trains on all images, for a study that all folds share.
        grouped: whether images of a group stay on one side of the inner split.

    Raises:
        UserError: if there are too few images or groups to split.
    """
    train, validation = inner_split(
        job.data, job.train, tune.validation_share, seed_for(job.seed, "inner"), grouped=grouped
    )
    return Study(
        job=replace(job, train=train, test=validation, epochs=max(1, round(job.recipe.epochs * tune.epochs_share))),
        tune=tune,
        fold=fold,
        space=SearchSpace(tune.space, job.spec, job.recipe),
        units=job.data.table["group"].to_numpy()[validation] if grouped else validation,
    )


def _validated(job: TrainJob, weights: Weights) -> NDArray[np.float64]:
    """Jaccard index of each validation image."""
    device = job.devices.device
    network, loader = build_network(job.spec), Loader(job.data, device)
    network.load_state_dict(weights)
    loss = loss_by_name(job.recipe.loss, job.spec.classes, ignores=job.data.ignores)
    with autocast(job.recipe, device):
        return validate(network.to(device), loader, job.test, job.recipe.batch, job.threshold, loss)[1]
