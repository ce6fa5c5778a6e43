"""A study: the search for a model's numbers on some training images, and on nothing else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState
from sklearn.model_selection import GroupShuffleSplit

from multiresunet.config import HyperbandPruning, MedianPruning, Recipe, Tune
from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import DivergedError, UserError
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.seeds import seed_for
from multiresunet.training.job import fit
from multiresunet.training.loader import Indices, Loader
from multiresunet.training.losses import loss_by_name
from multiresunet.training.specification import with_numbers
from multiresunet.training.trainer import Epoch, Weights, autocast
from multiresunet.training.validation import validate
from multiresunet.tuning import state
from multiresunet.tuning.cost import Cost, cost_of
from multiresunet.tuning.space import Numbers, SearchSpace

NUMBER = "number"  # a planned trial's own number, which a retry keeps; Optuna's counts retries too
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Study:
    """All that the search of one fold needs.

    fold: the test fold, whose images aren't in `train` or `validation`; None for the study on all images.
    names: data set, model and fold; with `seed`, all randomness depends on these and on a trial's number.
    units: what the validation images are samples of, one label an image: themselves, or their groups.
    """

    fold: int | None
    names: tuple[str | int, ...]
    spec: NetworkSpec
    space: SearchSpace
    data: PreparedDataset
    train: Indices
    validation: Indices
    units: NDArray[Any]
    recipe: Recipe
    tune: Tune
    threshold: float
    seed: int
    device: torch.device

    @property
    def name(self) -> str:
        """Data set, model and fold."""
        return " ".join(map(str, self.names))

    @property
    def epochs(self) -> int:
        """Inner epochs of a trial."""
        return max(1, round(self.recipe.epochs * self.tune.epochs_share))

    @property
    def limit(self) -> float:
        """Seconds of training after which no other trial begins."""
        return math.inf if self.tune.minutes is None else 60 * self.tune.minutes

    def cost(self, numbers: Numbers) -> Cost:
        """Multiply-adds for one of the data set's images, and parameters, of the network with these numbers."""
        return cost_of(with_numbers(self.spec, self.recipe, numbers)[0], tuple(self.data.masks.shape[1:]))

    def create(self, storage: optuna.storages.BaseStorage | None = None, prefix: str = "") -> optuna.Study:
        """The Optuna study; the one in `storage`, if it is there already."""
        sampler = Sampler(self)
        created = sampler.watched = optuna.create_study(
            study_name=prefix + self.name,
            storage=storage,
            direction="maximize",
            sampler=sampler,
            pruner=_pruner(self.tune.pruning, self.epochs),
            load_if_exists=True,
        )
        return created

    def objective(self, trial: optuna.Trial) -> float:
        """Train a trial's network; its Jaccard index on the validation images after the last inner epoch.

        Raises:
            optuna.TrialPruned: if the rule in `tune.pruning` says so after an epoch.
        """
        since = time.perf_counter()
        numbers = self.space.numbers(self.space.suggest(trial))
        spec, recipe = with_numbers(self.spec, self.recipe, numbers)

        def on_epoch(line: Epoch) -> None:
            trial.report(line.test_jaccard, line.epoch)
            # One that has come to its last epoch has cost all that it can.
            if line.epoch < self.epochs and trial.should_prune():
                trial.set_user_attr("seconds", time.perf_counter() - since)
                raise optuna.TrialPruned

        try:
            fitted = fit(
                spec,
                self.data,
                self.train,
                self.validation,
                recipe,
                epochs=self.epochs,
                threshold=self.threshold,
                seed=self.seed,
                names=(*self.names, "trial", number_of(trial)),
                device=self.device,
                on_epoch=on_epoch,
            )
            jaccard = self._scores(spec, recipe, fitted.last)
        except DivergedError:
            jaccard = np.zeros(len(self.validation))  # it has learnt nothing, and the search goes on
        trial.set_user_attr("standard_error", standard_error(jaccard, self.units))
        trial.set_user_attr("seconds", time.perf_counter() - since)
        return float(jaccard.mean())

    def _scores(self, spec: NetworkSpec, recipe: Recipe, weights: Weights) -> NDArray[np.float64]:
        """Jaccard index of each validation image."""
        network, loader = build_network(spec), Loader(self.data, self.device)
        network.load_state_dict(weights)
        loss = loss_by_name(recipe.loss, spec.classes)
        with autocast(recipe, self.device):
            return validate(network.to(self.device), loader, self.validation, recipe.batch, self.threshold, loss)[1]

    def row(self, trial: FrozenTrial) -> Numbers:
        """A trial as a line of trials.csv; a pruned one has the score that it was pruned at, one given up has none."""
        numbers = self.space.numbers(trial.params)
        cost = self.cost(numbers)
        return {
            "fold": "all" if self.fold is None else self.fold,
            "trial": number_of(trial),
            "state": trial.state.name.lower(),
            **numbers,
            "epochs": trial.last_step or 0,
            "score": _score(trial) if trial.state in FINISHED else None,
            "standard_error": trial.user_attrs.get("standard_error"),
            "multiply_adds": cost.multiply_adds,
            "parameters": cost.parameters,
        }


