"""Distances between the boundary of a prediction and that of the truth. The frame of an image is no boundary.

MONAI's, in which it is, stand beside them: they agree where no mask touches the frame.

Tolerances are in pixels of the arrays compared: a finer one would count nothing but pixels that coincide.
"""

from __future__ import annotations

import numpy as np

from multiresunet.evaluation.masks import MaskPair
from multiresunet.registries import METRICS


@METRICS.register("boundary_f1", compared=True, per_tolerance=True)
def boundary_f1(masks: MaskPair, tolerance: float) -> float:
    """Harmonic mean of the shares of the predicted and of the true boundary within `tolerance` of the other.

    Csurka et al. 2013. 1 if the masks are equal; 0 if one boundary, or both, are absent from unequal masks.
    """
    grid = masks.on_the_grid
    if not (grid.from_prediction.size and grid.from_truth.size):
        return float(masks.equal)
    precision, recall = (float((d <= tolerance).mean()) for d in (grid.from_prediction, grid.from_truth))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@METRICS.register("nsd", compared=True, per_tolerance=True)
def normalised_surface_distance(masks: MaskPair, tolerance: float) -> float:
    """Normalised surface distance (surface Dice): the share of both boundaries within `tolerance` of the other.

    Nikolov et al. 2018, with pixels counted. 1 if the masks are equal; 0 if one boundary, or both, are absent.
    """
    distances = np.concatenate([masks.on_the_grid.from_prediction, masks.on_the_grid.from_truth])
    return float((distances <= tolerance).mean()) if distances.size else float(masks.equal)


@METRICS.register("hd95", compared=True, lower_is_better=True, distance=True)
def hausdorff95(masks: MaskPair) -> float:
    """95 % Hausdorff distance: of the two directed distances' 95th percentiles the greater.

    0 if the masks are equal, and the image's diagonal if one boundary, or both, are absent from unequal masks.
    """
    known = [d for d in (masks.from_prediction, masks.from_truth) if d.size]
    return max(float(np.percentile(d, 95)) for d in known) if known else _without_boundaries(masks)


@METRICS.register("asd", compared=True, lower_is_better=True, distance=True)
def average_surface_distance(masks: MaskPair) -> float:
    """Average symmetric surface distance: the mean over the pixels of both boundaries.

    Absent boundaries: as for `hausdorff95`.
    """
    distances = np.concatenate([masks.from_prediction, masks.from_truth])
    return float(distances.mean()) if distances.size else _without_boundaries(masks)


@METRICS.register("hd95_framed", lower_is_better=True, distance=True)
def framed_hausdorff95(masks: MaskPair) -> float:
    """`hausdorff95` by MONAI's convention, in which the frame of the image is boundary too: comparable with others'."""
    return float(hausdorff95(masks.with_frame))


@METRICS.register("asd_framed", lower_is_better=True, distance=True)
def framed_average_surface_distance(masks: MaskPair) -> float:
    """`average_surface_distance` by MONAI's convention: see `framed_hausdorff95`."""
    return float(average_surface_distance(masks.with_frame))


def _without_boundaries(masks: MaskPair) -> float:
    return 0.0 if masks.equal else masks.farthest
