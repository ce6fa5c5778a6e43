"""Claim 3, more robust to perturbations: how much of its score a network retains when its images are perturbed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Evaluate, Perturbed
from multiresunet.data.dataset import PreparedDataset, Ragged, as_floats
from multiresunet.evaluation.claims.verdict import Finding
from multiresunet.evaluation.evidence import Side, Sides
from multiresunet.evaluation.masks import Masks, content, pair_of
from multiresunet.evaluation.metrics.overlap import jaccard
from multiresunet.evaluation.perturbations import perturb
from multiresunet.evaluation.statistics.design import ComparisonDesign
from multiresunet.evaluation.statistics.resampling import units_of
from multiresunet.seeds import seed_for

LEAST = 0.01  # mean score on images as they are, below which there is nothing to retain, and the share counts as 0

Floats = NDArray[np.float64]
Predict = Callable[[int, PreparedDataset], Masks]
"""From a fold and images to what the networks trained without the fold predict for them: N of (D×)H×W."""


@dataclass(frozen=True)
class PerturbationPlan:
    """How a data set's images are perturbed; all randomness comes from it, so that every model sees the same images.

    amounts: of each perturbation, by severity from 1.
    extent: how many images, and which severities.
    standardised: whether the preparation standardises images.
    grouped: whether the data set's groups bind images together.
    seed, dataset: with the names of sample and perturbation, where the randomness comes from.
    """

    amounts: Mapping[str, Sequence[float]]
    extent: Perturbed
    standardised: bool
    seed: int
    dataset: str
    grouped: bool = True

    def images(self, data: PreparedDataset) -> NDArray[np.int64]:
        """Indices of the images to perturb, in the data set's order, evenly by fold; of as many groups as possible."""
        order = np.random.default_rng(seed_for(self.seed, self.dataset, "perturbed")).permutation(len(data.table))
        groups = data.table["group"].tolist() if self.grouped else [""] * len(data.table)
        units = units_of(groups)[order]
        in_unit, in_fold = (pd.Series(of).groupby(of).cumcount().to_numpy() for of in (units, data.folds[order]))
        return np.sort(order[np.lexsort((in_fold, in_unit))][: self.extent.images])

    def perturbed(self, data: PreparedDataset, indices: NDArray[np.int64], kind: str, severity: int) -> PreparedDataset:
        """The images of `indices`, and their masks, after a perturbation."""
        table, amount = data.table.iloc[indices].reset_index(drop=True), self.amounts[kind][severity - 1]
        pairs = []
        for index, sample in zip(indices, table["sample"], strict=True):
            rng = np.random.default_rng(seed_for(self.seed, self.dataset, sample, kind, severity))
            image, labels = as_floats(np.array(data.images[index])), np.array(data.masks[index])
            own = content(data, int(index))
            changed, moved = perturb(image[(slice(None), *own)], labels[own], kind, amount, rng, self.standardised)
            image[(slice(None), *own)], labels[own] = changed, moved
            pairs.append((image, labels))
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
        images: scores on the images as they are: model, seed, sample, jaccard.
        perturbed: from `perturbed_scores`, with columns model and seed.
    """
    clean = images[["model", "seed", "sample", "jaccard"]].rename(columns={"jaccard": "clean"})
    table = perturbed.merge(clean, on=["model", "seed", "sample"], how="left", validate="many_to_one")
    return table.assign(drop=table["clean"] - table["jaccard"])


def table(lost: pd.DataFrame) -> pd.DataFrame:
    """Means over images and seeds: model, kind, severity, images, clean, jaccard, drop, retained = jaccard / clean.

    After each model's perturbations a row of kind `all` and severity 0 has the mean corruption score: the mean over
    kinds and severities, each counting the same.
    """
    means = (
        lost.groupby(["model", "kind", "severity"], sort=False)
        .agg(images=("sample", "nunique"), clean=("clean", "mean"), jaccard=("jaccard", "mean"), drop=("drop", "mean"))
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
    return result.assign(retained=(result["jaccard"] / result["clean"].where(result["clean"] >= LEAST)).fillna(0.0))


def retained(perturbed: Floats, clean: Floats) -> Floats:
    """Numbers, one an image and seed, whose mean is the share of the score that is left: Σ perturbed / Σ clean.

    Each is the share plus the image's part in its error, (perturbed - share·clean) / mean clean, so that intervals and
    tests of means are those of the share (the delta method). Ratios image by image would explode where `clean` is near
    0. All are 0 where the mean of `clean` is below `LEAST`.
    """
    mean = float(np.nanmean(clean))
    if not mean >= LEAST:
        return 0 * perturbed  # which stays unknown where nothing was perturbed
    share = float(np.nanmean(perturbed)) / mean
    return share + (perturbed - share * clean) / mean


def share_left(perturbed: Floats, clean: Floats) -> float:
    """Σ perturbed / Σ clean: 0 where `clean` is below `LEAST`, and not a number where nothing was perturbed."""
    if not np.isfinite(clean).any():
        return math.nan
    return float(np.nansum(perturbed) / np.nansum(clean)) if np.nanmean(clean) >= LEAST else 0.0


@lru_cache(maxsize=64)  # a side is compared with several others
def _by_kind(side: Side, column: str) -> Floats:
    """Means over severities, images×seeds×kinds; not a number for images that weren't perturbed."""
    kinds = list(side.lost["kind"].unique())
    wide = side.lost.pivot_table(index="sample", columns=["seed", "kind"], values=column)
    wide = wide.reindex(index=side.samples, columns=pd.MultiIndex.from_product([side.seeds, kinds]))
    return wide.to_numpy(dtype=np.float64).reshape(len(wide), len(side.seeds), len(kinds))


