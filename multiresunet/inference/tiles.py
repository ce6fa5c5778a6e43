"""Predict images of any size by overlapping windows, blended so that no seam is seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multiresunet.data.dataset import PreparedDataset

OVERLAP = 0.5  # of neighbouring windows
SIGMA = 0.125  # of the window's side: the weight's deviation, as in nnU-Net (Isensee et al. 2021)
FLOOR = 1e-3  # of the highest weight, so that a corner that one window alone sees is divided by something


class Tiled(nn.Module):
    """A network that is shown windows of an image, and whose logits are their weighted mean.

    A window's middle counts more than its rim, where the network hasn't seen what lies beside (a Gaussian). Beyond what
    the image and its logits take, memory holds one batch of windows.

    Args:
        network: from N×C×(D×)H×W to logits N×classes×(D×)H×W.
        window: sides of what it is shown; smaller images are filled up with their border's values.
        overlap: share of a window that the next one shows, too.
        batch: windows at a time.
    """

    weight: Tensor

    def __init__(self, network: nn.Module, window: tuple[int, ...], overlap: float = OVERLAP, batch: int = 8) -> None:
        super().__init__()
        self.network, self.window, self.overlap, self.batch = network, window, overlap, batch
        self.register_buffer("weight", gaussian(window), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of N×C×(D×)H×W, image by image: N×classes×(D×)H×W."""
        return torch.cat([self._blended(image[None]) for image in images])

    def _blended(self, image: Tensor) -> Tensor:
        shape = tuple(image.shape[2:])
        missing = [max(0, side - have) for side, have in zip(self.window, shape, strict=True)]
        if any(missing):
            # Of the last axis first, before and behind.
            image = F.pad(image, [end for m in reversed(missing) for end in (0, m)], mode="replicate")
        weight = self.weight.to(image.device)
        total, weights = None, torch.zeros(image.shape[2:], device=image.device)
        for corners in self._batches(tuple(image.shape[2:])):
            places = [tuple(slice(c, c + w) for c, w in zip(one, self.window, strict=True)) for one in corners]
            logits = self.network(torch.cat([image[:, :, *place] for place in places])).float()
            if total is None:
                total = torch.zeros((1, logits.shape[1], *image.shape[2:]), device=image.device)
            for place, one in zip(places, logits, strict=True):
                of_all: tuple[slice, ...] = (slice(None), *place)
                total[0][of_all] += one * weight
                weights[place] += weight
        assert total is not None  # there is a window in any image
        return (total / weights)[:, :, *(slice(side) for side in shape)]

    def _batches(self, shape: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
        corners = list(product(*(starts(s, w, self.overlap) for s, w in zip(shape, self.window, strict=True))))
        return (corners[first : first + self.batch] for first in range(0, len(corners), self.batch))


def by_tiles(network: nn.Module, data: PreparedDataset, batch: int) -> nn.Module:
    """The network, shown the data set's window at a time where its images keep their sizes."""
    return network if data.window is None else Tiled(network, data.window, batch=batch)


def starts(side: int, window: int, overlap: float) -> list[int]:
    """Where windows begin along a side: evenly, the first and last at its ends, at least `overlap` in common."""
    if side <= window:
        return [0]
    steps = ceil((side - window) / max(1, int(window * (1 - overlap))))
    return [round(step * (side - window) / steps) for step in range(steps + 1)]


def gaussian(window: tuple[int, ...]) -> Tensor:
    """The weight of a window's pixels; 1 in its middle."""
    weight = torch.ones(window)
    for axis, side in enumerate(window):
        away = torch.arange(side) - (side - 1) / 2
        along = torch.exp(-0.5 * (away / (SIGMA * side)) ** 2)
        weight = weight * along.view([-1 if other == axis else 1 for other in range(len(window))])
    return (weight / weight.max()).clamp(min=FLOOR)
