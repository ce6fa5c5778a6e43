"""What a model predicts for one image, on the image's own grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from multiresunet.data.readers import Array
from multiresunet.errors import UserError
from multiresunet.registries import INSTANCES

Labels = NDArray[np.uint32]


@dataclass(frozen=True)
class Prediction:
    """Probabilities, and what follows from them.

    probabilities: K×(D×)H×W float32: of foreground (K = 1), or of the background and each class.
    spread: (D×)H×W: standard deviation of the networks' probabilities of foreground; None of a single network.
    threshold: of the probability of foreground.
    spacing: of the image, in mm along each axis; None if it isn't known.
    warnings: where the image lies outside of what the model has seen.
    """

    probabilities: NDArray[np.float32]
    spread: NDArray[np.float32] | None
    threshold: float
    spacing: tuple[float, ...] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def foreground(self) -> NDArray[np.float32]:
        """Probability that a pixel is foreground, of whatever class."""
        first: NDArray[np.float32] = self.probabilities[0]
        return first if len(self.probabilities) == 1 else 1 - first

    @property
    def mask(self) -> NDArray[np.uint8]:
        """1 for foreground, or 1, 2, … for the likeliest class; 0 where foreground is below the threshold."""
        inside = self.foreground >= self.threshold
        if len(self.probabilities) == 1:
            return inside.astype(np.uint8)
        return np.where(inside, 1 + self.probabilities[1:].argmax(axis=0), 0).astype(np.uint8)

    def labels(self, how: str = "components") -> Labels:
        """A number for each instance of foreground, 1, 2, …; 0 for background. `how`: a name of `INSTANCES`."""
        found: Labels = INSTANCES[how](self.foreground, self.mask > 0)
        return found


@INSTANCES.register("components")
def components(foreground: Array, mask: NDArray[np.bool_]) -> Labels:
    """What touches, corners included, is one instance."""
    return np.asarray(ndimage.label(mask, np.ones((3,) * mask.ndim))[0]).astype(np.uint32)


@INSTANCES.register("watershed")
def watershed(foreground: Array, mask: NDArray[np.bool_]) -> Labels:
    """Components, cut where they are narrow: from the middles of what is thick, by the distance to the border."""
    from skimage.segmentation import watershed as flooded

    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
    # A middle is the highest point within the radius of a small object, and no ripple of the border.
    radius = max(3, round(0.5 * float(np.percentile(distance[mask], 95)))) if mask.any() else 3
    highest = (ndimage.maximum_filter(distance, size=2 * radius + 1) == distance) & mask
    touching = np.ones((3,) * mask.ndim)
    parts, count = ndimage.label(mask, touching)
    # One within reach of a larger object has no such point, and its own highest is its middle.
    without = np.setdiff1d(np.arange(1, count + 1), parts[highest])
    for middle in ndimage.maximum_position(distance, parts, without):
        highest[middle] = True
    seeds = ndimage.label(highest, touching)[0]
    return np.asarray(flooded(-distance, seeds, connectivity=mask.ndim, mask=mask)).astype(np.uint32)


def needs_several(spread: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The networks' disagreement.

    Raises:
        UserError: if there is only one network.
    """
    if spread is None:
        raise UserError("uncertainty is the disagreement of the folds, and this is one network; use --folds all")
    return spread
