"""How two models are compared on a data set: which images, trainings and folds are independent, with what samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from multiresunet.config import Statistics
from multiresunet.evaluation.statistics import resampling
from multiresunet.evaluation.statistics.effects import Values, cohen_d, known_mean
from multiresunet.evaluation.statistics.significance import (
    corrected_error,
    permutation_p,
    t_interval,
    variance_of_rounding,
)
from multiresunet.evaluation.statistics.statistic import Index, MeanDifference, Statistic, TailDifference


@dataclass(frozen=True)
class Advantage:
    """How much better a model is than a reference.

    low, high: interval of the value. p: two-sided, of no difference; the larger of two where images and trainings each
    have a test. error, freedom: the value's standard error and its degrees of freedom. effect: the value in units of
    one unit's deviation (Cohen's d, for a mean). folds: each fold's own value. p_folds: of their corrected test.
    units: independent images (or folds, where these are what was compared). seeds: trainings of each fold.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    error: float = math.nan
    freedom: float = math.nan
    effect: float = math.nan
    folds: tuple[float, ...] = ()
    p_folds: float = math.nan
    units: int = 0
    seeds: int = 1

    @property
    def of_folds(self) -> float:
        """Mean over the folds' own values."""
        known = [value for value in self.folds if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    @property
    def agreeing(self) -> float:
        """Share of the folds whose own value is above 0."""
        known = [value for value in self.folds if not math.isnan(value)]
        return sum(value > 0 for value in known) / len(known) if known else math.nan

    def p_below(self, effect: float) -> float:
        """One-sided p-value of an advantage of `effect` or more; small if there is no such advantage."""
        if not self.error > 1e-12:
            return math.nan
        return float(stats.t.cdf((self.value - effect) / self.error, self.freedom))


@dataclass(frozen=True, eq=False)
class Way:
    """One way in which a comparison could have turned out otherwise: other images, or other trainings.

    index: of each cell, the unit that it belongs to. strata: sets of units drawn from separately. size: units of each.
    """

    index: Index
    strata: int
    size: int


class ComparisonDesign:
    """What all comparisons on a data set share: its folds, units and seeds, and the same random samples."""

    def __init__(self, folds: NDArray[np.int64], units: NDArray[np.int64], settings: Statistics, seed: int) -> None:
        """Prepare the samples, which are drawn when they are first needed.

        Args:
            folds: of each image.
            units: of each image, from `resampling.units_of`.
            settings: how many samples, and the intervals' confidence.
            seed: of the draws.
        """
        self.folds = np.unique(folds, return_inverse=True)[1].astype(np.int64)
        self.units, self.settings = units, settings
        self.count, self.independent = int(self.folds.max()) + 1, np.unique(units).size
        count = settings.resamples
        self._draws = cache(lambda strata, size: resampling.bootstrap(strata, size, count, (seed, 0, strata, size)))
        self._flips = cache(lambda units: resampling.sign_flips(units, count, (seed, 1, units)))

    def paired(self, differences: Values) -> Advantage:
        """Mean difference over images and seeds.

        Args:
            differences: N, or N×seeds. What isn't a number doesn't count; an image known with some seeds has their
                mean for the others.
        """
        cells, known, means = self._cells(differences)
        folds = tuple(known_mean(means[self.folds == fold]) for fold in range(self.count))
        if not known.any():
            return Advantage(math.nan, folds=folds, seeds=cells.shape[1])
        found = self._advantage(MeanDifference(cells.ravel()), known, cells.shape[1], folds)
        return replace(found, effect=cohen_d(means))

    def tails(self, model: Values, reference: Values, share: float) -> Advantage:
        """Difference of the means of each network's own worst predictions, all images and seeds together.

        Args:
            model: scores, N or N×seeds.
            reference: likewise.
            share: of the predictions, the worst ones.
        """
        ours, theirs = (scores.reshape(len(scores), -1) for scores in (model, reference))
        parts = [self.folds == fold for fold in range(self.count)]
        folds = tuple(TailDifference(ours[p].ravel(), theirs[p].ravel(), share).value for p in parts)
        whole = TailDifference(ours.ravel(), theirs.ravel(), share)
        return self._advantage(whole, np.ones(len(ours), dtype=bool), ours.shape[1], folds)

    def over_folds(self, differences: Values, resolution: float = 0.0) -> Advantage:
        """Mean of one difference a training, with the correction for training sets that overlap.

        A fold's trainings share its images and are no folds more: the interval is over the folds' means.

        Args:
            differences: one a fold, or folds×seeds.
            resolution: the step in which they are measured.
        """
        values = differences.reshape(len(differences), -1)
        cells, means = values.ravel(), values.mean(axis=1)
        centre = float(means.mean())
        error, freedom = corrected_error(means, resolution)
        low, high, p_folds = t_interval(centre, error, freedom, self.settings.confidence)
        p = p_folds
        if values.shape[1] > 1:
            swapped = MeanDifference(cells).swapped(self._flips(cells.size), np.arange(cells.size))
            p = max(p, permutation_p(swapped))
        folds = tuple(map(float, means))
        effect = cohen_d(means, math.sqrt(variance_of_rounding(resolution)))
        about = Advantage(centre, folds=folds, p_folds=p_folds, units=len(values), seeds=values.shape[1])
        return replace(about, low=low, high=high, p=p, error=error, freedom=freedom, effect=effect)

    def with_folds(self, advantage: Advantage, folds: Sequence[float]) -> Advantage:
        """An advantage whose folds' own values are these, where they aren't means of the images' numbers."""
        own = tuple(folds)
        return replace(advantage, folds=own, p_folds=self._p_folds(own))

    def interval(self, values: Values) -> tuple[float, float]:
        """Interval of a mean over images and seeds: N, or N×seeds; what isn't a number doesn't count."""
        cells, known, _ = self._cells(values)
        if not known.any():
            return math.nan, math.nan
        return self._spread(MeanDifference(cells.ravel()), self._ways(known, cells.shape[1]))[:2]

    @staticmethod
    def _cells(values: Values) -> tuple[Values, NDArray[np.bool_], Values]:
        """The numbers of the known images, which images are known, and each image's mean over seeds."""
        values = values.reshape(len(values), -1)
        finite = np.isfinite(values)
        known: NDArray[np.bool_] = np.any(finite, axis=1)
        means: Values = np.full(len(values), math.nan)
        means[known] = np.nanmean(values[known], axis=1)
        return np.where(finite, values, means[:, None])[known], known, means

    def _ways(self, known: NDArray[np.bool_], seeds: int) -> list[Way]:
        """What can be drawn again: images, and trainings where there are several of each fold."""
        unit = np.unique(self.units[known], return_inverse=True)[1]
        ways = [Way(np.repeat(unit, seeds), 1, int(unit.max()) + 1)]
        if seeds > 1:
            fold = np.unique(self.folds[known], return_inverse=True)[1]  # others have nothing to say
            training = fold[:, None] * seeds + np.arange(seeds)
            ways.append(Way(training.ravel(), int(fold.max()) + 1, seeds))
        return ways

    def _spread(self, statistic: Statistic, ways: list[Way]) -> tuple[float, float, float, float]:
        """Interval, standard error and its degrees of freedom.

        Bootstrap replicates over images and over trainings add up, as their variances do. Each is widened for what few
        units lose, and the percentiles are those of Student's t (Hesterberg 2015, section 3.2) with Satterthwaite's
        degrees of freedom. Not numbers if nothing varies, or for fewer than three units.
        """
        value = statistic.value
        replicates, variances = np.full(self.settings.resamples, value), []
        for way in ways:
            drawn = statistic.resampled(self._draws(way.strata, way.size), way.index) - value
            drawn *= math.sqrt(way.size / max(way.size - 1, 1))
            replicates = replicates + drawn
            variances.append((float(drawn.var()), way.strata * (way.size - 1)))
        error = math.sqrt(sum(variance for variance, _ in variances))
        if not error > 1e-12 or ways[0].size < 3:
            return math.nan, math.nan, math.nan, math.nan
        freedom = error**4 / sum(variance**2 / of for variance, of in variances)
        reach = float(stats.t.ppf((1 + self.settings.confidence) / 2, freedom))
        low, high = np.quantile(replicates, stats.norm.cdf([-reach, reach]))
        return float(low), float(high), error, freedom

    def _advantage(
        self, statistic: Statistic, known: NDArray[np.bool_], seeds: int, folds: tuple[float, ...]
    ) -> Advantage:
        """The statistic with its interval, and the larger p-value of its tests over images and over trainings."""
        ways = self._ways(known, seeds)
        low, high, error, freedom = self._spread(statistic, ways)
        p = max(permutation_p(statistic.swapped(self._flips(way.strata * way.size), way.index)) for way in ways)
        effect = statistic.value / (error * math.sqrt(ways[0].size))
        about = Advantage(statistic.value, low, high, p, error, freedom, effect, folds)
        return replace(about, p_folds=self._p_folds(folds), units=ways[0].size, seeds=seeds)

    def _p_folds(self, folds: tuple[float, ...]) -> float:
        known = np.array([value for value in folds if not math.isnan(value)])
        if known.size < 2:
            return math.nan
        error, freedom = corrected_error(known)
        return t_interval(float(known.mean()), error, freedom, self.settings.confidence)[2]
