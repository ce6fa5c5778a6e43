"""What was measured on a data set, by model and seed, in the shapes that comparisons take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from multiresunet.evaluation import BASELINES
from multiresunet.evaluation.statistics.effects import Values

NO_SEED = 0
"""In the column `seed` of what isn't trained: the baselines."""


class Pair(NamedTuple):
    """The two models of a comparison: the advantage is the model's over the reference."""

    model: str
    reference: str


def above_baselines(means: pd.Series[float], model: str) -> pd.Series[float]:
    """How far each training of a model is above the better baseline of its fold.

    Args:
        means: scores, by levels that include model and fold.
        model: its name.
    """
    best = means.loc[list(BASELINES)].groupby("fold").max()
    own: pd.Series[float] = means.loc[[model]]
    return own.sub(best, level="fold")


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison: what was measured of a model, with each of its seeds.

    images: scores of each image, seed by seed, in the data set's order.
    history: fold, seed, epoch, test_jaccard.
    lost: from `robustness.drops`.
    segments: from `low_contrast.measure`, with the seed.
    work: what an image costs, in multiply-adds (`nets.cost`).
    """

    model: str
    images: pd.DataFrame
    history: pd.DataFrame
    lost: pd.DataFrame
    segments: pd.DataFrame
    work: float

    @property
    def seeds(self) -> list[int]:
        """The seeds, in their order."""
        return [int(seed) for seed in self.images["seed"].unique()]

    @property
    def samples(self) -> list[str]:
        """The samples, in the data set's order."""
        return [str(sample) for sample in self.of_seed(self.seeds[0]).images["sample"]]

    def scores(self, column: str) -> Values:
        """A score of each image and seed: N×seeds."""
        parts = self.images.groupby("seed", sort=False)[column]
        return np.stack([part.to_numpy(dtype=np.float64) for _, part in parts], axis=1)

    def of_seed(self, seed: int) -> Side:
        """With one of the seeds."""

        def own(table: pd.DataFrame) -> pd.DataFrame:
            return table[table["seed"] == seed]

        parts = own(self.images), own(self.history), own(self.lost), own(self.segments)
        return Side(self.model, *parts, self.work)


class Sides(NamedTuple):
    """What was measured of the two models of a comparison."""

    model: Side
    reference: Side

    @property
    def pair(self) -> Pair:
        """Their names."""
        return Pair(self.model.model, self.reference.model)

    def scores(self, column: str) -> tuple[Values, Values]:
        """A score of each image and seed of both: N×seeds."""
        return self.model.scores(column), self.reference.scores(column)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was measured on a data set: the tables of `Side`, of every model, with a column `model`.

    images: the baselines' scores, too.
    distances: from each image to the training images, in the data set's order.
    work: of each model.
    """

    images: pd.DataFrame
    history: pd.DataFrame
    lost: pd.DataFrame
    segments: pd.DataFrame
    distances: Values
    work: Mapping[str, float]

    def side(self, model: str) -> Side:
        """What was measured of one model, or of a baseline."""

        def own(table: pd.DataFrame) -> pd.DataFrame:
            return table[table["model"] == model]

        parts = own(self.images), own(self.history), own(self.lost), own(self.segments)
        return Side(model, *parts, self.work.get(model, math.nan))

    def objection(self, models: Sequence[str], margin: float) -> str:
        """Which of the models don't beat the best baseline by `margin`, in how many trainings; empty if all do."""
        means = self.images.groupby(["model", "seed", "fold"])["jaccard"].mean()
        found = []
        for model in models:
            above = above_baselines(means, model)
            if poor := int((above < margin).sum()):
                of = "folds" if above.size == above.index.unique("fold").size else "trainings"
                found.append(f"{model} hardly beats the baselines in {poor} of {above.size} {of}")
        return " and ".join(found)
