"""Search α and the filter count of a network for one fold, on that fold's training images alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import optuna
import pandas as pd
import torch
from sklearn.model_selection import GroupShuffleSplit

from multiresunet.data.arrays import Prepared
from multiresunet.errors import UserError
from multiresunet.nets import NetworkSpec
from multiresunet.nets.blocks import multires_widths
from multiresunet.params import Recipe, Tune
from multiresunet.seeds import seed_for
from multiresunet.training.fit import Indices, fit


def inner_split(data: Prepared, train: Indices, share: float, seed: int) -> tuple[Indices, Indices]:
    """Split a fold's training images once more, at random, keeping groups whole."""
    groups = data.table["group"].to_numpy()[train]
    units = [group or f"\0{index}" for index, group in zip(train, groups, strict=True)]
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    inner_train, inner_test = next(splitter.split(train, groups=units))
    return train[np.sort(inner_train)], train[np.sort(inner_test)]


def search(
    spec: NetworkSpec,
    data: Prepared,
    fold: int,
    recipe: Recipe,
    space: Tune,
    *,
    threshold: float,
    seed: int,
    names: tuple[str | int, ...],
    device: torch.device,
    on_trial: Callable[[dict[str, float]], None] = lambda _: None,
) -> pd.DataFrame:
    """Run the study of one fold. Its test images are never read.

    The score is the Jaccard index after the last epoch, on inner validation images. The first trial is `spec` itself.

    Returns:
        One row a trial: fold, trial, alpha, filters, score.

    Raises:
        UserError: before the first trial, if the space holds networks that can't be built.
    """
    assert spec.alpha is not None
    train, _ = data.split(fold)
    inner_train, inner_test = inner_split(data, train, space.validation_share, seed_for(seed, *names, "inner"))
    epochs = max(1, round(recipe.epochs * space.epochs_share))
    choices = sorted({max(2, round(spec.filters * factor)) for factor in space.filters_factor} | {spec.filters})
    _refuse_vanishing_filters(choices[0], space.alpha.low)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    rows = []
    for number in range(space.trials):
        # A sampler of its own for each trial makes a trial depend on the trials before it and on nothing else.
        study.sampler = optuna.samplers.TPESampler(seed=seed_for(seed, *names, "sampler", number), n_startup_trials=5)
        if number == 0 and space.alpha.low <= spec.alpha <= space.alpha.high:
            study.enqueue_trial({"alpha": spec.alpha, "filters": spec.filters})
        trial = study.ask()
        alpha = trial.suggest_float("alpha", space.alpha.low, space.alpha.high)
        filters = int(trial.suggest_categorical("filters", choices))
        fitted = fit(
            spec.resized(filters, alpha),
            data,
            inner_train,
            inner_test,
            recipe,
            epochs=epochs,
            threshold=threshold,
            seed=seed,
            names=(*names, "trial", number),
            device=device,
        )
        value = fitted.history[-1].test_jaccard
        study.tell(trial, value)
        row = {"fold": fold, "trial": number, "alpha": alpha, "filters": filters, "score": value}
        rows.append(row)
        on_trial(row)
    return pd.DataFrame(rows)


def _refuse_vanishing_filters(filters: int, alpha: float) -> None:
    try:
        multires_widths(filters, alpha)
    except ValueError as error:
        raise UserError(f"tune: {error}; raise tune.alpha.low (now {alpha}) or tune.filters_factor") from None


def best(trials: pd.DataFrame) -> dict[str, dict[str, float]]:
    """For each fold the alpha and filters of its best trial; of equals the first."""
    found = {}
    for fold, rows in trials.groupby("fold"):
        row = rows.sort_values(["score", "trial"], ascending=[False, True]).iloc[0]
        found[str(fold)] = {"alpha": float(row["alpha"]), "filters": int(row["filters"])}
    return found
