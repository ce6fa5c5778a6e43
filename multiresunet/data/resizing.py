"""Images and labels at another size, and how much of what was marked is left there."""

from __future__ import annotations

from math import ceil, floor
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.transform import resize

from multiresunet.data.dataset import IGNORED, numbers
from multiresunet.data.measures import counts_of
from multiresunet.data.readers import Array
from multiresunet.files import some_of

STRIP = 2**22  # pixels of a large picture that are held as floats at a time
COUNTED = 2**25  # pixels above which components are counted in less detail
MUCH = 0.1  # a mask that loses more than this share of its foreground, or of its components, is pointed out
REMEDY = "raise the data set's size and the recipe's longest_side, or say fit: patches, which keeps all pixels"


def resized(array: Array, size: tuple[int, ...]) -> Array:
    """Linear interpolation over the area that a new pixel covers; keeps the type, rounding integers."""
    new: Array = interpolated(array, size)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        new = np.clip(np.round(new), limits.min, limits.max)
    return new.astype(array.dtype, copy=False)


def interpolated(array: Array, size: tuple[int, ...]) -> NDArray[np.float32]:
    """As `resized`, as floats; one copy of a volume as floats is made, and of a large picture one of a strip."""
    if array.ndim != 2:
        floats = np.array(array, np.float32)
        low, high = floats.min(), floats.max()
        # As `resize` does it with anti_aliasing, but in place.
        width = np.maximum(0, (np.divide(floats.shape, size) - 1) / 2)
        ndimage.gaussian_filter(floats, width, output=floats, mode="nearest")
        new = resize(floats, size, order=1, mode="edge", anti_aliasing=False, clip=False)
        return np.asarray(np.clip(new, low, high, out=new))
    (rows, columns), (height, width) = array.shape, size
    scale = rows / height
    step = height if array.size <= 2 * STRIP else max(1, int(STRIP / columns / scale))
    found = np.empty(size, np.float32)
    for start in range(0, height, step):
        stop = min(start + step, height)
        # One row of the result reaches over the rows before and after its own.
        first, last = max(0, floor(start * scale - scale - 1)), min(rows, ceil(stop * scale + scale + 1))
        strip = Image.fromarray(array[first:last].astype(np.float32, copy=False))
        box = None if step >= height else (0, start * scale - first, columns, min(stop * scale - first, last - first))
        found[start:stop] = np.asarray(strip.resize((width, stop - start), Image.Resampling.BILINEAR, box))
    return found


def resized_labels(labels: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Foreground where it covers half of the new pixel or more; there the class that covers most of it.

    A pixel half of which or more is `IGNORED` is so, too; of another one the known part counts.
    """
    known, foreground = np.ones(size, np.float32), labels > 0
    if (labels == IGNORED).any():
        known = interpolated(labels != IGNORED, size)
        foreground &= labels != IGNORED
    inside = interpolated(foreground, size) >= 0.5 * known
    classes = range(1, int(labels[foreground].max(initial=0)) + 1)
    found = inside.astype(np.uint8)
    if len(classes) > 1:
        covered = np.stack([interpolated(labels == number, size) for number in classes])
        found = np.where(inside, 1 + covered.argmax(axis=0), 0).astype(np.uint8)
    return np.where(known > 0.5, found, IGNORED).astype(np.uint8)


def padded(array: Array, size: tuple[int, ...]) -> Array:
    """Filled up with zeros on all sides; each of `size` is at least the array's."""
    missing = [want - have for have, want in zip(array.shape, size, strict=True)]
    return np.pad(array, [(m // 2, m - m // 2) for m in missing])


class Kept(NamedTuple):
    """Which share of a mask's foreground (by area), and of its components (by number), there still is; at most 1.

    Of several classes the share of the one that lost most. 1 where there was nothing.
    """

    foreground: float = 1.0
    components: float = 1.0


def kept(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Kept:
    """What resizing left of the labels `before`."""
    if before.shape == after.shape:
        return Kept()
    foreground = components = 1.0
    counts = counts_of(before), counts_of(after)
    known = [max(labels.size - count[IGNORED], 1) for labels, count in zip((before, after), counts, strict=True)]
    for number in sorted(counts[0].keys() - {0, IGNORED}):
        foreground = min(foreground, counts[1][number] / known[1] / (counts[0][number] / known[0]))
        components = min(components, _components(after == number) / _components(before == number))
    return Kept(foreground, components)


def emptied(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
    """Whether something was marked, and nothing is any more."""
    return _marks(before) and not _marks(after)


def loss(table: pd.DataFrame, size: tuple[int, ...]) -> str | None:
    """One line about the masks that lost much on the way to `size`, and the remedy; None if there are none.

    Args:
        table: sample, foreground_kept, components_kept.
        size: what the network sees.
    """
    parts = []
    for column, words in (("foreground_kept", "of what they mark"), ("components_kept", "of their components")):
        poor = table[table[column] < 1 - MUCH].sort_values([column, "sample"])
        if len(poor):
            worst = [f"{sample} keeps {share:.0%}" for sample, share in zip(poor["sample"], poor[column], strict=True)]
            parts.append(f"{len(poor)} of {len(table)} masks lose more than a tenth {words} ({some_of(worst, most=3)})")
    return f"at {in_words(size)} {' and '.join(parts)}; {REMEDY}" if parts else None


def spacings(table: pd.DataFrame) -> str | None:
    """One line if the files' pixels differ in size by more than a hundredth; None if they don't, or if it isn't known.

    Args:
        table: spacing, in mm, like "0.5×0.5×3"; empty where it isn't known.
    """
    known = [text for text in table["spacing"] if text]
    if not known:
        return None
    if len(known) < len(table):
        return (
            f"{len(table) - len(known)} of {len(table)} files don't say how large a pixel is; distances are in pixels"
        )
    sides = np.array([numbers(text) for text in known])
    low, high = sides.min(axis=0), sides.max(axis=0)
    if (high <= 1.01 * low).all():
        return None
    ends = [in_numbers(end) for end in (low, high)]
    return (
        f"pixels are from {ends[0]} to {ends[1]} mm large, so one length has several sizes for the network; "
        "fit: spacing resamples all files to one spacing"
    )


def in_numbers(sides: NDArray[np.float64]) -> str:
    """`0.5×0.5×3`."""
    return "×".join(f"{side:g}" for side in sides)


def in_words(size: tuple[int, ...]) -> str:
    """`64×64`."""
    return "×".join(map(str, size))


def _marks(labels: NDArray[np.uint8]) -> bool:
    return bool(((labels > 0) & (labels != IGNORED)).any())


def _components(mask: NDArray[np.bool_]) -> int:
    for axis in range(mask.ndim) if mask.size > COUNTED else ():
        coarse = np.arange(0, mask.shape[axis], ceil((mask.size / COUNTED) ** (1 / (mask.ndim - axis))))
        mask = np.logical_or.reduceat(mask, coarse, axis)
    return int(ndimage.label(mask, np.ones((3,) * mask.ndim))[1])
