"""Scores per image and per fold, the paper's way and the honest way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from multiresunet.data.arrays import Prepared
from multiresunet.evaluation.overlap import overlaps

SCORES = ("jaccard_paper", "jaccard_honest", "dice_paper", "dice_honest")


def per_image(
    data: Prepared,
    model: str,
    paper: NDArray[np.bool_],
    honest: NDArray[np.bool_],
) -> pd.DataFrame:
    """Score two sets of predictions, N×(D×)H×W each: of the best epoch on the test fold, and of the last epoch.

    Returns:
        One row a sample: model, fold, sample, group, and the four scores.
    """
    truth = torch.from_numpy(np.asarray(data.masks, dtype=bool))
    jaccard_paper, dice_paper = overlaps(torch.from_numpy(paper), truth)
    jaccard_honest, dice_honest = overlaps(torch.from_numpy(honest), truth)
    return pd.DataFrame(
        {
            "model": model,
            "fold": data.folds,
            "sample": data.table["sample"],
            "group": data.table["group"],
            "jaccard_paper": jaccard_paper.numpy(),
            "jaccard_honest": jaccard_honest.numpy(),
            "dice_paper": dice_paper.numpy(),
            "dice_honest": dice_honest.numpy(),
        }
    )


def per_fold(images: pd.DataFrame) -> pd.DataFrame:
    """Mean over the images of each fold: model, fold, images, and the four scores."""
    models = pd.Categorical(images["model"], categories=images["model"].unique())  # keeps their order
    grouped = images.assign(model=models).groupby(["model", "fold"], observed=True)
    means = grouped[list(SCORES)].mean()
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
