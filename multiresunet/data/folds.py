"""K-fold cross-validation, over images or over groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold

from multiresunet.errors import UserError


def assign(groups: list[str], count: int, by: str, seed: int) -> NDArray[np.int64]:
    """The test fold of each sample.

    Args:
        groups: each sample's group; what is empty stands alone.
        count: number of folds.
        by: `image`: at random, as the paper does; `group`: no group is split.
        seed: for the shuffle.

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
    splits = (
        GroupKFold(count, shuffle=True, random_state=seed).split(np.zeros(n), groups=units)
        if by == "group" and any(groups)
        else KFold(count, shuffle=True, random_state=seed).split(np.zeros(n))
    )
    folds = np.full(n, -1, dtype=np.int64)
    for fold, (_, test) in enumerate(splits):
        folds[test] = fold
    return folds
