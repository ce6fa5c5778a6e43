"""Made-up networks for the tests of claims: better or not by construction."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import ndimage

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.claims.verdict import Finding, Pair, judge
from multiresunet.evaluation.statistics.design import ComparisonDesign

EVALUATE = config.load().evaluate
RULE = EVALUATE.verdict
FOLDS = np.repeat(np.arange(5), 6)
PAIR = Pair("a", "b")


def design(count: int = 30) -> ComparisonDesign:
    """Of `count` independent images in folds of six."""
    return ComparisonDesign(FOLDS[:count], np.arange(count), EVALUATE.statistics, 1)


def verdict(finding: Finding) -> str:
    """The verdict on a finding by itself."""
    return judge(finding, finding.advantage.p, RULE)[0]


def history(delays: dict[str, float], folds: int = 5, count: int = 40) -> pd.DataFrame:
    """Curves 0.8·(1 - exp(-epoch/delay)), with a fold's own jitter."""
    rng = np.random.default_rng(0)
    jitter = 1 + 0.05 * rng.normal(size=folds)
    rows = [
        {"model": m, "fold": f, "epoch": e, "test_jaccard": 0.8 * (1 - math.exp(-e / (delay * jitter[f])))}
        for m, delay in delays.items()
        for f in range(folds)
        for e in range(1, count + 1)
    ]
    return pd.DataFrame(rows)


def squares(count: int = 30) -> PreparedDataset:
    """48×48 images with a square whose left half stands out strongly, and whose right half hardly does."""
    rng = np.random.default_rng(2)
    masks = np.zeros((count, 48, 48), dtype=np.uint8)
    masks[:, 12:36, 8:40] = 1
    light = np.where(np.arange(48) < 24, 150, 12)
    images = 60 + masks * light + rng.normal(0, 2, masks.shape)
    table = pd.DataFrame({"sample": [f"s{i:02d}" for i in range(count)], "group": "", "fold": FOLDS[:count]})
    return PreparedDataset(images[:, None].astype(np.uint8), masks, table)


def blurred(data: PreparedDataset, strong: int, weak: int) -> np.ndarray:
    """Predictions whose boundary is `strong` pixels off in the left half and about `weak` in the right."""
    rng = np.random.default_rng(3)
    predictions = np.zeros(data.masks.shape, dtype=bool)
    for index, mask in enumerate(data.masks.astype(bool)):
        parts = [
            ndimage.binary_dilation(mask, iterations=off) if off else mask
            for off in (strong, max(0, weak + int(rng.integers(-1, 2))) if weak else 0)
        ]
        predictions[index, :, :24], predictions[index, :, 24:] = parts[0][:, :24], parts[1][:, 24:]
    return predictions


def lost(drop_a: float, drop_b: float, count: int = 30) -> pd.DataFrame:
    """What two networks lose of 0.8 when perturbed, with noise."""
    rng = np.random.default_rng(4)
    rows = [
        {"model": m, "kind": kind, "severity": s, "sample": f"s{i:02d}", "clean": 0.8, "drop": d}
        for m, drop in (("a", drop_a), ("b", drop_b))
        for kind in ("gaussian", "blur")
        for s in (1, 5)
        for i, d in enumerate(drop + 0.03 * rng.normal(size=count))
    ]
    table = pd.DataFrame(rows)
    return table.assign(jaccard=table["clean"] - table["drop"])
