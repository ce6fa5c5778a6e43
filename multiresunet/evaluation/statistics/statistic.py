"""The two numbers that a comparison comes down to, each from the same cells: a score for each image and seed.

A sample of units (images, or trainings) is turned into weights, or into signs, of cells by an index: of each cell, the
unit that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from multiresunet.evaluation.statistics.effects import Values, lowest_mean, tail_mean
from multiresunet.evaluation.statistics.resampling import Bytes, chunks, product

Index = NDArray[np.int64]


class Statistic(Protocol):
    """How much better a model is than its reference, and what it would be in other samples."""

    @property
    def value(self) -> float:
        """As measured."""
        ...

    def resampled(self, draws: Bytes, index: Index) -> Values:
        """In each bootstrap sample."""
        ...

    def swapped(self, flips: Bytes, index: Index) -> Values:
        """If the two networks change names wherever the sign is -1."""
        ...


@dataclass(frozen=True, eq=False)
class MeanDifference:
    """Mean of the differences, one a cell."""

    differences: Values

    @property
    def value(self) -> float:
        """As measured."""
        return float(self.differences.mean())

    def resampled(self, draws: Bytes, index: Index) -> Values:
        """In each bootstrap sample."""
        count = np.bincount(index, minlength=draws.shape[1]).astype(float)
        sums = product(draws, np.stack([self._sums(index, draws.shape[1]), count], axis=1))
        return np.asarray(sums[:, 0] / sums[:, 1])

    def swapped(self, flips: Bytes, index: Index) -> Values:
        """If the two networks change names wherever the sign is -1."""
        return product(flips, self._sums(index, flips.shape[1])) / self.differences.size

    def _sums(self, index: Index, units: int) -> Values:
        sums: Values = np.bincount(index, self.differences, units).astype(np.float64)
        return sums


@dataclass(frozen=True, eq=False)
class TailDifference:
    """Difference of the means of each model's own lowest `share` of scores."""

    model: Values
    reference: Values
    share: float

    @property
    def value(self) -> float:
        """As measured."""
        return tail_mean(self.model, self.share) - tail_mean(self.reference, self.share)

    def resampled(self, draws: Bytes, index: Index) -> Values:
        """In each bootstrap sample."""
        counts = np.bincount(index, minlength=draws.shape[1]).astype(float)

        def tails(scores: Values) -> Values:
            order, found = np.argsort(scores, kind="stable"), []
            for some in chunks(draws, index.size):
                weights = _columns(some, index[order])
                found.append(lowest_mean(scores[order], weights, self.share * (some @ counts)))
            return np.concatenate(found)

        return tails(self.model) - tails(self.reference)

    def swapped(self, flips: Bytes, index: Index) -> Values:
        """If the two networks change names wherever the sign is -1."""
        both = np.concatenate([self.model, self.reference])
        order = np.argsort(both, kind="stable")
        values, columns = both[order], np.tile(index, 2)[order]
        own = np.repeat([0.5, -0.5], index.size)[order]

        def tails(some: Values, sign: int) -> Values:
            amounts = np.full(len(some), self.share * index.size)
            return lowest_mean(values, lambda places: 0.5 + some[:, columns[places]] * (sign * own[places]), amounts)

        return np.concatenate([tails(some, 1) - tails(some, -1) for some in chunks(flips, index.size)])


def _columns(samples: Values, of: Index) -> Callable[[slice], Values]:
    return lambda places: samples[:, of[places]]