def study_of(
    spec: NetworkSpec,
    data: PreparedDataset,
    fold: int | None,
    recipe: Recipe,
    tune: Tune,
    *,
    grouped: bool,
    threshold: float,
    seed: int,
    names: tuple[str | int, ...],
    device: torch.device,
) -> Study:
    """The study of one fold, on its training images; or on all images, if `fold` is None.

    Args:
        spec: the network, with the model's own numbers.
        data: the prepared data set.
        fold: the test fold.
        recipe, tune: how a trial is trained, and what is searched.
        grouped: whether images of a group stay on one side of the inner split.
        threshold: of the probability, for the Jaccard index.
        seed, names: what randomness depends on.
        device: where to compute.

    Raises:
        UserError: if there are too few images or groups to split.
    """
    train = np.arange(len(data.table)) if fold is None else data.split(fold)[0]
    inner_train, validation = inner_split(
        data, train, tune.validation_share, seed_for(seed, *names, "inner"), grouped=grouped
    )
    units = data.table["group"].to_numpy()[validation] if grouped else validation
    return Study(
        fold=fold,
        names=names,
        spec=spec,
        space=SearchSpace(tune.space, spec, recipe),
        data=data,
        train=inner_train,
        validation=validation,
        units=units,
        recipe=recipe,
        tune=tune,
        threshold=threshold,
        seed=seed,
        device=device,
    )


def inner_split(
    data: PreparedDataset, train: Indices, share: float, seed: int, *, grouped: bool
) -> tuple[Indices, Indices]:
    """Split training images once more, at random; if `grouped`, keeping groups whole.

    Raises:
        UserError: if one side would have nothing.
    """
    groups = data.table["group"].to_numpy()[train]
    units = [group if grouped and group else f"\0{index}" for index, group in zip(train, groups, strict=True)]
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    try:
        inner_train, validation = next(splitter.split(train, groups=units))
    except ValueError:
        raise UserError(
            f"tune: {len(set(units))} training {'groups' if grouped else 'images'} can't be split into two for the "
            f"inner score; add data, or change tune.validation_share (now {share})"
        ) from None
    return train[np.sort(inner_train)], train[np.sort(validation)]


def standard_error(scores: NDArray[np.float64], units: NDArray[Any]) -> float:
    """Standard error of the mean score. Images of a group aren't independent, so the groups' means are what is counted.

    Of a single group, its images are counted; a single image says nothing, and gives 0.
    """
    means = [scores[units == unit].mean() for unit in np.unique(units)]
    counted = np.array(means) if len(means) > 1 else scores
    return float(counted.std(ddof=1) / np.sqrt(len(counted))) if len(counted) > 1 else 0.0


def number_of(trial: optuna.Trial | FrozenTrial) -> int:
    """A trial's number in the plan."""
    return int(trial.user_attrs.get(NUMBER, trial.number))


def seconds_of(trials: Sequence[FrozenTrial]) -> float:
    """What finished trials have taken, added up."""
    return float(sum(trial.user_attrs.get("seconds", 0.0) for trial in trials))


class Sampler(optuna.samplers.BaseSampler):
    """TPE for the score alone, or for score and cost together; trial 0 is the model's own values.

    Optuna can't prune a study of several objectives. So the study has one, the score, and this sampler asks a twin with
    all objectives, made anew from the finished trials. A trial's numbers thus depend on its own number and on the
    trials finished before it, not on whether the study ran in one go.
    """

    watched: optuna.Study

    def __init__(self, study: Study) -> None:
        self._study = study

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Everything is sampled at once."""
        return self._study.space.distributions

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Numbers:
        """Numbers for a new trial."""
        number, tune = number_of(trial), self._study.tune
        first = self._study.space.first()
        if number == 0 and first is not None:
            return first
        both = tune.objectives == "jaccard and cost"
        twin = optuna.create_study(
            directions=["maximize", "minimize", "minimize"] if both else ["maximize"],
            sampler=optuna.samplers.TPESampler(
                n_startup_trials=tune.startup, seed=seed_for(self._study.seed, *self._study.names, "sampler", number)
            ),
        )
        # Not from `study`: with Hyperband that is one bracket of it, or, before anything was pruned, all of it.
        finished = self.watched.get_trials(deepcopy=False, states=FINISHED)
        for done in sorted(finished, key=number_of):
            values = [_score(done)]
            if both:
                cost = self._study.cost(self._study.space.numbers(done.params))
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


def run_alone(
    study: Study, saved: Path, on_trial: Callable[[Study, Numbers], None] = lambda *_: None
) -> list[FrozenTrial]:
    """Run the study in this process, going on from what `saved` holds of it; the finished trials, in their order.

    A trial that was cut off is trained again from its beginning.
    """
    running = study.create()
    running.add_trials(state.load(saved, study.space.distributions))
    while len(running.trials) < study.tune.trials:
        if seconds_of(running.trials) >= study.limit:
            break
        running.optimize(study.objective, n_trials=1)
        state.save(saved, running.trials)
        on_trial(study, study.row(running.trials[-1]))
    return running.trials


def _score(trial: FrozenTrial) -> float:
    if trial.state is TrialState.COMPLETE:
        assert trial.value is not None
        return trial.value
    assert trial.last_step is not None
    return trial.intermediate_values[trial.last_step]


def _pruner(rule: MedianPruning | HyperbandPruning | None, epochs: int) -> optuna.pruners.BasePruner:
    match rule:
        case MedianPruning():
            return optuna.pruners.MedianPruner(n_startup_trials=rule.startup, n_warmup_steps=rule.first_epoch)
        case HyperbandPruning():
            first = min(rule.first_epoch, epochs)
            return optuna.pruners.HyperbandPruner(min_resource=first, max_resource=epochs, reduction_factor=rule.factor)
        case None:
            return optuna.pruners.NopPruner()
