"""Claim 4, more reliable on outliers: the worst predictions, and images unlike the training images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Evaluate, OutliersClaim
from multiresunet.data.dataset import PreparedDataset, as_floats
from multiresunet.evaluation.claims.verdict import Finding
from multiresunet.evaluation.evidence import Sides
from multiresunet.evaluation.statistics.design import Advantage, ComparisonDesign
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


def table(images: pd.DataFrame, distances: Floats, settings: OutliersClaim) -> pd.DataFrame:
    """For each model: images, mean, the tail's mean, the far images' mean, and how many fail (below `failure`).

    The tail is that of the predictions with all seeds together; failures are a mean over seeds.

    Args:
        images: model, seed, sample, jaccard; of each model and seed all samples, in the data set's order.
        distances: in that order.
        settings: what is a tail, and what a failure.
    """
    order = images.drop_duplicates("sample")["sample"]
    far = set(order[_far(distances, settings.tail)])
    rows = []
    for model, part in images.groupby("model", sort=False):
        scores, count = part["jaccard"].to_numpy(dtype=np.float64), part["sample"].nunique()
        failed, seeds = int((scores < settings.failure).sum()), len(part) // count
        rows.append(
            {
                "model": model,
                "images": count,
                "mean": scores.mean(),
                "tail": tail_mean(scores, settings.tail),
                "far": part["jaccard"][part["sample"].isin(far)].mean(),
                "failures": failed / seeds if failed % seeds else failed // seeds,
            }
        )
    return pd.DataFrame(rows)


def _far(distances: Floats, share: float) -> NDArray[np.bool_]:
    return np.asarray(distances >= np.quantile(distances, 1 - share))


def findings(sides: Sides, distances: Floats, design: ComparisonDesign, settings: Evaluate) -> list[Finding]:
    """The tails' difference, that on far images, and that of the shares of failures.

    Args:
        sides: the two models.
        distances: from `distance_to_training`.
        design: the data set's.
        settings: what is a tail, what a failure, and the smallest effect of interest: of Jaccard, or of failures.
    """
    rule, (ours, theirs) = settings.outliers, sides.scores("jaccard")
    far = _far(distances, rule.tail)[:, None]
    failed = [(scores < rule.failure).astype(float) for scores in (ours, theirs)]

    min_effect = settings.verdict.min_effect["outliers"]

    def finding(
        measure: str, means: Sequence[float | np.floating], advantage: Advantage, unit: str, decisive: bool
    ) -> Finding:
        of_model, of_reference = map(float, means)
        # No score is below 0: of two networks that miss these images altogether neither is shown to be no better.
        missed = unit == "Jaccard" and max(of_model, of_reference) < min_effect
        reason = "both miss these images altogether, so there is nothing to compare" if missed else ""
        numbers = (of_model, of_reference, advantage, unit, min_effect, decisive)
        return Finding("outliers", measure, sides.pair, *numbers, bounded=reason)

    return [
        finding(
            f"mean of the worst {rule.tail:.0%}",
            [tail_mean(scores.ravel(), rule.tail) for scores in (ours, theirs)],
            design.tails(ours, theirs, rule.tail),
            "Jaccard",
            True,
        ),
        finding(
            f"mean of the {rule.tail:.0%} farthest from the training images",
            [scores[far.ravel()].mean() for scores in (ours, theirs)],
            design.paired(np.where(far, ours - theirs, np.nan)),
            "Jaccard",
            False,
        ),
        finding(
            f"share of failures (below {rule.failure:g})",
            [shares.mean() for shares in failed],
            design.paired(failed[1] - failed[0]),
            "share",
            False,
        ),
    ]
