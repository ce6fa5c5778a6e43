"""Overlap of predictions with the truth on the device where they are, image by image."""

from __future__ import annotations

import torch
from torch import Tensor

from multiresunet.data.dataset import IGNORED


def overlaps(prediction: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Jaccard index |P∩T| / |P∪T| and Dice coefficient 2|P∩T| / (|P|+|T|) of each image.

    Both are 1 where prediction and truth are empty.

    Args:
        prediction: N×… booleans.
        labels: of the same shape; 0 is background, and `IGNORED` counts nowhere.

    Returns:
        Two float64 tensors of N values, on the arguments' device.
    """
    known = labels != IGNORED
    prediction, truth = (prediction & known).flatten(1), ((labels > 0) & known).flatten(1)
    both = (prediction & truth).sum(1).double()
    total = prediction.sum(1).double() + truth.sum(1).double()
    empty = total == 0
    jaccard = torch.where(empty, 1.0, both / (total - both).clamp(min=1))
    dice = torch.where(empty, 1.0, 2 * both / total.clamp(min=1))
    return jaccard, dice
