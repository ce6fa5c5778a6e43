"""Images at the scale of training, window by window, with bounded memory; pictures also from files read in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from multiresunet.data.description import DataDescription
from multiresunet.data.preprocessing import rescaled
from multiresunet.data.readers import Array
from multiresunet.data.resizing import resized
from multiresunet.errors import UserError
from multiresunet.inference import windows
from multiresunet.inference.geometry import scaled_size
from multiresunet.inference.windows import Maps, Read
from multiresunet.memory import out_of_memory
from multiresunet.paper import STEP

if TYPE_CHECKING:
    from multiresunet.inference.model import Model, Options

SIDES = {2: (1024, 768, 512, 384, 256, 192, 128, 64), 3: (160, 128, 96, 64, 48, 32)}
PROCESS = 0.6 * 2**30  # bytes that Python and its libraries take
PER_PIXEL = 64  # bytes for each filter of the first level and each pixel, in the network
FILTERS = 32  # of networks that don't say
SHARE = 0.5  # of what is left for the network

Moments = NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """An image that is read in windows.

    read: from slices to C×….
    shape: without channels.
    spacing: in mm, if it is known.
    mean, deviation: of each channel, where images are standardised; C×1×….
    """

    read: Read
    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    mean: Moments | None = None
    deviation: Moments | None = None


def moments_of(image: Array, data: DataDescription) -> tuple[Moments | None, Moments | None]:
    """Mean and deviation of an image, C×…, if the model's images are standardised; else None."""
    if data.normalisation == "rescale":
        return None, None
    values, space = image.astype(np.float64), tuple(range(1, image.ndim))
    deviation = np.maximum(values.std(axis=space, keepdims=True), 1e-12)
    return values.mean(axis=space, keepdims=True), deviation


def stream(model: Model, source: Source, options: Options) -> Iterator[Maps]:
    """Maps (see `Model.maps`) K×rows×… of an image, on its own grid, from the first rows (or planes) to the last.

    Raises:
        UserError: if memory doesn't suffice for the smallest window.
    """
    data = model.description.data
    size = scaled_size(source.shape, data, source.spacing)
    tile = fitting(model, size, options)

    def standardised(window: tuple[slice, ...]) -> Array:
        found = source.read(window)
        if source.mean is None or source.deviation is None:
            return found
        return ((found.astype(np.float64) - source.mean) / source.deviation).astype(np.float32)

    def predicted(some: NDArray[Any]) -> Maps:
        return model.maps(rescaled(some) if data.normalisation == "rescale" else some, options.flip)

    if len(size) == 2:
        shape = (source.shape[0], source.shape[1])
        small = (size[0], size[1])
        parts = windows.bands(windows.scaled(standardised, shape, small), small, tile, predicted)
        yield from windows.back(parts, small, shape)
        return
    whole = standardised(tuple(slice(0, side) for side in source.shape))
    if size == source.shape:
        yield from windows.bands(windows.from_array(whole), size, tile, predicted)
        return
    fit = np.stack([resized(channel, size) for channel in whole])
    maps = np.concatenate(list(windows.bands(windows.from_array(fit), size, tile, predicted)), axis=1)
    yield np.stack([resized(one, source.shape) for one in maps])


def widest(model: Model, options: Options) -> int:
    """A side of the largest window whose network fits into memory, by estimate, whatever the image; else the smallest.

    What is predicted depends on it, not on the memory: more of it changes nothing until the next window fits.
    """
    spec = model.predictor.spec
    sides, bytes_each = SIDES[spec.dims], (FILTERS if "." in spec.name else spec.filters) * PER_PIXEL
    room = SHARE * (options.memory - PROCESS)
    return next((side for side in sides if side**spec.dims * bytes_each <= room), sides[-1])


def fitting(model: Model, size: Sequence[int], options: Options) -> tuple[int, ...]:
    """The sides of the largest window that fits into memory, by estimate, and then by trial.

    Raises:
        UserError: if not even the smallest does.
    """
    spec, most = model.predictor.spec, widest(model, options)
    sides = [side for side in SIDES[len(size)] if side <= most]
    for side in sides:
        tile = tuple(min(side, one + -one % STEP) for one in size)
        row = side * int(np.prod(size[1:])) * (spec.classes + 3) * 8  # totals, and what is handed on
        if side != sides[-1] and row > (1 - SHARE) * (options.memory - PROCESS):
            continue
        try:
            model.predictor.foreground(np.zeros((1, spec.in_channels, *tile), np.float32))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        else:
            return tile
    raise UserError(
        f"out of memory on {model.predictor.device} with windows of {'×'.join(map(str, tile))}; "
        "end other programs, predict with one fold (--folds 0), or with --device cpu"
    )
