"""Predict with trained networks.

>>> import tempfile
>>> from pathlib import Path
>>> import numpy as np
>>> from multiresunet.nets import NetworkSpec, build_network
>>> from multiresunet.training import checkpoint
>>> spec = NetworkSpec("multiresunet", dims=2, in_channels=1, filters=4)
>>> folder = Path(tempfile.mkdtemp())
>>> for fold in range(2):
...     checkpoint.save(folder / f"fold{fold}-last.safetensors", spec, build_network(spec).state_dict())
>>> model = load_model(folder)
>>> images = np.zeros((3, 1, 32, 48), dtype=np.float32)
>>> predict(model, images).shape
(3, 32, 48)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.inference.samples import predict_samples
from multiresunet.nets import NetworkSpec
from multiresunet.training import checkpoint
from multiresunet.training.loader import Loader

BATCH = 8  # images at a time; no result depends on it but for rounding


@dataclass(frozen=True)
class Model:
    """One trained network, or several of the same task whose probabilities are averaged.

    spec: the network's specification; of several, the first one's. Networks that were tuned may differ in filters,
        α, shares and ResPaths, never in dimensions, channels and classes.
    networks: with their weights, on `device`.
    """

    spec: NetworkSpec
    networks: Sequence[nn.Module]
    device: torch.device

    @property
    def classes(self) -> int:
        """How many kinds of foreground it knows: 1 if all foreground is one thing."""
        return max(1, self.spec.classes - 1)

    def predict(self, images: NDArray[Any], batch: int = BATCH) -> NDArray[np.float32]:
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
        data = _as_dataset(images, self.spec)
        loader, everything = Loader(data, self.device), np.arange(len(images))
        total = np.asarray(predict_samples(self.networks[0], loader, everything, batch), dtype=np.float32)
        for network in self.networks[1:]:
            total += np.asarray(predict_samples(network, loader, everything, batch))
        total /= len(self.networks)  # exact for a single one
        return total


def load_model(path: str | Path, device: torch.device | None = None) -> Model:
    """A trained model, from a folder that `train` wrote, or from one file of it.

    Args:
        path: a folder as data/trained/<dataset>/<model>/<seed>: the mean over the folds' networks after the last epoch;
            or a .safetensors file: that network alone.
        device: where to compute; a GPU if there is one, unless given.

    Raises:
        UserError: if there are no weights, or they can't be read.
    """
    path = Path(path)
    files = sorted(path.glob("fold*-last.safetensors"), key=_fold_of) if path.is_dir() else [path]
    if not files:
        raise UserError(
            f"{path}: no weights (fold*-last.safetensors) in this folder; run `dvc repro`, or `dvc checkout`"
        )
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    specs = [checkpoint.spec_of(file) for file in files]
    if len({(spec.dims, spec.in_channels, spec.classes) for spec in specs}) > 1:
        raise UserError(f"{path}: these networks differ in dimensions, channels or classes; give one file of them")
    return Model(specs[0], [checkpoint.load(file).to(device).eval() for file in files], device)


def predict(model: Model, images: NDArray[Any]) -> NDArray[np.float32]:
    """Probability that a pixel is foreground: `model.predict(images)`.

    Args:
        model: from `load_model`.
        images: N×C×(D×)H×W, as the training images were prepared; float32, or uint8 for [0, 1] in steps of 1/255.

    Returns:
        N×(D×)H×W, in [0, 1].

    Raises:
        UserError: if the array's shape or type doesn't fit the network.
    """
    return model.predict(images)


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


def _fold_of(path: Path) -> int:
    return int(path.name.removeprefix("fold").partition("-")[0])
