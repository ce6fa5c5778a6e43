"""From logits to probabilities and classes."""

from __future__ import annotations

import torch
from torch import Tensor


def foreground(logits: Tensor) -> Tensor:
    """Probability that a pixel is foreground, of whatever class: N×classes×… logits to N×…."""
    if logits.shape[1] == 1:
        return torch.sigmoid(logits)[:, 0]
    return 1 - torch.softmax(logits, 1)[:, 0]


def probabilities(logits: Tensor) -> Tensor:
    """Probability of foreground N×1×…; or, where there are classes, of the background and each class N×classes×…."""
    return torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, 1)


def label(logits: Tensor, threshold: float) -> Tensor:
    """Each pixel's class: 0 where the foreground's probability is below `threshold`, else the likeliest class.

    N×classes×… logits to N×… uint8. Foreground is thus the same as that of `foreground` at this threshold.
    """
    likeliest = 1 + logits[:, 1:].argmax(1) if logits.shape[1] > 1 else torch.ones_like(logits[:, 0])
    return torch.where(foreground(logits) >= threshold, likeliest, 0).to(torch.uint8)
