"""Claim 4, more reliable on outliers: the worst predictions, and images unlike the training images."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import OutliersClaim
from multiresunet.data.dataset import PreparedDataset, as_floats
from multiresunet.evaluation.claims.verdict import Finding, Pair
from multiresunet.evaluation.statistics.design import ComparisonDesign
from multiresunet.evaluation.statistics.effects import tail_mean

Floats = NDArray[np.float64]


def features(data: PreparedDataset) -> Floats:
    """Numbers that describe each image: N×F.

    Each channel's mean, deviation, 5th and 95th percentile; the logarithm of the foreground's share, and how much
    brighter the foreground is than the background.
    """
    rows = []
    for index in range(len(data.table)):
        image, ignored = as_floats(np.asarray(data.images[index])).astype(np.float64), data.ignored(index)
        inside, flat = data.truth(index).ravel(), image.reshape(len(image), -1)
        if ignored is not None and not ignored.all():
            inside, flat = inside[~ignored.ravel()], flat[:, ~ignored.ravel()]
        low, high = np.percentile(flat, (5, 95), axis=1)
        depth = flat[:, inside].mean() - flat[:, ~inside].mean() if inside.any() and not inside.all() else 0.0
        share = np.log(max(inside.mean(), 1 / inside.size))
        rows.append(np.concatenate([flat.mean(axis=1), flat.std(axis=1), low, high, [share, depth]]))
    return np.array(rows)


def distance_to_training(table: Floats, folds: NDArray[np.int64]) -> Floats:
    """How far each image is from those that its fold's networks were trained on.

    Root mean square of its features, standardised with the training images' mean and deviation.
    """
    distances = np.empty(len(table))
    for fold in np.unique(folds):
        test = folds == fold
        centre, deviation = table[~test].mean(axis=0), table[~test].std(axis=0)
        scaled = (table[test] - centre) / np.maximum(deviation, 1e-9)
        distances[test] = np.sqrt((scaled**2).mean(axis=1))
    return distances


def table(images: pd.DataFrame, distances: pd.Series, settings: OutliersClaim) -> pd.DataFrame:
    """For each model: mean, the tail's mean, the far images' mean, failures (images below `failure`), images.

    Args:
        images: model, sample, jaccard.
        distances: by sample.
        settings: what is a tail, and what a failure.
    """
    far = set(distances.index[_far(distances.to_numpy(), settings.tail)])
    rows = []
    for model, part in images.groupby("model", sort=False):
        scores = part["jaccard"].to_numpy()
        rows.append(
            {
                "model": model,
                "images": len(part),
                "mean": scores.mean(),
                "tail": float(tail_mean(scores, np.ones_like(scores), settings.tail)),
                "far": part["jaccard"][part["sample"].isin(far)].mean(),
                "failures": int((scores < settings.failure).sum()),
            }
        )
    return pd.DataFrame(rows)


def _far(distances: Floats, share: float) -> NDArray[np.bool_]:
    return np.asarray(distances >= np.quantile(distances, 1 - share))


def findings(
    scores: tuple[Floats, Floats],
    distances: Floats,
    pair: Pair,
    design: ComparisonDesign,
    settings: OutliersClaim,
    min_effect: float,
) -> list[Finding]:
    """The tails' difference, that on far images, and that of the shares of failures.

    Args:
        scores: Jaccard index of each image, of the model and of the reference.
        distances: from `distance_to_training`.
        pair: the two models.
        design: the data set's.
        settings: what is a tail, and what a failure.
        min_effect: smallest effect of interest, in Jaccard index, and as a share of the images.
    """
    ours, theirs = scores
    tail = f"mean of the worst {settings.tail:.0%}"
    far = _far(distances, settings.tail)
    apart = design.tails(ours, theirs, settings.tail)
    ones = np.ones_like(ours)
    sides = [float(tail_mean(one, ones, settings.tail)) for one in scores]
    failed = [(one < settings.failure).astype(float) for one in scores]
    far_differences = np.where(far, ours - theirs, np.nan)
    return [
        Finding("outliers", tail, *pair, sides[0], sides[1], apart, "Jaccard", min_effect, decisive=True),
        Finding(
            "outliers",
            f"mean of the {settings.tail:.0%} farthest from the training images",
            *pair,
            float(ours[far].mean()),
            float(theirs[far].mean()),
            design.paired(far_differences),
            "Jaccard",
            min_effect,
        ),
        Finding(
            "outliers",
            f"share of failures (below {settings.failure:g})",
            *pair,
            float(failed[0].mean()),
            float(failed[1].mean()),
            design.paired(failed[1] - failed[0]),
            "share",
            min_effect,
        ),
    ]
