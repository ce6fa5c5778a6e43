"""Connected components: which are missed or invented, and how broken the found ones are."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from multiresunet.evaluation.metrics.surface import Mask


def _everywhere(mask: Mask) -> np.ndarray:
    return np.ones((3,) * mask.ndim)  # diagonal neighbours belong together


def false_negatives_and_positives(prediction: Mask, truth: Mask) -> tuple[int, int]:
    """True components of which no pixel is predicted, and predicted components that hold no true pixel.

    Empty masks have no components: an empty prediction misses all and invents none.
    """
    return _without(truth, prediction), _without(prediction, truth)


def _without(mask: Mask, other: Mask) -> int:
    labels, count = ndimage.label(mask, _everywhere(mask))
    return int(count - np.unique(labels[mask & other]).size)


def fragments_and_holes(prediction: Mask, truth: Mask) -> tuple[float, float]:
    """Into how many pieces a true region falls, and how many holes it has, on average over the regions found.

    A region is a component of the truth; it is found if any of its pixels is predicted. Its pieces are the components
    of what is predicted of it. Its holes are true pixels left out and shut in by predicted ones.
    A perfect prediction has 1 and 0; if no region is found, both are not a number.
    """
    of_regions = prediction & truth
    labels, _ = ndimage.label(truth, _everywhere(truth))
    found = np.unique(labels[of_regions]).size
    if not found:
        return float("nan"), float("nan")
    _, pieces = ndimage.label(of_regions, _everywhere(truth))
    filled = ndimage.binary_fill_holes(of_regions) & truth & ~of_regions
    _, holes = ndimage.label(filled)
    return pieces / found, holes / found
