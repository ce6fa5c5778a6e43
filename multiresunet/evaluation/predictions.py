"""Predicted masks, a bit a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def save(path: Path, masks: NDArray[np.bool_]) -> None:
    """Write N×(D×)H×W booleans as .npz; the same bytes for the same masks."""
    np.savez_compressed(path, bits=np.packbits(masks), shape=np.array(masks.shape))


def load(path: Path) -> NDArray[np.bool_]:
    """Read what `save` wrote."""
    with np.load(path) as arrays:
        shape = tuple(int(side) for side in arrays["shape"])
        return np.unpackbits(arrays["bits"], count=int(np.prod(shape))).astype(bool).reshape(shape)
