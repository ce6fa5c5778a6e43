"""Images that look alike: near-duplicates by perceptual hash, and how far folds leak because of them."""

from __future__ import annotations

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Hashes = NDArray[np.uint64]
DISTANCE = 6  # of 64 bits: within it lie frames of one endoscopy video, and no two lesions of different people
MOST = 20_000  # looked up at most, evenly spaced, so that the time stays linear


def perceptual_hash(image: NDArray[np.generic]) -> str:
    """64 bits, as 16 hexadecimal digits, of C×H×W or the middle slice of C×D×H×W; alike for images that look alike."""
    plane = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0, neginf=0).mean(axis=0)
    if plane.ndim == 3:
        plane = plane[len(plane) // 2]
    low, high = plane.min(), plane.max()
    grey = (plane - low) / max(high - low, np.finfo(np.float32).tiny) * 255
    return str(imagehash.phash(Image.fromarray(grey.astype(np.uint8))))


def parsed(hashes: list[str]) -> Hashes:
    """Hexadecimal digits as integers."""
    return np.array([int(text, 16) for text in hashes], dtype=np.uint64)


def near_duplicates(hashes: Hashes, units: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """For each of N samples that has any: the samples of other units (groups, folds) that look like it.

    Above `MOST` samples, only evenly spaced ones are looked up (against all).
    """
    found = {}
    for index in range(0, len(hashes), -(-len(hashes) // MOST) or 1):
        near = np.bitwise_count(hashes ^ hashes[index]) <= DISTANCE
        if others := np.flatnonzero(near & (units != units[index])).tolist():
            found[index] = np.array(others)
    return found


def leak(hashes: Hashes, folds: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each fold: the share of its (looked up) test images that have a near-duplicate in training."""
    leaky = near_duplicates(hashes, folds)
    looked_up = np.arange(0, len(hashes), -(-len(hashes) // MOST) or 1)
    hit = np.isin(looked_up, list(leaky))
    count = int(folds.max()) + 1
    totals = np.bincount(folds[looked_up], minlength=count)
    return np.asarray(np.bincount(folds[looked_up], weights=hit, minlength=count) / np.maximum(totals, 1))
