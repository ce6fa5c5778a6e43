"""The Pareto front of Jaccard index (`score`) and cost, the trials' leads, and the rule that picks one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Select
from multiresunet.tuning.cost import Cost

COSTS = ["multiply_adds", "parameters"]


def front(trials: pd.DataFrame) -> pd.Series[bool]:
    """Which trials no other one beats: none scores at least as well at no more multiply-adds and no more parameters,
    and is better in one of them. Pruned trials take no part."""
    complete = trials["state"] == "complete"
    values = trials[["score", *COSTS]].to_numpy(dtype=float) * [-1, 1, 1]
    as_good = (values[:, None] <= values[None]).all(axis=2)
    better = (values[:, None] < values[None]).any(axis=2)
    beaten: NDArray[np.bool_] = np.any(as_good & better & complete.to_numpy()[:, None], axis=0)
    return complete & ~beaten


def leads(trials: pd.DataFrame) -> pd.DataFrame:
    """How much better each trial is than the model's own values (trial 0), and the standard error of that.

    The lead is the mean difference over the splits, which are the same for all trials (paired). Its standard error is
    the differences' deviation over the root of their number, so it holds the noise of training, too.

    Args:
        trials: with the columns trial and split_1, split_2, …: the score on each split; unknown for unfinished trials.

    Returns:
        Columns lead and standard_error, with the index of `trials`.
    """
    splits = trials.filter(regex=r"^split_\d+$")
    differences = splits - splits[trials["trial"] == 0].iloc[0]
    error = differences.std(axis=1, ddof=1) / np.sqrt(splits.shape[1])
    return pd.DataFrame({"lead": differences.mean(axis=1, skipna=False), "standard_error": error})


def chosen(trials: pd.DataFrame, rule: Select, own: Cost) -> int:
    """The trial that the rule picks, as a label of the index of `trials`.

    Trial 0, the model's own values, stays, unless the lead of a complete trial within the budget exceeds
    `rule.standard_errors`; of several such the one that leads most, of equals the first. Taking the best score instead
    would take the luckiest: most trials differ by less than two trainings of the same numbers do.

    Args:
        trials: with the columns of `leads`, state, trial, multiply_adds and parameters.
        rule: from params.yaml.
        own: the cost of the model's own values.
    """
    better = trials[
        (trials["state"] == "complete") & (trials["lead"] > rule.standard_errors * trials["standard_error"])
    ]
    better = better[better["lead"] > 0]
    if rule.budget is not None:
        limits = rule.budget * np.array([own.multiply_adds, own.parameters])
        better = better[(better[COSTS] <= limits).all(axis=1)]
    incumbent = trials.index[trials["trial"] == 0]
    order = better.sort_values(["lead", "trial"], ascending=[False, True]).index
    return int([*order, *incumbent][0])
