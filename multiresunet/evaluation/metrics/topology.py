"""Connected components: false negatives and positives among them, and how broken the true regions are.

A region is a component of the truth; it is found if any of its pixels is predicted. Empty masks have no components.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from multiresunet.evaluation.masks import MaskPair, components
from multiresunet.registries import METRICS


@METRICS.register("false_negatives", lower_is_better=True)
def false_negatives(masks: MaskPair) -> int:
    """True components of which no pixel is predicted."""
    return masks.true_components[1] - masks.found


@METRICS.register("false_positives", lower_is_better=True)
def false_positives(masks: MaskPair) -> int:
    """Predicted components that have no true pixel."""
    labels, count = components(masks.prediction)
    return count - int(np.unique(labels[masks.both]).size)


@METRICS.register("fragments", lower_is_better=True)
def fragments(masks: MaskPair) -> float:
    """Into how many components the predicted part of a true region falls, on average over the regions found.

    A perfect prediction has 1; not a number if no region is found.
    """
    return components(masks.both)[1] / masks.found if masks.found else float("nan")


@METRICS.register("holes", lower_is_better=True)
def holes(masks: MaskPair) -> float:
    """How many holes a true region has: true pixels left out and enclosed by predicted ones; mean over those found.

    A perfect prediction has 0; not a number if no region is found.
    """
    if not masks.found:
        return float("nan")
    filled = ndimage.binary_fill_holes(masks.both) & masks.truth & ~masks.prediction
    return int(ndimage.label(filled)[1]) / masks.found
