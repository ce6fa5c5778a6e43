"""Data that networks learn in seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multiresunet.data.dataset import PreparedDataset


def discs(count: int, size: tuple[int, ...], channels: int, folds: int) -> PreparedDataset:
    """Bright discs (or balls) on a dark, noisy ground: a data set that any network learns in seconds."""
    rng = np.random.default_rng(7)
    axes = np.stack(np.meshgrid(*(np.arange(side) for side in size), indexing="ij"))
    images = np.empty((count, channels, *size), dtype=np.uint8)
    masks = np.empty((count, *size), dtype=np.uint8)
    for i in range(count):
        centre = rng.uniform(0.3, 0.7, len(size)) * size
        radius = rng.uniform(0.18, 0.3) * min(size)
        inside = ((axes - centre.reshape(-1, *[1] * len(size))) ** 2).sum(axis=0) < radius**2
        masks[i] = inside
        images[i] = np.clip(60 + 120 * inside + rng.normal(0, 20, (channels, *size)), 0, 255)
    table = pd.DataFrame(
        {"sample": [f"disc_{i:02d}" for i in range(count)], "group": "", "fold": np.arange(count) % folds}
    )
    return PreparedDataset(images, masks, table)
