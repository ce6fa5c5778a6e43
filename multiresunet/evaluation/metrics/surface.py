"""Distances between the boundary of a prediction and that of the truth, and the scores that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Distances = NDArray[np.float64]


def boundary(mask: Mask) -> Mask:
    """Foreground pixels with a background neighbour across an edge (2-D) or a face (3-D).

    The frame of the image is no boundary: what lies beyond it, no network could have known.
    """
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=1))


@dataclass(frozen=True)
class Surfaces:
    """How far two boundaries are from each other.

    from_prediction: from each pixel of the predicted boundary to the nearest of the true one.
    from_truth: from each pixel of the true boundary, in the order of `np.nonzero`, to the nearest predicted one.
    farthest: the image's diagonal; it stands for every distance to a boundary that isn't there.
    equal: whether prediction and truth are the same.

    Distances are in pixels, or in the unit of the spacing.
    """

    from_prediction: Distances
    from_truth: Distances
    farthest: float
    equal: bool

    @classmethod
    def between(cls, prediction: Mask, truth: Mask, spacing: Sequence[float] | None = None) -> Surfaces:
        """Measure two masks of the same shape, (D×)H×W; `spacing` is the pixel's size along each axis."""
        sides = np.array(truth.shape) * (1.0 if spacing is None else np.array(spacing))
        farthest = float(np.sqrt((sides**2).sum()))
        predicted, true = boundary(prediction), boundary(truth)
        return cls(
            _distances(predicted, true, farthest, spacing),
            _distances(true, predicted, farthest, spacing),
            farthest,
            bool((prediction == truth).all()),
        )

    @property
    def _nothing_to_measure(self) -> bool:
        return not (self.from_prediction.size or self.from_truth.size)

    def hausdorff95(self) -> float:
        """95 % Hausdorff distance: of the two directed distances' 95th percentiles the greater.

        0 if the masks are equal, and the image's diagonal if one boundary, or both, are absent from unequal masks.
        """
        if self._nothing_to_measure:
            return 0.0 if self.equal else self.farthest
        return max(float(np.percentile(d, 95)) for d in (self.from_prediction, self.from_truth) if d.size)

    def average(self) -> float:
        """Average symmetric surface distance: the mean over the pixels of both boundaries.

        Absent boundaries: as for `hausdorff95`.
        """
        if self._nothing_to_measure:
            return 0.0 if self.equal else self.farthest
        return float(np.concatenate([self.from_prediction, self.from_truth]).mean())

    def boundary_f1(self, tolerance: float) -> float:
        """Harmonic mean of the shares of the predicted and of the true boundary within `tolerance` of the other.

        Csurka et al. 2013. 1 if the masks are equal; 0 if one boundary, or both, are absent from unequal masks.
        """
        if not (self.from_prediction.size and self.from_truth.size):
            return float(self.equal)
        precision, recall = (float((d <= tolerance).mean()) for d in (self.from_prediction, self.from_truth))
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def normalised(self, tolerance: float) -> float:
        """Normalised surface distance (surface Dice): the share of both boundaries within `tolerance` of the other.

        Nikolov et al. 2018, with pixels counted. 1 if the masks are equal; 0 if one boundary, or both, are absent.
        """
        if self._nothing_to_measure:
            return float(self.equal)
        return float((np.concatenate([self.from_prediction, self.from_truth]) <= tolerance).mean())


def _distances(origin: Mask, target: Mask, farthest: float, spacing: Sequence[float] | None) -> Distances:
    if not target.any():
        return np.full(int(origin.sum()), farthest)
    if not origin.any():
        return np.empty(0)
    return np.asarray(ndimage.distance_transform_edt(~target, sampling=spacing)[origin])
