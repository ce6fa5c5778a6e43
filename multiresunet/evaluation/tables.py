"""Scores per image and per fold, the paper's way and the honest way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.metrics.components import false_negatives_and_positives, fragments_and_holes
from multiresunet.evaluation.metrics.surface import Mask, Surfaces

SCORES = ("jaccard_best_epoch", "jaccard", "dice_best_epoch", "dice")
"""What the summary table holds."""

FOREGROUND = "foreground"
"""The class of a row that is about all foreground labels together."""


def measures(tolerances: Sequence[float]) -> list[str]:
    """The scores of the honest prediction beside `SCORES`, as columns; a tolerance is in the column's name."""
    near = [f"{name}_{tolerance:g}" for name in ("boundary_f1", "nsd") for tolerance in tolerances]
    return ["precision", "recall", *near, "hd95", "asd", "false_negatives", "false_positives", "fragments", "holes"]


LOWER_IS_BETTER = ("hd95", "asd", "false_negatives", "false_positives", "fragments", "holes")


def overlap(prediction: Mask, truth: Mask) -> dict[str, float]:
    """Jaccard index, Dice coefficient, precision |P∩T| / |P| and recall |P∩T| / |T| of one image.

    If prediction and truth are both empty, all are 1. If one is empty, all are 0: an empty prediction of something has
    no precision to be proud of.
    """
    both, predicted, true = (int(np.count_nonzero(m)) for m in (prediction & truth, prediction, truth))
    if not predicted and not true:
        return dict.fromkeys(("jaccard", "dice", "precision", "recall"), 1.0)
    return {
        "jaccard": both / (predicted + true - both),
        "dice": 2 * both / (predicted + true),
        "precision": both / predicted if predicted else 0.0,
        "recall": both / true if true else 0.0,
    }


def of_image(
    prediction: Mask, truth: Mask, tolerances: Sequence[float], spacing: Sequence[float] | None = None
) -> dict[str, float]:
    """All scores of one mask, (D×)H×W: overlap, boundary, components; distances in pixels or the spacing's unit.

    What empty masks and predictions score, the functions' own docstrings say: `overlap`, `Surfaces`,
    `false_negatives_and_positives`, `fragments_and_holes`.
    """
    surfaces = Surfaces.between(prediction, truth, spacing)
    missed, invented = false_negatives_and_positives(prediction, truth)
    pieces, holes = fragments_and_holes(prediction, truth)
    return {
        **overlap(prediction, truth),
        **{f"boundary_f1_{tolerance:g}": surfaces.boundary_f1(tolerance) for tolerance in tolerances},
        **{f"nsd_{tolerance:g}": surfaces.normalised(tolerance) for tolerance in tolerances},
        "hd95": surfaces.hausdorff95(),
        "asd": surfaces.average(),
        "false_negatives": missed,
        "false_positives": invented,
        "fragments": pieces,
        "holes": holes,
    }


def per_image(
    data: PreparedDataset,
    model: str,
    best_epoch: NDArray[np.bool_],
    last_epoch: NDArray[np.bool_],
    tolerances: Sequence[float],
) -> pd.DataFrame:
    """Score two sets of predictions, N×(D×)H×W each: of the best epoch on the test fold, and of the last epoch.

    Returns:
        One row a sample: model, fold, sample, group, class, the four scores, and `measures` of the last epoch.
    """
    rows = []
    for index in range(len(data.table)):
        truth = np.asarray(data.masks[index], dtype=bool)
        best, scores = overlap(best_epoch[index], truth), of_image(last_epoch[index], truth, tolerances)
        best = {f"{score}_best_epoch": value for score, value in best.items()}
        rows.append({name: (best | scores)[name] for name in (*SCORES, *measures(tolerances))})
    about = {"model": model, "fold": data.folds, "sample": data.table["sample"], "group": data.table["group"]}
    return pd.concat([pd.DataFrame(about | {"class": FOREGROUND}), pd.DataFrame(rows)], axis=1)


def per_class(
    data: PreparedDataset, model: str, best_epoch: NDArray[np.uint8], last_epoch: NDArray[np.uint8]
) -> pd.DataFrame:
    """Score two sets of labels, N×(D×)H×W, as `per_image`, but each of the data set's classes by itself.

    Returns:
        One row a class and sample: model, fold, sample, group, class, and the four scores.
    """
    about = {"model": model, "fold": data.folds, "sample": data.table["sample"], "group": data.table["group"]}
    tables = []
    for number, name in enumerate(data.classes, start=1):
        found: dict[str, list[float]] = {score: [] for score in SCORES}
        for index, mask in enumerate(data.masks):
            for end, labels in (("_best_epoch", best_epoch), ("", last_epoch)):
                scores = overlap(labels[index] == number, np.asarray(mask) == number)
                for score in ("jaccard", "dice"):
                    found[f"{score}{end}"].append(scores[score])
        tables.append(pd.DataFrame(about | {"class": name} | found))
    return pd.concat(tables, ignore_index=True)


def by_class(images: pd.DataFrame) -> pd.DataFrame:
    """`summary` of each class by itself, in the order of models and classes in `images`, a table of `per_class`."""
    parts = [summary(per_fold(part)).assign(**{"class": name}) for name, part in images.groupby("class", sort=False)]
    columns = ["model", "class", "folds", "images", *(f"{score}{end}" for score in SCORES for end in ("", "_sd"))]
    order = {model: place for place, model in enumerate(images["model"].unique())}
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return table[columns].sort_values("model", key=lambda models: models.map(order), kind="stable", ignore_index=True)


def per_fold(images: pd.DataFrame, names: Sequence[str] = SCORES) -> pd.DataFrame:
    """Mean over the images of each fold: model, fold, images, and the scores in `names`."""
    models = pd.Categorical(images["model"], categories=images["model"].unique())  # keeps their order
    grouped = images.assign(model=models).groupby(["model", "fold"], observed=True)
    means = grouped[list(names)].mean()
    means.insert(0, "images", grouped.size())
    return means.reset_index().astype({"model": str})


def summary(folds: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over folds, as the paper prints them.

    The deviation is that of a sample of folds (n - 1).

    Returns:
        One row a model: model, folds, images, and for each score its mean and `<score>_sd`.
    """
    rows = []
    for model, part in folds.groupby("model", sort=False):
        row: dict[str, object] = {"model": model, "folds": len(part), "images": int(part["images"].sum())}
        for score in SCORES:
            row |= {score: part[score].mean(), f"{score}_sd": part[score].std(ddof=1)}
        rows.append(row)
    return pd.DataFrame(rows)
