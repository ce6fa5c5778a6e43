"""The inner split of a study: some of its training images validate its trials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
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


def standard_error(jaccard: NDArray[np.float64], units: NDArray[Any]) -> float:
    """Standard error of the mean over images. Those of a group aren't independent, so the groups' means are counted.

    Of a single group, its images are counted; a single image says nothing, and gives 0.

    Args:
        jaccard: one number for each image.
        units: each image's group, or the image itself.
    """
    means = [jaccard[units == unit].mean() for unit in np.unique(units)]
    counted = np.array(means) if len(means) > 1 else jaccard
    return float(counted.std(ddof=1) / np.sqrt(len(counted))) if len(counted) > 1 else 0.0
