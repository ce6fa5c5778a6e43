"""A network's loss and overlap on some samples, while it is trained and tuned."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from multiresunet.inference.logits import foreground
from multiresunet.inference.tiles import by_tiles
from multiresunet.nets.fused import fused
from multiresunet.training.loader import Indices, Loader, in_order
from multiresunet.training.losses import Loss
from multiresunet.training.overlap import overlaps


def validate(
    network: nn.Module, loader: Loader, indices: Indices, batch: int, threshold: float, loss_of: Loss
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Mean loss, and each image's Jaccard index and Dice coefficient, in inference mode; computed on the device.

    Of a data set with classes the overlap is that of all classes together with the truth: foreground against the rest.
    """
    ready = by_tiles(fused(network, loader.device), loader.data, batch)
    at_once = batch if loader.data.window is None else 1
    loss = torch.zeros((), dtype=torch.float64, device=loader.device)
    found = []
    with torch.no_grad():
        for images, labels in loader(in_order(indices, at_once)):
            logits = ready(images).float()
            loss += loss_of(logits, labels).double() * len(images)
            found.append(torch.stack(overlaps(foreground(logits) >= threshold, labels[:, 0])))
    jaccard, dice = torch.cat(found, dim=1).cpu().numpy()
    return loss.item() / len(indices), jaccard, dice
