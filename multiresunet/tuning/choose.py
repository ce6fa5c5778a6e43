"""The Pareto front of Jaccard index (`score`) and cost, and the rule that picks a trial."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Select
from multiresunet.errors import UserError
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


def chosen(trials: pd.DataFrame, rule: Select, own: Cost) -> int:
    """The trial that the rule picks, as a label of the index of `trials`.

    Of the complete trials whose score is within `rule.standard_errors` of the best one's, and whose multiply-adds and
    parameters are within `rule.budget` times `own`, the best or the cheapest; if there is none, the best of all. Of
    equals the first. The one-standard-error rule is that of Breiman et al., Classification and Regression Trees, 1984.

    Raises:
        UserError: if no trial is complete.
    """
    complete = trials[trials["state"] == "complete"].sort_values(["score", "trial"], ascending=[False, True])
    if complete.empty:
        raise UserError("tune: no trial of the study was finished; see what the workers say")
    best = complete.iloc[0]
    allowed = complete[complete["score"] >= best["score"] - rule.standard_errors * best["standard_error"]]
    if rule.budget is not None:
        limits = rule.budget * np.array([own.multiply_adds, own.parameters])
        allowed = allowed[(allowed[COSTS] <= limits).all(axis=1)]
    if rule.take == "cheapest":
        allowed = allowed.sort_values(COSTS, kind="stable")
    return int((complete if allowed.empty else allowed).index[0])
