"""Claim 1, better results in fewer epochs: when does a network reach what the reference ends with?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from multiresunet.config import Evaluate
from multiresunet.evaluation.claims.verdict import Finding
from multiresunet.evaluation.evidence import Side, Sides
from multiresunet.evaluation.statistics.design import ComparisonDesign
from multiresunet.evaluation.statistics.effects import Values


def epochs_to(curve: Iterable[float], target: float, never: int) -> int:
    """The first epoch, from 1, whose score is at least `target`; `never` if none is."""
    return next((epoch for epoch, score in enumerate(curve, start=1) if score >= target), never)


@lru_cache(maxsize=64)  # a side is compared with several others
def curves(side: Side) -> Values:
    """Test scores after each epoch: folds×seeds×epochs."""
    table = side.history.pivot_table(index=["fold", "seed"], columns="epoch", values="test_jaccard", sort=True)
    return table.to_numpy(dtype=np.float64).reshape(side.history["fold"].nunique(), -1, table.shape[1])


def reached(sides: Sides, share: float) -> tuple[Values, Values]:
    """The epochs in which the model, and the reference, reach a share of the reference's last score: folds×seeds each.

    That score is the reference's mean over seeds in the same fold. Who never reaches it counts as one epoch more than
    the longer of the two trainings has: a short training doesn't reach it sooner by ending.
    """
    ours, theirs = (curves(side) for side in sides)
    targets = share * theirs[:, :, -1].mean(axis=1)
    never = max(ours.shape[-1], theirs.shape[-1]) + 1

    def epochs(of: Values) -> Values:
        rows = [[epochs_to(curve, target, never) for curve in fold] for fold, target in zip(of, targets, strict=True)]
        return np.array(rows, dtype=np.float64)

    return epochs(ours), epochs(theirs)


def findings(sides: Sides, design: ComparisonDesign, settings: Evaluate) -> list[Finding]:
    """Share of the epochs saved on the way to shares of the reference's last score; likewise of the work; the areas.

    An epoch of a larger network takes longer, so the work counts each model's multiply-adds, and its memory traffic in
    the same unit (`nets.cost`). The areas under the learning curves are mean scores over the epochs that both have.
    """
    min_effect = settings.verdict.min_effect["epochs"]
    total = curves(sides.reference).shape[-1]
    relative = sides.model.work / sides.reference.work
    images = design.independent
    found = []

    def saved(
        measure: str, ours: Values, theirs: Values, unit: str, *, cost: float = 1.0, decisive: bool = False
    ) -> None:
        # Both are rounded to whole epochs; ours by `cost` more.
        resolution = math.sqrt((1 + cost**2) / 2) / total
        advantage = design.over_folds((theirs - cost * ours) / total, resolution=resolution)
        means = float(cost * ours.mean()), float(theirs.mean())
        # The first epoch is the soonest that anyone can be seen to be there.
        soon = (means[1] - cost) / total < min_effect
        early = f"{sides.pair.reference} is there after {means[1]:.1f} epochs, too soon to save a relevant share"
        numbers = (*means, advantage, unit, min_effect, decisive)
        found.append(Finding("epochs", measure, sides.pair, *numbers, bounded=early if soon else "", images=images))

    for share in settings.epochs.shares:
        ours, theirs = reached(sides, share)
        words = f"{100 * share:g} % of the reference's last score"
        saved(f"epochs to {words}", ours, theirs, "share of epochs", decisive=share == settings.epochs.decisive)
        if math.isfinite(relative):
            saved(f"work to {words}, in the reference's epochs", ours, theirs, "share of work", cost=relative)
    both = min(curves(side).shape[-1] for side in sides)
    areas = [curves(side)[..., :both].mean(axis=-1) for side in sides]
    found.append(
        Finding(
            "epochs",
            "area under the learning curve",
            sides.pair,
            float(areas[0].mean()),
            float(areas[1].mean()),
            design.over_folds(areas[0] - areas[1]),
            "Jaccard",
            min_effect / 10,
            images=images,
        )
    )
    return found
