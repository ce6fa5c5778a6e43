"""Connected components: false negatives and positives among them, and how broken the true regions are.

A region is a component of the truth; it is found if any of its pixels is predicted. Empty masks have no components.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from multiresunet.evaluation.masks import Mask, MaskPair, components
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
    """How many fragments too many, or too few, true regions are predicted as; mean over regions, background's too.

    A region in three fragments has two too many; one of which no pixel is right has one too few. So a prediction that
    is all foreground, or all background, isn't whole: it has lost a region. A perfect prediction has 0. What is ignored
    is background that joins others, and no region of its own.
    """
    wrong = regions = 0
    # Foreground hangs together across corners, so background doesn't.
    for reach, truth, prediction in (
        (masks.truth.ndim, masks.truth, masks.prediction),
        (1, ~masks.truth, ~masks.prediction),
    ):
        near = ndimage.generate_binary_structure(truth.ndim, reach)
        labels, count = ndimage.label(truth, near)
        pieces, _ = ndimage.label(truth & prediction, near)
        known = np.unique(labels)
        if masks.ignored is not None:  # what has no other pixel is neither region nor piece
            known, pieces = np.unique(labels[~masks.ignored]), np.where(masks.ignored, 0, pieces)
        first = np.unique(pieces, return_index=True)[1][int(pieces.min() == 0) :]  # of each piece, a pixel of it
        found = np.bincount(labels.flat[first], minlength=count + 1)[known[known > 0]]
        wrong, regions = wrong + int(np.abs(found - 1).sum()), regions + found.size
    return wrong / max(regions, 1)


@METRICS.register("holes", lower_is_better=True)
def holes(masks: MaskPair) -> float:
    """How many holes a true region has: true pixels left out and enclosed by predicted ones; mean over those found.

    A perfect prediction has 0. Not a number if no region is found, or if less than half of the background is: what is
    foreground nearly everywhere has no holes, but shows no region either.
    """
    background = masks.background
    if not masks.found or 2 * np.count_nonzero(background & ~masks.prediction) < np.count_nonzero(background):
        return float("nan")
    filled: Mask = ndimage.binary_fill_holes(masks.both) & masks.truth & ~masks.prediction
    return int(ndimage.label(filled)[1]) / masks.found
