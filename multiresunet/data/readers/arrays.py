"""NumPy's .npy and .npz."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from multiresunet.data.readers.common import Array, Read, check_size
from multiresunet.errors import UserError
from multiresunet.registries import READERS

COLOURS = 4  # channels at most, where an array's first or last axis may be one


@READERS.register("numpy", suffixes=(".npy", ".npz"))
def read_numpy(path: Path, as_mask: bool) -> Read:
    """H×W, D×H×W, or either with channels as first or last axis; which was found is noted."""
    if path.suffix.lower() == ".npz":
        check_size(path, sum(info.file_size for info in zipfile.ZipFile(path).infolist()))
        with np.load(path, allow_pickle=False) as several:
            if len(several.files) != 1:
                raise UserError(f"{path}: holds {len(several.files)} arrays, {', '.join(several.files[:5])}; save one")
            array = several[several.files[0]]
    else:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        check_size(path, math.prod(mapped.shape) * mapped.dtype.itemsize)
        array = np.array(mapped)
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3, 4) or 0 in array.shape:
        shape = "×".join(map(str, array.shape))
        raise UserError(f"{path}: an array of {shape} {array.dtype}; save two or three axes of numbers, and channels")
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return Read(*_arranged(array), "NumPy")


def _arranged(array: Array) -> tuple[Array, tuple[str, ...]]:
    if array.ndim == 2:
        return array[None], ()
    small = [axis for axis in (array.ndim - 1, 0) if array.shape[axis] <= COLOURS]
    if array.ndim == 4 and not small:
        small = [int(np.argmin([array.shape[0], *[2**31] * (array.ndim - 2), array.shape[-1]]))]
    if not small:
        return array[None], ("array taken as a volume",)
    where = "last" if small[0] else "first"
    return np.moveaxis(array, small[0], 0), (f"{where} axis, of {array.shape[small[0]]}, taken as channels",)
