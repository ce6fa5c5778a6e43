"""Predict a large array window by window: overlapping, weighted by Gaussians, row of windows by row of windows.

Memory is bounded by one row of windows: what is finished is handed on from the first rows (or planes) to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multiresunet.paper import STEP

Array = NDArray[Any]
Maps = NDArray[np.float32]
Read = Callable[[tuple[slice, ...]], Array]
"""From a window's slices to its C×…; what lies outside of the image repeats its border."""

MARGIN = 160  # pixels of context that windows have at least on each side, unless they are small
SIGMA = 1 / 8  # of a window's side (as nnU-Net's)
TOGETHER = 2**18  # pixels of the windows that are predicted together


def bands(
    read: Read, shape: Sequence[int], tile: Sequence[int], predict: Callable[[Array], Maps]
) -> Iterator[NDArray[np.float32]]:
    """What a network predicts for an array, in order of its first axis.

    Windows begin at multiples of 16, so that the network halves them where it would halve the whole array.

    Args:
        read: gives the windows.
        shape: of the array, without channels.
        tile: a window's sides, multiples of 16.
        predict: from windows N×C×tile to maps N×K×tile.

    Yields:
        K×rows×…, whose rows add up to the array's.
    """
    tile = tuple(tile)
    starts = [starts_of(side, one) for side, one in zip(shape, tile, strict=True)]
    weighing = [
        {start: gaussian(one, first=start == 0, last=start == some[-1]) for start in some}
        for some, one in zip(starts, tile, strict=True)
    ]
    extent = [first[-1] + one for first, one in zip(starts[1:], tile[1:], strict=True)]  # of a row of windows
    total = np.zeros((0,), np.float32)
    weights = np.zeros((tile[0], *extent), np.float32)
    together = max(1, TOGETHER // int(np.prod(tile)))
    for number, row in enumerate(starts[0]):
        places = list(product(*starts[1:]))
        for some in (places[i : i + together] for i in range(0, len(places), together)):
            windows = [
                tuple(slice(start, start + one) for start, one in zip((row, *place), tile, strict=True))
                for place in some
            ]
            maps = predict(np.stack([read(window) for window in windows]))
            if not total.size:
                total = np.zeros((maps.shape[1], *weights.shape), np.float32)
            for window, found in zip(windows, maps, strict=True):
                inside = (slice(None), *window[1:])
                weight = np.ones((), np.float32)
                for one, place in zip(weighing, window, strict=True):
                    weight = np.multiply.outer(weight, one[place.start])
                total[(slice(None), *inside)] += found * weight
                weights[inside] += weight
        done = (starts[0][number + 1] if number + 1 < len(starts[0]) else shape[0]) - row
        cut = tuple(slice(0, side) for side in shape[1:])
        yield total[(slice(None), slice(0, done), *cut)] / weights[(slice(0, done), *cut)]
        for buffer, axis in ((total, 1), (weights, 0)):
            kept = np.moveaxis(buffer, axis, 0)
            left = max(0, tile[0] - done)
            kept[:left] = kept[done:].copy()
            kept[left:] = 0


def starts_of(side: int, tile: int) -> list[int]:
    """Where the windows begin along an axis; the last one ends where the padded whole would end."""
    last = max(0, side + -side % STEP - tile)
    return [*range(0, last, step(tile)), last]


def step(tile: int) -> int:
    """From one window to the next, along an axis: a multiple of 16 that leaves them their margins."""
    margin = min(MARGIN, tile // 4)
    return int(max(STEP, (tile - 2 * margin) // STEP * STEP))


def gaussian(tile: int, *, first: bool, last: bool) -> NDArray[np.float32]:
    """Weights along one axis of a window: 1 in its middle, and a Gaussian to both sides.

    On the image's own frame the weight stays 1: there a window sees all that there is.
    """
    away = (np.arange(tile) - (tile - 1) / 2) / (tile * SIGMA)
    if first:
        away = np.maximum(away, 0)
    if last:
        away = np.minimum(away, 0)
    return np.asarray(np.exp(-0.5 * away**2)).astype(np.float32)


def clipped(window: Sequence[slice], shape: Sequence[int]) -> tuple[tuple[slice, ...], list[tuple[int, int]]]:
    """The part of a window that lies in an array, and what is missing before and behind it along each axis."""
    inside, missing = [], []
    for one, side in zip(window, shape, strict=True):
        start, stop = max(0, min(one.start, side - 1)), max(1, min(one.stop, side))
        inside.append(slice(start, stop))
        missing.append((start - one.start, one.stop - stop))
    return tuple(inside), missing


def edged(read: Read, shape: Sequence[int]) -> Read:
    """Windows that may reach over the edge of an image of `shape`, where its last pixels are repeated."""

    def read_all(window: tuple[slice, ...]) -> Array:
        inside, missing = clipped(window, shape)
        found = read(inside)
        return np.pad(found, [(0, 0), *missing], mode="edge") if any(map(any, missing)) else found

    return read_all


def from_array(array: Array) -> Read:
    """Windows of C×… in memory."""
    return edged(lambda inside: array[(slice(None), *inside)], array.shape[1:])


def scaled(read: Read, shape: tuple[int, int], size: tuple[int, int]) -> Read:
    """Windows of an image of `shape` as if it had been resized to `size` as a whole: linearly, over a pixel's area."""
    if shape == size:
        return read
    factors = [own / new for own, new in zip(shape, size, strict=True)]

    def at_size(window: tuple[slice, ...]) -> Array:
        inside, missing = clipped(window, size)
        region, box = [], []
        for one, factor, side in zip(inside, factors, shape, strict=True):
            reach = int(np.ceil(max(1.0, factor))) + 1
            start, stop = max(0, int(one.start * factor) - reach), min(side, int(np.ceil(one.stop * factor)) + reach)
            region.append(slice(start, stop))
            box.append((one.start * factor - start, one.stop * factor - start))
        found = read(tuple(region))
        height, width = (one.stop - one.start for one in inside)
        new = np.stack([resized_box(channel, (height, width), box) for channel in found])
        return np.pad(new, [(0, 0), *missing], mode="edge")

    return at_size


def resized_box(array: Array, size: tuple[int, int], box: Sequence[tuple[float, float]]) -> Array:
    """The part `box` (rows, columns) of H×W at another size; keeps the type, rounding integers."""
    (top, bottom), (left, right) = box
    # Rounding must not lead outside.
    bottom, right = min(bottom, array.shape[0]), min(right, array.shape[1])
    picture = Image.fromarray(array.astype(np.float32))
    new = np.asarray(
        picture.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=(max(left, 0), max(top, 0), right, bottom))
    )
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        new = np.clip(np.round(new), limits.min, limits.max)
    return new.astype(array.dtype)


def back(parts: Iterator[Maps], size: tuple[int, int], shape: tuple[int, int]) -> Iterator[Maps]:
    """Bands of maps of `size` as bands of maps of `shape`, as if they had been resized as a whole."""
    if size == shape:
        yield from parts
        return
    factor = size[0] / shape[0]
    reach = int(np.ceil(max(1.0, factor))) + 1
    held, first, seen, done = None, 0, 0, 0  # rows first…seen of the maps are held; `done` rows are handed on
    for part in parts:
        held = part if held is None else np.concatenate([held, part], axis=1)
        seen += part.shape[1]
        last = shape[0] if seen == size[0] else int((seen - reach) / factor)
        if last <= done:
            continue
        box = ((done * factor - first, last * factor - first), (0.0, float(size[1])))
        yield np.stack([resized_box(one, (last - done, shape[1]), box) for one in held])
        done = last
        keep = max(first, int(done * factor) - reach)
        held, first = held[:, keep - first :], keep