def findings(sides: Sides, design: ComparisonDesign, settings: Evaluate) -> list[Finding]:
    """The share of its score that a model retains, over all perturbations and by kind; the score then; the drop.

    The share decides. A drop punishes the better network, which has more to lose, and the score rewards it for what it
    is worth on clean images; of two networks that perturbations harm alike, neither has an advantage by the share.
    """
    min_effect = settings.verdict.min_effect["perturbations"]
    kinds = list(sides.model.lost["kind"].unique())

    def finding(
        measure: str,
        values: Callable[[Side], Floats],
        unit: str,
        sign: int = 1,
        *,
        of_folds: Sequence[float] | None = None,
        decisive: bool = False,
    ) -> Finding:
        ours, theirs = (values(side) for side in sides)
        means = (float(np.nanmean(ours)), float(np.nanmean(theirs)))
        advantage = design.paired(sign * (ours - theirs))
        if of_folds is not None:
            advantage = design.with_folds(advantage, of_folds)
        return Finding("perturbations", measure, sides.pair, *means, advantage, unit, min_effect, decisive)

    def of(side: Side, column: str, kind: str | None) -> Floats:
        found = _by_kind(side, column)
        return found.mean(axis=2) if kind is None else found[:, :, kinds.index(kind)]

    def share(kind: str | None) -> Callable[[Side], Floats]:
        return lambda side: retained(of(side, "jaccard", kind), of(side, "clean", kind))

    def shares(kind: str | None) -> list[float]:
        """Each fold's own difference, which isn't the mean of what `retained` says of its images."""
        parts = [design.folds == fold for fold in range(design.count)]
        ours, theirs = (
            [share_left(of(side, "jaccard", kind)[part], of(side, "clean", kind)[part]) for part in parts]
            for side in sides
        )
        return [one - other for one, other in zip(ours, theirs, strict=True)]

    return [
        finding("share retained when perturbed", share(None), "share", of_folds=shares(None), decisive=True),
        finding("score when perturbed", lambda side: of(side, "jaccard", None), "Jaccard"),
        finding("drop when perturbed", lambda side: of(side, "drop", None), "Jaccard", -1),
        *(finding(f"share retained: {kind}", share(kind), "share", of_folds=shares(kind)) for kind in kinds),
    ]
