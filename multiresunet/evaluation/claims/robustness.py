"""Claim 3, more robust to perturbations: how much of its score a network loses when its images are perturbed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Perturbed
from multiresunet.data.dataset import PreparedDataset, Ragged, as_floats
from multiresunet.evaluation.claims.verdict import Finding, Pair
from multiresunet.evaluation.masks import Masks, pair_of
from multiresunet.evaluation.metrics.overlap import jaccard
from multiresunet.evaluation.perturbations import perturb
from multiresunet.evaluation.statistics.design import ComparisonDesign
from multiresunet.evaluation.statistics.resampling import units_of
from multiresunet.seeds import seed_for

Predict = Callable[[int, PreparedDataset], Masks]
"""From a fold and images to what the networks trained without the fold predict for them: N of (D×)H×W."""


@dataclass(frozen=True)
class PerturbationPlan:
    """How a data set's images are perturbed; all randomness comes from it, so that every model sees the same images.

    amounts: of each perturbation, by severity from 1.
    extent: how many images, and which severities.
    standardised: whether the preparation standardises images.
    seed, dataset: with the names of sample and perturbation, where the randomness comes from.
    """

    amounts: Mapping[str, Sequence[float]]
    extent: Perturbed
    standardised: bool
    seed: int
    dataset: str

    def images(self, data: PreparedDataset) -> NDArray[np.int64]:
        """Indices of the images to perturb, in the data set's order: of as many groups as possible, evenly by fold."""
        order = np.random.default_rng(seed_for(self.seed, self.dataset, "perturbed")).permutation(len(data.table))
        units = units_of(data.table["group"].tolist())[order]
        in_unit, in_fold = (pd.Series(of).groupby(of).cumcount().to_numpy() for of in (units, data.folds[order]))
        return np.sort(order[np.lexsort((in_fold, in_unit))][: self.extent.images])

    def perturbed(self, data: PreparedDataset, indices: NDArray[np.int64], kind: str, severity: int) -> PreparedDataset:
        """The images of `indices`, and their masks, after a perturbation."""
        table, amount = data.table.iloc[indices].reset_index(drop=True), self.amounts[kind][severity - 1]
        pairs = []
        for index, sample in zip(indices, table["sample"], strict=True):
            rng = np.random.default_rng(seed_for(self.seed, self.dataset, sample, kind, severity))
            image, labels = as_floats(np.asarray(data.images[index])), np.asarray(data.masks[index])
            pairs.append(perturb(image, labels, kind, amount, rng, self.standardised))
        images, masks = zip(*pairs, strict=True)
        if data.window is None:
            return PreparedDataset(np.stack(images), np.stack(masks), table)
        return PreparedDataset(Ragged.of(images), Ragged.of(masks), table, window=data.window)


def perturbed_scores(predict: Predict, data: PreparedDataset, plan: PerturbationPlan) -> pd.DataFrame:
    """Perturb test images in every way and score what the networks predict for them.

    Returns:
        One row a perturbation, severity and image: kind, severity, fold, sample, jaccard.
    """
    rows = []
    images = plan.images(data)
    for kind in plan.amounts:
        for severity in plan.extent.severities:
            for fold in np.unique(data.folds[images]):
                changed = plan.perturbed(data, images[data.folds[images] == fold], kind, severity)
                about = {"kind": kind, "severity": severity, "fold": int(fold)}
                predicted = predict(int(fold), changed)
                for place, (one, sample) in enumerate(zip(predicted, changed.table["sample"], strict=True)):
                    score = jaccard(pair_of(changed, place, one))
                    rows.append(about | {"sample": sample, "jaccard": score})
    return pd.DataFrame(rows)


def drops(images: pd.DataFrame, perturbed: pd.DataFrame) -> pd.DataFrame:
    """What each perturbation costs each image: `perturbed` with columns clean and drop = clean - jaccard.

    Args:
        images: scores on the images as they are: model, sample, jaccard.
        perturbed: from `perturbed_scores`, with a column model.
    """
    clean = images[["model", "sample", "jaccard"]].rename(columns={"jaccard": "clean"})
    table = perturbed.merge(clean, on=["model", "sample"], how="left", validate="many_to_one")
    return table.assign(drop=table["clean"] - table["jaccard"])


def table(lost: pd.DataFrame) -> pd.DataFrame:
    """Means over images: model, kind, severity, images, clean, jaccard, drop, retained = jaccard / clean.

    After each model's perturbations a row of kind `all` and severity 0 has the mean corruption score: the mean over
    kinds and severities, each counting the same.
    """
    means = (
        lost.groupby(["model", "kind", "severity"], sort=False)
        .agg(images=("sample", "size"), clean=("clean", "mean"), jaccard=("jaccard", "mean"), drop=("drop", "mean"))
        .reset_index()
    )
    parts = []
    for model, part in means.groupby("model", sort=False):
        whole = part[["images", "clean", "jaccard", "drop"]].mean().to_dict() | {
            "model": model,
            "kind": "all",
            "severity": 0,
        }
        parts += [part, pd.DataFrame([whole])]
    result = pd.concat(parts, ignore_index=True).astype({"images": int})
    return result.assign(retained=(result["jaccard"] / result["clean"].where(result["clean"] > 0)).fillna(0.0))


def findings(
    lost: pd.DataFrame,
    samples: Sequence[str],
    pair: Pair,
    design: ComparisonDesign,
    min_effect: float,
    objection: str,
) -> list[Finding]:
    """How much less of its score the model loses: over all perturbations, its score then, and each kind by itself.

    Args:
        lost: from `drops`.
        samples: the data set's, in its order; those that weren't perturbed don't count.
        pair: the two models.
        design: the data set's.
        min_effect: smallest effect of interest, in Jaccard index.
        objection: why a drop says nothing (a network that hardly beats the baselines has little to lose); or empty.
    """

    def of(name: str, column: str, part: pd.DataFrame) -> NDArray[np.float64]:
        rows = part[part["model"] == name]
        by_kind = rows.groupby(["sample", "kind"])[column].mean()
        return by_kind.groupby("sample").mean().reindex(list(samples)).to_numpy(dtype=np.float64)

    def finding(measure: str, column: str, part: pd.DataFrame, sign: int, **words: Any) -> Finding:
        ours, theirs = (of(name, column, part) for name in pair)
        means = (float(np.nanmean(ours)), float(np.nanmean(theirs)))
        advantage = design.paired(sign * (ours - theirs))
        return Finding("perturbations", measure, *pair, *means, advantage, "Jaccard", min_effect, **words)

    return [
        finding("drop when perturbed", "drop", lost, -1, decisive=True, objection=objection),
        finding("score when perturbed", "jaccard", lost, 1),
        *(
            finding(f"drop: {kind}", "drop", part, -1, objection=objection)
            for kind, part in lost.groupby("kind", sort=False)
        ),
    ]
