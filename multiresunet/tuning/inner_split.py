"""The inner splits of a study: some of its training images validate its trials."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.training.loader import Indices


def inner_split(
    data: PreparedDataset, train: Indices, share: float, seed: int, *, grouped: bool
) -> tuple[Indices, Indices]:
    """Split training images once more, at random; if `grouped`, keeping groups whole.

    Returns:
        Indices of the images that trials are trained on, and of those that validate them.

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
            f"inner validation; add data, or change tune.validation_share (now {share})"
        ) from None
    return train[np.sort(inner_train)], train[np.sort(validation)]
