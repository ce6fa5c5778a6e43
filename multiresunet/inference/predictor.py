"""A trained model, and what it predicts for images that are prepared as its training images were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.inference import logits
from multiresunet.inference.samples import Read, predict_samples
from multiresunet.inference.tiles import Tiled
from multiresunet.nets import NetworkSpec
from multiresunet.nets.fused import fused
from multiresunet.training.loader import Loader

BATCH = 8  # images at a time; no result depends on it but for rounding


@dataclass(frozen=True)
class Predictor:
    """One trained network, or several of the same task whose probabilities are averaged.

    spec: the network's specification; of several, the first one's. Networks that were tuned may differ in filters,
        α, shares and ResPaths, never in dimensions, channels and classes.
    networks: with their weights, on `device`.
    window: of the patches that the networks learnt from; None if they have seen whole images.
    """

    spec: NetworkSpec
    networks: Sequence[nn.Module]
    device: torch.device
    window: tuple[int, ...] | None = None

    @cached_property
    def ready(self) -> list[nn.Module]:
        """The networks as they predict fastest; in windows, where they learnt from patches."""
        ready = [fused(network, self.device) for network in self.networks]
        return ready if self.window is None else [Tiled(one, self.window, batch=BATCH) for one in ready]

    def foreground(self, images: NDArray[Any], batch: int = BATCH) -> NDArray[np.float32]:
        """Probability that a pixel is foreground, of whatever class.

        Args:
            images: N×C×(D×)H×W as the training images were prepared: float32, in [0, 1] or z-scores; or uint8, which
                stands for [0, 1] in steps of 1/255. Sides of any length.
            batch: images at a time.

        Returns:
            N×(D×)H×W, in [0, 1].

        Raises:
            UserError: if the array's shape or type doesn't fit the network.
        """
        return self._mean(self.each(images, batch, logits.foreground))

    def probabilities(self, images: NDArray[Any], batch: int = BATCH) -> NDArray[np.float32]:
        """Probabilities of foreground, or of the background and each class: N×K×(D×)H×W; else as `foreground`."""
        return self._mean(self.each(images, batch, logits.probabilities))

    def each(
        self, images: NDArray[Any], batch: int = BATCH, read: Read = logits.probabilities
    ) -> Iterator[NDArray[np.float32]]:
        """What each network predicts by itself, one after the other; arguments as for `foreground`."""
        data = _as_dataset(images, self.spec)
        loader, everything = Loader(data, self.device), np.arange(len(images))
        for network in self.ready:
            yield np.asarray(predict_samples(network, loader, everything, batch, read))

    def _mean(self, each: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
        total = next(each)
        for other in each:
            total += other
        total /= len(self.networks)  # exact for a single one
        return total


def _as_dataset(images: NDArray[Any], spec: NetworkSpec) -> PreparedDataset:
    """Images without masks, as the loader reads them."""
    axes = "N×C×H×W" if spec.dims == 2 else "N×C×D×H×W"
    if images.ndim != spec.dims + 2 or images.shape[1] != spec.in_channels or not images.size:
        shape = "×".join(map(str, images.shape))
        raise UserError(f"images of shape {shape}: the network needs {axes} with C = {spec.in_channels} and N > 0")
    if images.dtype not in (np.uint8, np.float32):
        raise UserError(f"images of type {images.dtype}: must be float32 or uint8; convert with images.astype")
    size = images.shape[2:]
    masks = np.broadcast_to(np.uint8(0), (len(images), *size))
    table = pd.DataFrame({"sample": range(len(images)), "group": "", "fold": 0})
    return PreparedDataset(images, masks, table)
