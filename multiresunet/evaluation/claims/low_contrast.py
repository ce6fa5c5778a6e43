"""Claim 2, better at low-contrast boundaries: the error where the image hardly shows the boundary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from multiresunet.config import Evaluate, LowContrastClaim
from multiresunet.data.dataset import PreparedDataset, as_floats
from multiresunet.evaluation.claims.verdict import Finding
from multiresunet.evaluation.evidence import Side, Sides
from multiresunet.evaluation.masks import GRID_UNIT, Mask, MaskPair, Masks, boundary, content, pair_of
from multiresunet.evaluation.statistics.design import Advantage, ComparisonDesign
from multiresunet.evaluation.statistics.effects import known_mean

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


def errors(pair: MaskPair, cut: Segments, cap: float) -> tuple[Floats, NDArray[np.int64]]:
    """Error of each segment, and from how many pixels it is.

    The average symmetric distance near the segment: of its own pixels to the predicted boundary, none counted as more
    than `cap`, and of the predicted boundary's pixels to it, if it is nearest to them and within `cap`. So a false
    boundary beside a true one counts; one direction alone would find noise, which is near to everything, perfect.
    """
    if not cut.pixels.size:
        return np.empty(0), cut.pixels
    # To each predicted pixel the nearest pixel of the true boundary, as its place in the order of `np.nonzero`.
    order = np.full(pair.truth.shape, -1)
    order[pair.true_boundary] = np.arange(cut.of_pixel.size)
    nearest = order[tuple(pair.nearest_true[:, pair.predicted_boundary])]
    near = pair.from_prediction <= cap
    of = np.concatenate([cut.of_pixel, cut.of_pixel[nearest[near]]])
    distances = np.concatenate([np.minimum(pair.from_truth, cap), pair.from_prediction[near]])
    counted = np.bincount(of, minlength=cut.pixels.size)
    return np.bincount(of, distances, cut.pixels.size) / counted, counted


def measure(data: PreparedDataset, predictions: Masks, settings: LowContrastClaim) -> pd.DataFrame:
    """Segments of all images: image (its index), contrast (in units of the prepared values), pixels, error, counted.

    pixels: of the true boundary; counted: of both boundaries, what the error is a mean over.
    """
    parts = []
    for index, prediction in enumerate(predictions):
        pair = replace(pair_of(data, index, prediction), spacing=None)
        image = np.asarray(data.images[index])[(slice(None), *content(data, index))]
        cut = segments(as_floats(image).astype(float), pair.truth, settings, pair.ignored)
        error, counted = errors(pair, cut, settings.cap)
        columns = {"contrast": cut.contrast, "pixels": cut.pixels, "error": error, "counted": counted}
        parts.append(pd.DataFrame({"image": index, **columns}))
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
        weight = np.bincount(part["image"], part["counted"], count)
        total = np.bincount(part["image"], part["counted"] * part["error"], count)
        means.append(np.divide(total, weight, out=np.full(count, np.nan), where=weight > 0))
    return means[0], means[1]


def curves(segments: pd.DataFrame, bins: int = 8) -> pd.DataFrame:
    """Error as a function of contrast, in `bins` equal parts of the boundary: model, contrast, error, segments.

    Args:
        segments: from `measure`, with columns model and seed; each seed's count.
    """
    parts = []
    for model, table in segments.groupby("model", sort=False):
        rank = table["contrast"].rank(method="first")
        grouped = table.groupby(np.minimum(((rank - 1) * bins / max(len(table), 1)).astype(int), bins - 1))
        means = grouped.agg(contrast=("contrast", "mean"), error=("error", "mean"), segments=("error", "size"))
        means.insert(0, "model", model)
        parts.append(means)
    return pd.concat(parts, ignore_index=True)


@lru_cache(maxsize=64)  # a side is compared with several others
def _of(side: Side, count: int, lowest_share: float) -> tuple[Floats, Floats]:
    """`per_image` of each seed: N×seeds."""
    parts = [per_image(part, count, lowest_share) for _, part in side.segments.groupby("seed", sort=False)]
    low, rest = (np.stack(columns, axis=1) for columns in zip(*parts, strict=True))
    return low, rest


def findings(sides: Sides, design: ComparisonDesign, settings: Evaluate) -> list[Finding]:
    """How much smaller the model's error is along the lowest-contrast quarter against the rest; and along each.

    The first is decisive: a network that is better everywhere alike isn't better at low contrast in particular. But it
    must be better there, too: one that is only worse elsewhere has the same difference.
    """
    share, min_effect = settings.low_contrast.lowest_share, settings.verdict.min_effect["low_contrast"]

    (low, rest), (their_low, their_rest) = (_of(side, len(design.folds), share) for side in sides)
    there = design.paired(their_low - low)
    lacks = "" if there.value >= min_effect else "no better along the lowest-contrast boundaries themselves"

    def finding(measure: str, ours: Floats, theirs: Floats, advantage: Advantage, **words: Any) -> Finding:
        means = known_mean(ours), known_mean(theirs)
        return Finding("low_contrast", measure, sides.pair, *means, advantage, GRID_UNIT, min_effect, **words)

    apart, their_apart = low - rest, their_low - their_rest
    against = design.paired(their_apart - apart)
    return [
        finding("lowest-contrast against the others", apart, their_apart, against, decisive=True, lacks=lacks),
        finding("error along the lowest-contrast boundaries", low, their_low, there),
        finding("error along the other boundaries", rest, their_rest, design.paired(their_rest - rest)),
    ]
