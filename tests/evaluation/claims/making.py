"""Made-up networks for the tests of claims: better or not by construction."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import ndimage

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.claims import low_contrast
from multiresunet.evaluation.claims.verdict import Finding, judge
from multiresunet.evaluation.evidence import Pair, Side
from multiresunet.evaluation.statistics.design import ComparisonDesign

EVALUATE = config.load().evaluate
RULE = EVALUATE.verdict
FOLDS = np.repeat(np.arange(5), 6)
PAIR = Pair("a", "b")


SEEDS = (1, 2, 3)
SAMPLES = [f"s{i:02d}" for i in range(30)]


def design(count: int = 30) -> ComparisonDesign:
    """Of `count` independent images in folds of six."""
    return ComparisonDesign(FOLDS[:count], np.arange(count), EVALUATE.statistics, 1)


def verdict(finding: Finding) -> str:
    """The verdict on a finding by itself."""
    return judge(finding, finding.advantage.p, finding.advantage.p_below(finding.min_effect), RULE)[0]


def side(model: str, **tables: pd.DataFrame | float) -> Side:
    """One side of a comparison, of which only some tables are known."""
    none = pd.DataFrame({"seed": [], "epoch": []})
    images = pd.DataFrame({"model": model, "seed": np.repeat(SEEDS, 30), "sample": SAMPLES * 3, "fold": [*FOLDS] * 3})
    known = {"images": images, "history": none, "lost": none, "segments": none, "work": 1.0} | tables
    return Side(model, **known)  # type: ignore[arg-type]


def scored(model: str, seed: int = 0, **columns: np.ndarray) -> Side:
    """A side with scores of 30 images, to which each training adds a little of its own."""
    rng = np.random.default_rng(seed)
    one = side(model)
    own = 0.003 * rng.normal(size=(len(SEEDS), 5))[:, FOLDS].ravel()
    return side(model, images=one.images.assign(**{name: np.tile(v, 3) + own for name, v in columns.items()}))


def history(model: str, delay: float, folds: int = 5, count: int = 40, work: float = 1.0) -> Side:
    """Curves 0.8·(1 - exp(-epoch/delay)), with a training's own jitter."""
    jitter = 1 + 0.05 * np.random.default_rng(len(model)).normal(size=(folds, len(SEEDS)))
    rows = [
        {
            "model": model,
            "seed": s,
            "fold": f,
            "epoch": e,
            "test_jaccard": 0.8 * (1 - math.exp(-e / (delay * jitter[f, k]))),
        }
        for k, s in enumerate(SEEDS)
        for f in range(folds)
        for e in range(1, count + 1)
    ]
    return side(model, history=pd.DataFrame(rows), work=work)


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


def segmented(model: str, data: PreparedDataset, predictions: np.ndarray) -> Side:
    """A side that predicts the same with every seed."""
    table = low_contrast.measure(data, predictions, EVALUATE.low_contrast)
    return side(model, segments=pd.concat([table.assign(model=model, seed=seed) for seed in SEEDS]))


def lost(model: str, clean: float, share: float, count: int = 30) -> Side:
    """What a network retains of its score when perturbed, with noise."""
    rng = np.random.default_rng(ord(model[0]))
    rows = [
        {"model": model, "seed": seed, "kind": kind, "severity": s, "sample": f"s{i:02d}", "clean": clean, "jaccard": j}
        for seed in SEEDS
        for kind in ("gaussian", "blur")
        for s in (1, 5)
        for i, j in enumerate(clean * (share + 0.03 * rng.normal(size=count)))
    ]
    table = pd.DataFrame(rows)
    return side(model, lost=table.assign(drop=table["clean"] - table["jaccard"]))
