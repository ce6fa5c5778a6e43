"""TIFF (16 bits, floats, stacks of pages), by tifffile."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import tifffile

from multiresunet.data.readers.common import ORIENTATION, Array, Read, apply_palette, check_size, upright
from multiresunet.errors import UserError
from multiresunet.registries import READERS

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # remarks on tags; the error that follows says it


@READERS.register("tiff", suffixes=(".tif", ".tiff"))
def read_tiff(path: Path, as_mask: bool) -> Read:
    """C×H×W, or C×D×H×W for a stack of pages; what was converted; TIFF."""
    with tifffile.TiffFile(path) as file:
        if len(file.series) != 1:
            raise UserError(f"{path}: holds {len(file.series)} images of different sizes; save each as its own file")
        series, page = file.series[0], file.pages.first
        check_size(path, series.nbytes)
        array, axes = series.asarray(), series.axes
        if array.dtype == bool:
            array = array.astype(np.uint8) * 255
        if array.dtype.kind not in "iuf" or page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
            raise UserError(
                f"{path}: pixels of kind {array.dtype} in CMYK or complex numbers aren't known; save as RGB"
            )
        array = _arranged(path, array, axes)
        notes: tuple[str, ...] = ()
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None and len(array) == 1:
            array, notes = apply_palette(array[0], page.colormap.T >> 8, as_mask)
        elif page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind == "u":
            array, notes = np.iinfo(array.dtype).max - array, ("inverted, since white is 0 in this file",)
        elif "S" in axes and page.extrasamples and len(array) in (2, 4):
            array, notes = array[:-1], ("alpha dropped",)
        tag = page.tags.get(ORIENTATION)
    array, turned = upright(array, int(tag.value) if tag else 1)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array, (*turned, *notes), "TIFF"


def _arranged(path: Path, array: Array, axes: str) -> Array:
    """Channels first, then what is left in the file's order."""
    for axis in reversed(range(array.ndim)):
        if array.shape[axis] == 1 and axes[axis] not in "YX":
            array, axes = array.squeeze(axis), axes[:axis] + axes[axis + 1 :]
    channel = [axis for axis, letter in enumerate(axes) if letter in "SC"]
    if len(channel) > 1 or array.ndim - len(channel) not in (2, 3) or 0 in array.shape:
        raise UserError(
            f"{path}: axes {axes} of {'×'.join(map(str, array.shape))}; an image has two, a stack three, and channels "
            "one more; save it so"
        )
    return np.moveaxis(array, channel[0], 0) if channel else array[None]
