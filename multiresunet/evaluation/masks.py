"""A predicted mask beside the true one, and what several metrics need to know of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from multiresunet.data.dataset import PreparedDataset, sides

Mask = NDArray[np.bool_]
Masks = Sequence[Mask]
Distances = NDArray[np.float64]
GRID_UNIT = "pixels of the network"
"""The unit of distances on the grid that masks are compared on, whatever the files' pixels are."""


def boundary(mask: Mask, ignored: Mask | None = None, *, framed: bool = False) -> Mask:
    """Foreground pixels with a background neighbour across an edge (2-D) or a face (3-D).

    The frame of the image is no boundary: what lies beyond it, no network could have known. If `framed`, it is one, as
    if all beyond it were background: MONAI's convention. The frame of what is `ignored` never is.
    """
    solid = mask if ignored is None else mask | ignored
    return np.asarray(mask & ~ndimage.binary_erosion(solid, border_value=0 if framed else 1))


def components(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """The number of each pixel's connected component (0 for background), and how many there are.

    Pixels that touch at a corner are connected.
    """
    labels, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
    return labels, int(count)


@dataclass(frozen=True, eq=False)
class MaskPair:
    """Prediction and truth of one image, (D×)H×W each; what follows from them is computed once, when it is asked for.

    spacing: a pixel's size along each axis; distances are in its unit, or in pixels without it.
    ignored: where nobody knows the truth; there, both masks are taken as empty.
    framed: whether the frame of the image counts as boundary, as `boundary` says.
    """

    prediction: Mask
    truth: Mask
    spacing: Sequence[float] | None = None
    ignored: Mask | None = None
    framed: bool = False

    def __post_init__(self) -> None:
        if self.ignored is not None:
            for name in ("prediction", "truth"):
                object.__setattr__(self, name, getattr(self, name) & ~self.ignored)

    @cached_property
    def with_frame(self) -> MaskPair:
        """The same two masks, the image's frame being boundary."""
        return replace(self, framed=True)

    @cached_property
    def on_the_grid(self) -> MaskPair:
        """The same two masks, distances being in `GRID_UNIT`."""
        return self if self.spacing is None else replace(self, spacing=None)

    @cached_property
    def both(self) -> Mask:
        """The true pixels that are predicted."""
        return np.asarray(self.prediction & self.truth)

    @cached_property
    def background(self) -> Mask:
        """Where the truth is known to be background."""
        return ~self.truth if self.ignored is None else ~self.truth & ~self.ignored

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """How many pixels are predicted and true, predicted, true."""
        both, predicted, true = (int(np.count_nonzero(m)) for m in (self.both, self.prediction, self.truth))
        return both, predicted, true

    @cached_property
    def equal(self) -> bool:
        """Whether prediction and truth are the same."""
        return bool((self.prediction == self.truth).all())

    @cached_property
    def farthest(self) -> float:
        """The image's diagonal; it stands for every distance to a boundary that isn't there."""
        sides = np.array(self.truth.shape) * (1.0 if self.spacing is None else np.array(self.spacing))
        return float(np.sqrt((sides**2).sum()))

    @cached_property
    def predicted_boundary(self) -> Mask:
        """`boundary` of the prediction."""
        return boundary(self.prediction, self.ignored, framed=self.framed)

    @cached_property
    def true_boundary(self) -> Mask:
        """`boundary` of the truth."""
        return boundary(self.truth, self.ignored, framed=self.framed)

    @cached_property
    def from_prediction(self) -> Distances:
        """From each pixel of the predicted boundary, in the order of `np.nonzero`, to the nearest true one."""
        return self._distances(self.predicted_boundary, self.true_boundary)

    @cached_property
    def from_truth(self) -> Distances:
        """From each pixel of the true boundary, in the order of `np.nonzero`, to the nearest predicted one."""
        return self._distances(self.true_boundary, self.predicted_boundary)

    @cached_property
    def nearest_true(self) -> NDArray[np.int32]:
        """To each pixel the place of the nearest pixel of the true boundary, which mustn't be empty: axes×shape."""
        places = ndimage.distance_transform_edt(
            ~self.true_boundary, sampling=self.spacing, return_distances=False, return_indices=True
        )
        return np.asarray(places)

    @cached_property
    def true_components(self) -> tuple[NDArray[np.int32], int]:
        """`components` of the truth."""
        return components(self.truth)

    @cached_property
    def found(self) -> int:
        """How many true components have a predicted pixel."""
        return int(np.unique(self.true_components[0][self.both]).size)

    def _distances(self, origin: Mask, target: Mask) -> Distances:
        if not target.any():
            return np.full(int(origin.sum()), self.farthest)
        if not origin.any():
            return np.empty(0)
        return np.asarray(ndimage.distance_transform_edt(~target, sampling=self.spacing)[origin])


def content(data: PreparedDataset, index: int) -> tuple[slice, ...]:
    """Where a sample's own pixels are in its prepared array: all of it, or what padding surrounds.

    Its frame is the frame of the file, which is no boundary; what lies beyond it is no image, and counts nowhere.
    """
    shape, text = data.masks[index].shape, str(data.table.iloc[index].get("prepared_size", ""))
    own = sides(text) if text else shape
    before = [(whole - side) // 2 for whole, side in zip(shape, own, strict=True)]  # as `resizing.padded`
    return tuple(slice(start, start + side) for start, side in zip(before, own, strict=True))


def counted_pixels(data: PreparedDataset, index: int) -> Mask:
    """Which pixels of a sample's prepared array count: its own, of which the truth is known."""
    counts = np.zeros(data.masks[index].shape, dtype=bool)
    counts[content(data, index)] = True
    hidden = data.ignored(index)
    return counts if hidden is None else counts & ~hidden


def pair_of(data: PreparedDataset, index: int, prediction: Mask, truth: Mask | None = None) -> MaskPair:
    """A prediction (D×)H×W beside the truth of a data set's sample: all foreground of whatever class, or `truth`."""
    own, ignored = content(data, index), data.ignored(index)
    hidden = None if ignored is None else ignored[own]
    true = data.truth(index) if truth is None else truth
    return MaskPair(prediction[own], true[own], data.spacing(index), hidden)
