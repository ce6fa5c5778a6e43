"""Claim 2, better at low-contrast boundaries: the error where the image hardly shows the boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from multiresunet.config import LowContrastClaim
from multiresunet.data.dataset import PreparedDataset, as_floats
from multiresunet.evaluation.claims.verdict import Finding, Pair
from multiresunet.evaluation.masks import Mask, MaskPair, Masks, boundary
from multiresunet.evaluation.statistics.design import ComparisonDesign

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Segments:
    """One image's true boundary, cut into segments: the pixels within the same tile of a grid.

    of_pixel: for each boundary pixel, in the order of `np.nonzero`, the number of its segment.
    contrast: of each segment, in units of the image's values.
    pixels: of each segment, how many.
    """

    of_pixel: NDArray[np.int64]
    contrast: Floats
    pixels: NDArray[np.int64]

    def mean(self, values: Floats) -> Floats:
        """Mean over each segment's pixels of values that are one for each boundary pixel."""
        return np.asarray(np.bincount(self.of_pixel, values, len(self.pixels)) / self.pixels)


def local_contrast(image: Floats, truth: Mask, reach: int, ignored: Mask | None = None) -> Floats:
    """Difference between inside and outside at each pixel of the true boundary, within `reach` pixels of it.

    Of several channels the root of the mean square.

    Args:
        image: C×(D×)H×W.
        truth: (D×)H×W.
        reach: radius of the ball whose inside and outside pixels are averaged.
        ignored: pixels that are neither.
    """
    grid = np.indices((2 * reach + 1,) * truth.ndim) - reach
    ball = ((grid**2).sum(axis=0) <= reach**2).astype(float)
    edge = boundary(truth, ignored)

    def around(values: Floats) -> Floats:
        return np.asarray(ndimage.convolve(values, ball, mode="constant"))[edge]

    inside, outside = truth.astype(float), (~truth if ignored is None else ~truth & ~ignored).astype(float)
    count_in, count_out = around(inside), around(outside)  # neither is 0 at the boundary
    squares = [(around(c * inside) / count_in - around(c * outside) / count_out) ** 2 for c in image]
    return np.asarray(np.sqrt(np.mean(squares, axis=0)))


def segments(image: Floats, truth: Mask, settings: LowContrastClaim, ignored: Mask | None = None) -> Segments:
    """Cut one image's true boundary into segments and measure their contrast."""
    places = np.nonzero(boundary(truth, ignored))
    tiles = np.stack(places, axis=1) // settings.tile
    counts = [side // settings.tile + 1 for side in truth.shape]
    _, of_pixel = np.unique(np.ravel_multi_index(tuple(tiles.T), counts), return_inverse=True)
    pixels = np.bincount(of_pixel)
    contrast = local_contrast(image, truth, settings.reach, ignored) if of_pixel.size else np.empty(0)
    cut = Segments(of_pixel, np.empty(0), pixels)
    return Segments(of_pixel, cut.mean(contrast) if of_pixel.size else contrast, pixels)


def errors(pair: MaskPair, cut: Segments, cap: float) -> Floats:
    """Mean distance of each segment's pixels to the predicted boundary, none counted as more than `cap` pixels."""
    distances = pair.from_truth
    return cut.mean(np.minimum(distances, cap)) if distances.size else np.empty(0)


def measure(data: PreparedDataset, predictions: Masks, settings: LowContrastClaim) -> pd.DataFrame:
    """Segments of all images: image (its index), contrast (in units of the prepared values), pixels, error."""
    parts = []
    for index, prediction in enumerate(predictions):
        pair = MaskPair(prediction, data.truth(index), ignored=data.ignored(index))
        cut = segments(as_floats(np.asarray(data.images[index])).astype(float), pair.truth, settings, pair.ignored)
        error = errors(pair, cut, settings.cap)
        parts.append(pd.DataFrame({"image": index, "contrast": cut.contrast, "pixels": cut.pixels, "error": error}))
    return pd.concat(parts, ignore_index=True)


def per_image(table: pd.DataFrame, count: int, lowest_share: float) -> tuple[Floats, Floats]:
    """Each image's mean error along the data set's lowest-contrast boundaries, and along the rest, in pixels.

    Lowest: segments whose contrast is in the lowest share `lowest_share`. Not a number for an image that has none.

    Args:
        table: from `measure`.
        count: number of images.
        lowest_share: a share of all segments.
    """
    low = (table["contrast"] <= table["contrast"].quantile(lowest_share)).to_numpy()
    means = []
    for part in (table[low], table[~low]):
        weight = np.bincount(part["image"], part["pixels"], count)
        total = np.bincount(part["image"], part["pixels"] * part["error"], count)
        means.append(np.divide(total, weight, out=np.full(count, np.nan), where=weight > 0))
    return means[0], means[1]


def curves(tables: dict[str, pd.DataFrame], bins: int = 8) -> pd.DataFrame:
    """Error as a function of contrast: segments in `bins` equal parts by contrast: model, contrast, error, segments."""
    parts = []
    for model, table in tables.items():
        rank = table["contrast"].rank(method="first")
        grouped = table.groupby(np.minimum(((rank - 1) * bins / max(len(table), 1)).astype(int), bins - 1))
        means = grouped.agg(contrast=("contrast", "mean"), error=("error", "mean"), segments=("error", "size"))
        means.insert(0, "model", model)
        parts.append(means)
    return pd.concat(parts, ignore_index=True)


def findings(
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    pair: Pair,
    design: ComparisonDesign,
    lowest_share: float,
    min_effect: float,
) -> list[Finding]:
    """How much nearer the model's boundary is along the lowest-contrast quarter, along the rest, and the difference.

    The first is decisive: a network that is better everywhere is better at low-contrast boundaries, too. The
    difference says whether its advantage is larger there.

    Args:
        ours, theirs: segments of the model and of the reference, from `measure`.
        pair: the two models.
        design: the data set's.
        lowest_share: the share of the segments that counts as lowest contrast.
        min_effect: smallest effect of interest, in pixels.
    """
    count = len(design.folds)
    (low, rest), (their_low, their_rest) = (per_image(table, count, lowest_share) for table in (ours, theirs))
    sides = {
        "error along the lowest-contrast boundaries": (low, their_low),
        "error along the other boundaries": (rest, their_rest),
        "lowest-contrast against the others": (low - rest, their_low - their_rest),
    }
    return [
        Finding(
            "low_contrast",
            measure,
            *pair,
            float(np.nanmean(of_model)) if np.isfinite(of_model).any() else np.nan,
            float(np.nanmean(of_reference)) if np.isfinite(of_reference).any() else np.nan,
            design.paired(of_reference - of_model),
            "pixels",
            min_effect,
            decisive=position == 0,
        )
        for position, (measure, (of_model, of_reference)) in enumerate(sides.items())
    ]
