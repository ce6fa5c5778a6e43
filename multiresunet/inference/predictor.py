"""Probabilities of foreground, and classes, of images that a network may not have seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiresunet.data.dataset import PreparedDataset
from multiresunet.nets.fused import fused
from multiresunet.training.loader import Indices, Loader


def foreground(logits: Tensor) -> Tensor:
    """Probability that a pixel is foreground, of whatever class: N×classes×… logits to N×…."""
    if logits.shape[1] == 1:
        return torch.sigmoid(logits)[:, 0]
    return 1 - torch.softmax(logits, 1)[:, 0]


def label(logits: Tensor, threshold: float) -> Tensor:
    """Each pixel's class: 0 where the foreground's probability is below `threshold`, else the likeliest class.

    N×classes×… logits to N×… uint8. Foreground is thus the same as for `foreground` and `score`.
    """
    likeliest = 1 + logits[:, 1:].argmax(1) if logits.shape[1] > 1 else torch.ones_like(logits[:, 0])
    return torch.where(foreground(logits) >= threshold, likeliest, 0).to(torch.uint8)


def predict(
    network: nn.Module, loader: Loader, indices: Indices, batch: int, what: Callable[[Tensor], Tensor] = foreground
) -> NDArray[Any]:
    """What the network says of some samples: `foreground` probabilities (float32), or another function of the logits.

    Returns:
        len(indices)×(D×)H×W.
    """
    ready = fused(network, loader.device)
    with torch.no_grad():
        parts = [what(ready(images).float()).cpu().numpy() for images, _ in loader(in_order(indices, batch))]
    return np.concatenate(parts)


def cross_validated(
    network_of: Callable[[int], nn.Module],
    data: PreparedDataset,
    batch: int,
    device: torch.device,
    what: Callable[[Tensor], Tensor] = foreground,
) -> NDArray[Any]:
    """For each sample what the network says that hasn't seen it: N×(D×)H×W.

    Args:
        network_of: from a fold to the network that was trained without it.
        data: the prepared data set.
        batch: images at a time.
        device: where to compute.
        what: as for `predict`.
    """
    loader = Loader(data, device)
    folds = [int(fold) for fold in np.unique(data.folds)]
    tests = [data.split(fold)[1] for fold in folds]
    parts = [
        predict(network_of(fold).to(device), loader, test, batch, what) for fold, test in zip(folds, tests, strict=True)
    ]
    predicted = np.empty(data.masks.shape, dtype=parts[0].dtype)
    for test, part in zip(tests, parts, strict=True):
        predicted[test] = part
    return predicted


def in_order(indices: Indices, batch: int) -> list[Indices]:
    """Batches of indices as they stand; the last may be smaller."""
    return [indices[start : start + batch] for start in range(0, len(indices), batch)]
