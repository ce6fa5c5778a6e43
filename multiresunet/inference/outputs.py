"""What `predict` can save of an image: a function of its prediction for each name.

Facts of an output: `suffix`: the one format that it has (else the user's choice); `pixelwise`: whether each pixel
follows from its own probabilities alone, so that it can be written while a large image is still being predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from multiresunet.data.readers import Array
from multiresunet.inference.prediction import Prediction, needs_several
from multiresunet.registries import OUTPUTS

OUTLINE = (0, 158, 255)
OUTLINES = (OUTLINE, (230, 120, 0), (0, 190, 110), (220, 80, 200), (240, 220, 60))  # of the classes, by turns
CLIP = 0.5  # per cent of the darkest and the brightest pixels that an overlay shows black and white


@dataclass(frozen=True)
class Predicted:
    """An image and its prediction.

    image: C×(D×)H×W, as it is in its file; None where it is too large to be held.
    instances: how instances are told apart.
    """

    prediction: Prediction
    image: Array | None = None
    instances: str = "components"


@OUTPUTS.register("mask", pixelwise=True)
def mask(predicted: Predicted) -> NDArray[np.uint8]:
    """0 and 255 of a picture, 0 and 1 of a volume; of classes their numbers 1, 2, …."""
    found = predicted.prediction.mask
    plain = len(predicted.prediction.probabilities) == 1 and found.ndim == 2
    return found * np.uint8(255) if plain else found


@OUTPUTS.register("probability", pixelwise=True)
def probability(predicted: Predicted) -> NDArray[np.float32]:
    """Probability of foreground, of whatever class: float32, but in PNG 16 bits for [0, 1]."""
    return predicted.prediction.foreground.astype(np.float32)


@OUTPUTS.register("uncertainty", pixelwise=True)
def uncertainty(predicted: Predicted) -> NDArray[np.float32]:
    """Standard deviation of the folds' probabilities of foreground: 0 where they agree, 0.5 at most."""
    return needs_several(predicted.prediction.spread).astype(np.float32)


@OUTPUTS.register("labels", pixelwise=False)
def labels(predicted: Predicted) -> NDArray[np.uint32]:
    """A number for each instance of foreground."""
    return predicted.prediction.labels(predicted.instances)


@OUTPUTS.register("overlay", pixelwise=False, suffix="png")
def overlay(predicted: Predicted) -> NDArray[np.uint8]:
    """The image with the outline of what is predicted; of a volume the plane with the most of it. H×W×3."""
    image, found = predicted.image, predicted.prediction.mask
    assert image is not None
    if found.ndim == 3:
        plane = int((found > 0).sum(axis=(1, 2)).argmax()) if found.any() else found.shape[0] // 2
        image, found = image[:, plane], found[plane]
    picture = displayed(image)
    for number in np.unique(found[found > 0]):
        inside = found == number
        picture[inside & ~ndimage.binary_erosion(inside, border_value=1)] = OUTLINES[(number - 1) % len(OUTLINES)]
    return picture


def displayed(image: Array) -> NDArray[np.uint8]:
    """C×H×W as a new H×W×3 for the eye: three 8-bit channels as they are, of all else the first, stretched."""
    if len(image) == 3 and image.dtype == np.uint8:
        return np.array(np.moveaxis(image, 0, -1), order="C")
    grey = image[0].astype(np.float32)
    low, high = np.percentile(grey, (CLIP, 100 - CLIP))
    grey = np.clip((grey - low) / max(float(high - low), 1e-12), 0, 1)
    return np.repeat(np.round(grey * 255).astype(np.uint8)[..., None], 3, axis=-1)
