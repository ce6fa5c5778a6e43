"""Predicted masks, a bit a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from multiresunet.evaluation import arrays
from multiresunet.evaluation.masks import Masks


def save(path: Path, masks: Masks) -> None:
    """Write N of (D×)H×W booleans, of one size or of several, as .npz; the same bytes for the same masks."""
    bits = [np.packbits(mask) for mask in masks]
    arrays.write(path, bits=np.concatenate(bits), shapes=np.array([mask.shape for mask in masks]))


def load(path: Path) -> Masks:
    """Read what `save` wrote."""
    with np.load(path) as read:
        bits, shapes = read["bits"], read["shapes"]
    counts = shapes.prod(axis=1)
    parts = np.split(bits, np.cumsum((counts + 7) // 8)[:-1])
    return [
        np.unpackbits(part, count=int(count)).astype(bool).reshape(shape)
        for part, count, shape in zip(parts, counts, shapes, strict=True)
    ]
