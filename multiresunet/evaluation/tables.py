"""Scores per image, class and fold, of the best epoch on the test fold and of the last epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import metrics
from multiresunet.evaluation.masks import MaskPair, Masks, pair_of
from multiresunet.evaluation.metrics import BEST_EPOCH

HEADLINES = [column for column in metrics.columns([]) if column.headline]
SCORES = tuple(name for column in HEADLINES for name in (f"{column.name}{BEST_EPOCH}", column.name))
"""What the summary table holds."""

FOREGROUND = "foreground"
"""The class of a row that is about all foreground labels together."""


def per_image(
    data: PreparedDataset,
    model: str,
    best_epoch: Masks,
    last_epoch: Masks,
    tolerances: Sequence[float],
) -> pd.DataFrame:
    """Score two sets of predictions, N×(D×)H×W each: of the best epoch on the test fold, and of the last epoch.

    Returns:
        One row a sample: model, fold, sample, group, class, the columns that `metrics.names` names, both_empty (1 where
        neither truth nor the last epoch's prediction has anything, so that it counts as perfect), and unit (of the
        distances: mm, or pixels of the files).
    """
    names, rest = metrics.names(tolerances), [c for c in metrics.columns(tolerances) if not c.headline]
    rows = []
    for index, (best, last) in enumerate(zip(best_epoch, last_epoch, strict=True)):
        pair = pair_of(data, index, last)
        found = _headlines(pair_of(data, index, best), pair) | {column.name: column(pair) for column in rest}
        rows.append({name: found[name] for name in names} | {"both_empty": int(pair.counts == (0, 0, 0))})
    return pd.concat([_about(data, model, FOREGROUND), pd.DataFrame(rows)], axis=1).assign(unit=data.unit)


def per_class(
    data: PreparedDataset, model: str, best_epoch: Sequence[NDArray[np.uint8]], last_epoch: Sequence[NDArray[np.uint8]]
) -> pd.DataFrame:
    """Score two sets of labels, N×(D×)H×W, as `per_image`, but each of the data set's classes by itself.

    Returns:
        One row a class and sample: model, fold, sample, group, class, and `SCORES`.
    """
    tables = []
    for number, name in enumerate(data.classes, start=1):
        rows = [
            _headlines(
                *(
                    pair_of(data, index, labels == number, np.asarray(data.masks[index]) == number)
                    for labels in (best, last)
                )
            )
            for index, (best, last) in enumerate(zip(best_epoch, last_epoch, strict=True))
        ]
        tables.append(pd.concat([_about(data, model, name), pd.DataFrame(rows, columns=list(SCORES))], axis=1))
    return pd.concat(tables, ignore_index=True)


def _headlines(best: MaskPair, last: MaskPair) -> dict[str, float]:
    return {n: v for c in HEADLINES for n, v in ((f"{c.name}{BEST_EPOCH}", c(best)), (c.name, c(last)))}


def _about(data: PreparedDataset, model: str, name: str) -> pd.DataFrame:
    about = {"model": model, "fold": data.folds, "sample": data.table["sample"], "group": data.table["group"]}
    return pd.DataFrame(about | {"class": name})


def by_class(images: pd.DataFrame) -> pd.DataFrame:
    """`summary` of each class by itself, in the order of models and classes in `images`, a table of `per_class`."""
    parts = [summary(per_fold(part)).assign(**{"class": name}) for name, part in images.groupby("class", sort=False)]
    columns = ["model", "class", "folds", "images", *(f"{score}{end}" for score in SCORES for end in ("", "_sd"))]
    order = {model: place for place, model in enumerate(images["model"].unique())}
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return table[columns].sort_values("model", key=lambda models: models.map(order), kind="stable", ignore_index=True)


def per_fold(images: pd.DataFrame, names: Sequence[str] = SCORES) -> pd.DataFrame:
    """Mean over the images of each fold, and seeds: model, fold, images, both_empty (their number), and `names`."""
    models = pd.Categorical(images["model"], categories=images["model"].unique())  # keeps their order
    grouped = images.assign(model=models).groupby(["model", "fold"], observed=True)
    means = grouped[list(names)].mean()
    means.insert(0, "images", grouped["sample"].nunique())
    empty = grouped["both_empty"].mean() * means["images"] if "both_empty" in images else 0.0 * means["images"]
    means.insert(1, "both_empty", empty.round().astype(int))
    return means.reset_index().astype({"model": str})


def learning_curves(history: pd.DataFrame) -> pd.DataFrame:
    """Mean over folds after each epoch, in the order of models: model, epoch, train_loss, test_loss, test_jaccard."""
    columns = ["train_loss", "test_loss", "test_jaccard"]
    return history.groupby(["model", "epoch"], sort=False)[columns].mean().reset_index()


def summary(folds: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over folds, as the paper prints them.

    The deviation is that of a sample of folds (n - 1).

    Returns:
        One row a model: model, folds, images, both_empty (images that count as perfect since there is nothing to find
        and nothing was found), and for each score its mean and `<score>_sd`.
    """
    rows = []
    for model, part in folds.groupby("model", sort=False):
        row: dict[str, object] = {"model": model, "folds": len(part), "images": int(part["images"].sum())}
        row["both_empty"] = round(part["both_empty"].sum()) if "both_empty" in part else 0
        for score in SCORES:
            row |= {score: part[score].mean(), f"{score}_sd": part[score].std(ddof=1)}
        rows.append(row)
    return pd.DataFrame(rows)
