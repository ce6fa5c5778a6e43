"""What a network makes of images that it may not have seen: scores, and probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiresunet.data.arrays import Prepared
from multiresunet.evaluation.overlap import overlaps
from multiresunet.nets.fused import fused
from multiresunet.training.feed import Feed, Indices
from multiresunet.training.losses import Loss


def score(
    network: nn.Module, feed: Feed, indices: Indices, batch: int, threshold: float, loss_of: Loss
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Mean loss, and each image's Jaccard index and Dice coefficient, in inference mode; computed on the device.

    Of a data set with classes the overlap is that of all classes together with the truth: foreground against the rest.
    """
    ready = fused(network, feed.device)
    loss = torch.zeros((), dtype=torch.float64, device=feed.device)
    scores = []
    with torch.no_grad():
        for images, labels in feed(_in_order(indices, batch)):
            logits = ready(images).float()
            loss += loss_of(logits, labels).double() * len(images)
            scores.append(torch.stack(overlaps(foreground(logits) >= threshold, labels[:, 0] > 0.5)))
    jaccard, dice = torch.cat(scores, dim=1).cpu().numpy()
    return loss.item() / len(indices), jaccard, dice


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
    network: nn.Module, feed: Feed, indices: Indices, batch: int, what: Callable[[Tensor], Tensor] = foreground
) -> NDArray[Any]:
    """What the network says of some samples: `foreground` probabilities (float32), or another function of the logits.

    Returns:
        len(indices)×(D×)H×W.
    """
    ready = fused(network, feed.device)
    with torch.no_grad():
        parts = [what(ready(images).float()).cpu().numpy() for images, _ in feed(_in_order(indices, batch))]
    return np.concatenate(parts)


def cross_validated(
    network_of: Callable[[int], nn.Module],
    data: Prepared,
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
    feed = Feed(data, device)
    folds = [int(fold) for fold in np.unique(data.folds)]
    tests = [data.split(fold)[1] for fold in folds]
    parts = [
        predict(network_of(fold).to(device), feed, test, batch, what) for fold, test in zip(folds, tests, strict=True)
    ]
    predicted = np.empty(data.masks.shape, dtype=parts[0].dtype)
    for test, part in zip(tests, parts, strict=True):
        predicted[test] = part
    return predicted


def _in_order(indices: Indices, batch: int) -> list[Indices]:
    return [indices[start : start + batch] for start in range(0, len(indices), batch)]
