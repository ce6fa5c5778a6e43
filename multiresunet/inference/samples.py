"""Predictions for the samples of a prepared data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiresunet.data.dataset import PreparedDataset
from multiresunet.inference.logits import foreground
from multiresunet.inference.tiles import by_tiles
from multiresunet.nets.fused import fused
from multiresunet.training.loader import Indices, Loader, in_order

Predicted = NDArray[Any] | list[NDArray[Any]]
Read = Callable[[Tensor], Tensor]
"""What is read from logits N×classes×…, as `foreground`: N×…."""


def predict_samples(
    network: nn.Module, loader: Loader, indices: Indices, batch: int, read: Read = foreground
) -> Predicted:
    """What a network predicts for some samples: `foreground` probabilities (float32), or what `read` makes of logits.

    Returns:
        len(indices)×(D×)H×W; or a list of (D×)H×W, of a data set whose images keep their sizes.
    """
    ready = by_tiles(fused(network, loader.device), loader.data, batch)
    at_once = batch if loader.data.window is None else 1
    with torch.no_grad():
        parts = [read(ready(images).float()).cpu().numpy() for images, _ in loader(in_order(indices, at_once))]
    return np.concatenate(parts) if loader.data.window is None else [part[0] for part in parts]


def cross_validated(
    network_of: Callable[[int], nn.Module],
    data: PreparedDataset,
    batch: int,
    device: torch.device,
    read: Read = foreground,
) -> Predicted:
    """For each sample the prediction of the network that was trained without it: N×(D×)H×W, or a list of (D×)H×W.

    Args:
        network_of: from a fold to the network that was trained without it.
        data: the prepared data set.
        batch: images at a time.
        device: where to compute.
        read: as for `predict_samples`.
    """
    loader = Loader(data, device)
    folds = [int(fold) for fold in np.unique(data.folds)]
    tests = [data.split(fold)[1] for fold in folds]
    parts = [
        predict_samples(network_of(fold).to(device), loader, test, batch, read)
        for fold, test in zip(folds, tests, strict=True)
    ]
    predicted: list[NDArray[Any]] = [parts[0][0]] * len(data.masks)
    for test, part in zip(tests, parts, strict=True):
        for index, one in zip(test, part, strict=True):
            predicted[index] = one
    return predicted if data.window else np.stack(predicted)
