"""Overlap of predictions with the truth on the device where they are, image by image."""

from __future__ import annotations

import torch
from torch import Tensor


def overlaps(prediction: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Jaccard index |P∩T| / |P∪T| and Dice coefficient 2|P∩T| / (|P|+|T|) of each image.

    Both are 1 where prediction and truth are empty.

    Args:
        prediction: N×… booleans.
        truth: booleans of the same shape.

    Returns:
        Two float64 tensors of N values, on the arguments' device.
    """
    prediction, truth = prediction.flatten(1), truth.flatten(1)
    both = (prediction & truth).sum(1).double()
    total = prediction.sum(1).double() + truth.sum(1).double()
    empty = total == 0
    jaccard = torch.where(empty, 1.0, both / (total - both).clamp(min=1))
    dice = torch.where(empty, 1.0, 2 * both / total.clamp(min=1))
    return jaccard, dice
