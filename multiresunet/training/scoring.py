"""What a network makes of images that it may not have seen: scores, and probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from multiresunet.data.arrays import Prepared
from multiresunet.evaluation.overlap import overlaps
from multiresunet.nets import UShape
from multiresunet.nets.fused import fused
from multiresunet.training.feed import Feed, Indices
from multiresunet.training.losses import Loss


def score(
    network: UShape, feed: Feed, indices: Indices, batch: int, threshold: float, loss_of: Loss
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Mean loss, and each image's Jaccard index and Dice coefficient, in inference mode; computed on the device."""
    ready = fused(network, feed.device)
    loss = torch.zeros((), dtype=torch.float64, device=feed.device)
    scores = []
    with torch.no_grad():
        for images, labels in feed(_in_order(indices, batch)):
            logits = ready(images).float()
            loss += loss_of(logits, labels).double() * len(images)
            scores.append(torch.stack(overlaps(torch.sigmoid(logits) >= threshold, labels > 0.5)))
    jaccard, dice = torch.cat(scores, dim=1).cpu().numpy()
    return loss.item() / len(indices), jaccard, dice


def predict(network: UShape, feed: Feed, indices: Indices, batch: int) -> NDArray[np.float32]:
    """Foreground probability of each pixel: len(indices)×(D×)H×W."""
    ready = fused(network, feed.device)
    with torch.no_grad():
        parts = [torch.sigmoid(ready(images))[:, 0].cpu().numpy() for images, _ in feed(_in_order(indices, batch))]
    return np.concatenate(parts)


def cross_validated(
    network_of: Callable[[int], UShape], data: Prepared, batch: int, device: torch.device
) -> NDArray[np.float32]:
    """Each sample's foreground probabilities from the network that hasn't seen it: N×(D×)H×W.

    Args:
        network_of: from a fold to the network that was trained without it.
        data: the prepared data set.
        batch: images at a time.
        device: where to compute.
    """
    feed = Feed(data, device)
    predicted = np.empty(data.masks.shape, dtype=np.float32)
    for fold in np.unique(data.folds):
        _, test = data.split(int(fold))
        predicted[test] = predict(network_of(int(fold)).to(device), feed, test, batch)
    return predicted


def _in_order(indices: Indices, batch: int) -> list[Indices]:
    return [indices[start : start + batch] for start in range(0, len(indices), batch)]
