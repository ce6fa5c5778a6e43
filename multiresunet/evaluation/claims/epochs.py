"""Claim 1, better results in fewer epochs: when does a network reach what the reference ends with?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from multiresunet.config import EpochsClaim
from multiresunet.evaluation.claims.verdict import Finding, Pair
from multiresunet.evaluation.statistics.design import ComparisonDesign


def epochs_to(curve: Sequence[float], target: float) -> int:
    """The first epoch, from 1, whose score is at least `target`; one more than there are if none is."""
    for epoch, score in enumerate(curve, start=1):
        if score >= target:
            return epoch
    return len(curve) + 1


def reached(history: pd.DataFrame, pair: Pair, shares: Sequence[float]) -> pd.DataFrame:
    """Epochs to shares of the reference's score after its last epoch, in the same fold.

    Args:
        history: model, fold, epoch, test_jaccard.
        pair: the two models.
        shares: of the reference's last score.

    Returns:
        One row a fold and share: fold, share, epochs, of_model, of_reference, area_model, area_reference; the areas
        under the learning curves are mean scores over epochs.
    """
    curves = {
        name: history[history["model"] == name].pivot_table(index="fold", columns="epoch", values="test_jaccard")
        for name in pair
    }
    rows = []
    for fold in curves[pair.reference].index:
        ours, theirs = (curves[name].loc[fold].dropna().to_numpy() for name in pair)
        rows += [
            {
                "fold": fold,
                "share": share,
                "epochs": len(theirs),
                "of_model": epochs_to(ours, share * theirs[-1]),
                "of_reference": epochs_to(theirs, share * theirs[-1]),
                "area_model": ours.mean(),
                "area_reference": theirs.mean(),
            }
            for share in shares
        ]
    return pd.DataFrame(rows)


def findings(
    history: pd.DataFrame,
    pair: Pair,
    design: ComparisonDesign,
    settings: EpochsClaim,
    min_effect: float,
    objection: str,
) -> list[Finding]:
    """Share of the epochs saved on the way to each share of the reference's last score, and the areas' difference.

    Args:
        history: model, fold, epoch, test_jaccard.
        pair: the two models.
        design: the data set's.
        settings: the shares, and which of them decides.
        min_effect: smallest effect of interest, a share of the epochs; a tenth of it for the areas.
        objection: why a share of the reference's score says nothing; empty if it does.
    """
    table = reached(history, pair, settings.shares)
    found = []
    for share in sorted(settings.shares, key=lambda s: s != settings.decisive):  # the decisive one first
        part = table[table["share"] == share]
        saved = ((part["of_reference"] - part["of_model"]) / part["epochs"]).to_numpy(dtype=np.float64)
        found.append(
            Finding(
                "epochs",
                f"epochs to {100 * share:g} % of the reference's last score",
                *pair,
                float(part["of_model"].mean()),
                float(part["of_reference"].mean()),
                design.over_folds(saved),
                "share of epochs",
                min_effect,
                decisive=share == settings.decisive,
                objection=objection,
                over_folds=True,
            )
        )
    areas = table.drop_duplicates("fold")
    found.append(
        Finding(
            "epochs",
            "area under the learning curve",
            *pair,
            float(areas["area_model"].mean()),
            float(areas["area_reference"].mean()),
            design.over_folds((areas["area_model"] - areas["area_reference"]).to_numpy(dtype=np.float64)),
            "Jaccard",
            min_effect / 10,
            over_folds=True,
        )
    )
    return found
