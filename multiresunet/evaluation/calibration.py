"""How reliable the predicted probabilities are, and what another threshold would give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.evaluation.masks import Masks

BINS = 10
THRESHOLDS = np.arange(1, 20) / 20


def reliability(probabilities: Sequence[NDArray[np.float32]], truth: Masks) -> pd.DataFrame:
    """Ten equal bins of the predicted probability: bin, pixels, probability (mean), foreground (share that is).

    Args:
        probabilities: of each image's pixels, in any shape.
        truth: likewise.
    """
    pixels, total, foreground = np.zeros(BINS, dtype=np.int64), np.zeros(BINS), np.zeros(BINS)
    for one, true in zip(probabilities, truth, strict=True):
        p = one.ravel().astype(np.float64)
        index = np.minimum((p * BINS).astype(int), BINS - 1)
        pixels += np.bincount(index, minlength=BINS)
        total += np.bincount(index, p, BINS)
        foreground += np.bincount(index, true.ravel(), BINS)
    some = np.maximum(pixels, 1)
    return pd.DataFrame(
        {
            "bin": np.arange(BINS),
            "pixels": pixels,
            "probability": total / some,
            "foreground": foreground / some,
        }
    )


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """One table of bins from several, of the same columns: the pixels of all, and the means over them."""
    weighted = ["probability", "foreground"]
    sums = table.assign(**{name: table[name] * table["pixels"] for name in weighted}).groupby("bin", sort=False)
    found = sums[["pixels", *weighted]].sum().reset_index()
    found[weighted] = found[weighted].div(found["pixels"].clip(lower=1), axis=0)
    return found


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Mean |probability - foreground| over the bins, weighted by their pixels (Naeini et al. 2015)."""
    gap = (table["probability"] - table["foreground"]).abs()
    return float((gap * table["pixels"]).sum() / max(int(table["pixels"].sum()), 1))


def by_threshold(probabilities: Sequence[NDArray[np.float32]], truth: Masks) -> pd.DataFrame:
    """Jaccard index, averaged over images, at thresholds from 0.05 to 0.95: threshold, jaccard."""
    # One pass over the pixels: a histogram over thresholds, of foreground and of all, says every overlap.
    rows = []
    for p, true in zip(probabilities, truth, strict=True):
        step = np.searchsorted(THRESHOLDS.astype(np.float32), p.ravel(), side="right")
        above_all, above_true = (
            np.bincount(step, weights, len(THRESHOLDS) + 1)[::-1].cumsum()[::-1][1:]
            for weights in (None, true.ravel().astype(float))
        )
        union = above_all + true.sum() - above_true
        rows.append(np.divide(above_true, union, out=np.ones(len(THRESHOLDS)), where=union > 0))
    return pd.DataFrame({"threshold": THRESHOLDS, "jaccard": np.mean(rows, axis=0)})
