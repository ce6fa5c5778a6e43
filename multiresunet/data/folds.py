"""K-fold cross-validation, over images or over groups, stratified or not; and what is to be said about the folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from multiresunet.data import near_duplicates
from multiresunet.errors import UserError

STRAYS = 0.25  # of the data set's foreground share: a fold further from it is pointed out


def assign(
    groups: list[str],
    count: int,
    by: str,
    seed: int,
    *,
    shares: NDArray[np.float64] | None = None,
    stratify: int | None = None,
) -> NDArray[np.int64]:
    """The test fold of each sample.

    Args:
        groups: each sample's group; what is empty stands alone.
        count: number of folds.
        by: `image`: at random, as the paper does; `group`: no group is split.
        seed: for the shuffle.
        shares: each sample's foreground share, needed to stratify.
        stratify: number of quantiles of the foreground share to spread evenly; at random if None.

    Returns:
        N integers from 0 to count - 1.

    Raises:
        UserError: if there are fewer samples, or groups, than folds.
    """
    n = len(groups)
    units = [group or f"\0{index}" for index, group in enumerate(groups)] if by == "group" else list(range(n))
    if len(set(units)) < count:
        remedy = "lower the recipe's folds.count" + (", or fold by image" if by == "group" else "")
        raise UserError(f"{count} folds need at least {count} {by}s, there are {len(set(units))}; {remedy}")
    grouped = by == "group" and any(groups)
    options = {"shuffle": True, "random_state": seed}
    if stratify is None or shares is None:
        maker = GroupKFold(count, **options) if grouped else KFold(count, **options)
        splits = maker.split(np.zeros(n), groups=units if grouped else None)
    else:
        # No more quantiles than each can have a sample in every fold.
        bins = pd.qcut(pd.Series(shares).rank(method="first"), max(1, min(stratify, n // count)), labels=False)
        maker = StratifiedGroupKFold(count, **options) if grouped else StratifiedKFold(count, **options)
        splits = maker.split(np.zeros(n), bins, groups=units if grouped else None)
    folds = np.full(n, -1, dtype=np.int64)
    for fold, (_, test) in enumerate(splits):
        folds[test] = fold
    if (empty := np.setdiff1d(np.arange(count), folds)).size:
        raise UserError(
            f"fold {empty[0] + 1} of {count} is empty, since groups are uneven; lower folds.count or stratify"
        )
    return folds


def check_groups(groups: list[str], folds: NDArray[np.int64]) -> None:
    """See that no group is in two folds.

    Raises:
        UserError: naming the first group that is.
    """
    homes = pd.DataFrame({"group": groups, "fold": folds}).query("group != ''").groupby("group")["fold"].nunique()
    if (homes > 1).any():
        raise UserError(
            f"group {homes.idxmax()!r} is in {homes.max()} folds; its images would be trained and tested on"
        )


def summary(facts: pd.DataFrame, folds: NDArray[np.int64], at_random: NDArray[np.int64]) -> pd.DataFrame:
    """What is to be known about each fold.

    Args:
        facts: sample, group, foreground_share and alike of each of N samples, as `profile` measures them.
        folds: the test fold of each sample.
        at_random: the same, had they been drawn over images.

    Returns:
        fold, images, groups, foreground_share, leak (share of its images that have a near-duplicate in training),
        leak_of_random_folds, strays (1 where the foreground share is far from the data set's).
    """
    alike = near_duplicates.from_text(facts["alike"].tolist(), facts["sample"].tolist())
    table = (
        facts.assign(fold=folds)
        .groupby("fold", as_index=False)
        .agg(
            images=("sample", "size"),
            groups=("group", lambda names: names[names != ""].nunique()),
            foreground_share=("foreground_share", "mean"),
        )
    )
    overall = facts["foreground_share"].mean()
    return table.assign(
        leak=near_duplicates.leak(alike, folds),
        leak_of_random_folds=near_duplicates.leak(alike, at_random),
        strays=((table["foreground_share"] - overall).abs() > STRAYS * overall).astype(int),
    )
