"""Claim 3, more immune to perturbations: how much of a network's score is left when its images are perturbed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Perturbed
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.claims.verdict import Bench, Finding
from multiresunet.evaluation.perturbations import perturb
from multiresunet.evaluation.statistics import units_of
from multiresunet.evaluation.tables import overlap
from multiresunet.seeds import seed_for

Predict = Callable[[int, PreparedDataset], NDArray[np.bool_]]
"""From a fold and images to what the networks trained without the fold predict for them: N×(D×)H×W."""


def chosen(data: PreparedDataset, most: int, seed: int, name: str) -> NDArray[np.int64]:
    """At most `most` images, in the data set's order, the same for every model.

    As many groups as there can be, and as many of each fold.
    """
    order = np.random.default_rng(seed_for(seed, name, "perturbed")).permutation(len(data.table))
    units = units_of(data.table["group"].tolist())[order]
    in_unit, in_fold = (pd.Series(of).groupby(of).cumcount().to_numpy() for of in (units, data.folds[order]))
    return np.sort(order[np.lexsort((in_fold, in_unit))][:most])


def perturbed_scores(
    predict: Predict,
    data: PreparedDataset,
    amounts: Mapping[str, Sequence[float]],
    extent: Perturbed,
    *,
    standardised: bool,
    seed: int,
    name: str,
) -> pd.DataFrame:
    """Perturb test images in every way and score what the networks predict for them.

    Args:
        predict: the networks.
        data: the prepared data set.
        amounts: of each perturbation, by severity from 1.
        extent: how many images, and which severities.
        standardised: whether the preparation standardises images.
        seed, name: all randomness comes from the seed, the data set's name, the sample and the perturbation, so that
            every model meets the same images.

    Returns:
        One row a perturbation, severity and image: kind, severity, fold, sample, jaccard.
    """
    rows = []
    images = chosen(data, extent.images, seed, name)
    for kind, by_severity in amounts.items():
        for severity in extent.severities:
            for fold in np.unique(data.folds[images]):
                part = images[data.folds[images] == fold]
                changed = _perturbed(data, part, kind, by_severity[severity - 1], standardised, (seed, name, severity))
                for index, predicted in enumerate(predict(int(fold), changed)):
                    jaccard = overlap(predicted, changed.masks[index].astype(bool))["jaccard"]
                    sample = changed.table["sample"].iloc[index]
                    about = {"kind": kind, "severity": severity, "fold": int(fold), "sample": sample}
                    rows.append(about | {"jaccard": jaccard})
    return pd.DataFrame(rows)


def _perturbed(
    data: PreparedDataset,
    indices: NDArray[np.int64],
    kind: str,
    amount: float,
    standardised: bool,
    names: tuple[int, str, int],
) -> PreparedDataset:
    seed, name, severity = names
    table = data.table.iloc[indices].reset_index(drop=True)
    pairs = []
    for position, index in enumerate(indices):
        rng = np.random.default_rng(seed_for(seed, name, table["sample"].iloc[position], kind, severity))
        image = data.batch(indices[[position]])[0][0]
        pairs.append(perturb(image, np.asarray(data.masks[index], dtype=bool), kind, amount, rng, standardised))
    images, masks = (np.stack(parts) for parts in zip(*pairs, strict=True))
    return PreparedDataset(images, masks.astype(np.uint8), table)


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
    model: str,
    reference: str,
    bench: Bench,
    min_effect: float,
    objection: str,
) -> list[Finding]:
    """How much less of its score the model loses: over all perturbations, its score then, and each kind by itself.

    Args:
        lost: from `drops`.
        samples: the data set's, in its order; those that weren't perturbed don't count.
        model, reference: who is compared.
        bench: the data set's.
        min_effect: advantage worth the name.
        objection: why a drop says nothing: who has learnt nothing has nothing to lose.
    """

    def of(name: str, column: str, part: pd.DataFrame) -> NDArray[np.float64]:
        rows = part[part["model"] == name]
        by_kind = rows.groupby(["sample", "kind"])[column].mean()
        return by_kind.groupby("sample").mean().reindex(list(samples)).to_numpy(dtype=np.float64)

    def finding(measure: str, column: str, part: pd.DataFrame, sign: int, **words: Any) -> Finding:
        ours, theirs = of(model, column, part), of(reference, column, part)
        means = (float(np.nanmean(ours)), float(np.nanmean(theirs)))
        gain = bench.paired(sign * (ours - theirs))
        return Finding("perturbations", measure, model, reference, *means, gain, "Jaccard", min_effect, **words)

    return [
        finding("drop when perturbed", "drop", lost, -1, decisive=True, objection=objection),
        finding("score when perturbed", "jaccard", lost, 1),
        *(
            finding(f"drop: {kind}", "drop", part, -1, objection=objection)
            for kind, part in lost.groupby("kind", sort=False)
        ),
    ]
