"""Losses by name: one logit a pixel (sigmoid), or background and classes (softmax)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def loss_by_name(name: Literal["bce", "dice", "dice_bce"], outputs: int) -> Loss:
    """A function from logits N×outputs×(D×)H×W and labels N×1×(D×)H×W (float32, 0 is background) to a scalar.

    The value is a mean over images, so that of a batch is the mean of its parts, weighted by their size.

    Args:
        name: `bce`: cross-entropy, binary for one output and categorical for more; `dice`: soft Dice loss of the
            classes without the background (Milletari 2016), for each image; `dice_bce`: half of each.
        outputs: 1, or the number of classes with the background.
    """
    if name == "bce":
        return _cross_entropy
    from monai.losses.dice import DiceLoss  # here, since it takes seconds and the paper's recipe has no use for it

    # The warnings of a single channel are avoided: there is no background channel to leave out.
    dice = DiceLoss(sigmoid=True) if outputs == 1 else DiceLoss(softmax=True, include_background=False)
    if name == "dice":
        return lambda logits, labels: dice(logits, _targets(logits, labels))
    return lambda logits, labels: 0.5 * dice(logits, _targets(logits, labels)) + 0.5 * _cross_entropy(logits, labels)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits, labels)
    # With class indices instead CUDA has no deterministic gradient.
    return F.cross_entropy(logits, _targets(logits, labels))


def _targets(logits: Tensor, labels: Tensor) -> Tensor:
    """Labels as one channel for each output."""
    if logits.shape[1] == 1:
        return labels
    classes = torch.arange(logits.shape[1], device=labels.device).view(-1, *[1] * (labels.dim() - 2))
    return (labels == classes).to(logits.dtype)
