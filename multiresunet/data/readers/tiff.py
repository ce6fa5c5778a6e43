"""TIFF (16 bits, floats, stacks of pages), by tifffile."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from multiresunet.data.readers.common import (
    ORIENTATION,
    PAGES,
    Array,
    Read,
    apply_palette,
    check_size,
    upright,
    without_alpha,
)
from multiresunet.errors import UserError
from multiresunet.registries import READERS

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # remarks on tags; the error that follows says it
LIGHT = tifffile.PHOTOMETRIC
KNOWN = (
    *(LIGHT.MINISWHITE, LIGHT.MINISBLACK, LIGHT.RGB, LIGHT.PALETTE, LIGHT.MASK),
    *(LIGHT.LINEAR_RAW, LIGHT.DEPTH_MAP, LIGHT.SEMANTIC_MASK),
)
IN_RGB = (6, 7, 33007, 34892, 34927, 50001, 50002)  # JPEG's, WebP's and JPEG XL's decoders make RGB of YCbCr
ALPHA = (1, 2)  # ExtraSamples: associated and unassociated alpha; 0, unspecified, is data


@READERS.register("tiff", suffixes=(".tif", ".tiff"))
def read_tiff(path: Path, as_mask: bool) -> Read:
    """C×H×W, or C×D×H×W for a stack of pages; what was converted; TIFF. No other file is read, whatever OME-XML names.

    Where white is 0, an image is inverted; a mask, and an image of one bit, come as stored, as tifffile writes them;
    so does what has a sign, of which nobody knows which value is black.
    """
    with tifffile.TiffFile(path, _multifile=False) as file:
        if file.is_ome and _names_others(file):
            return _read(path, file.pages, as_mask)
        return _read(path, file, as_mask)


def _names_others(file: tifffile.TiffFile) -> bool:
    """Whether OME-XML lists planes that this file hasn't."""
    return any(page is None for series in file.series for page in series.pages)


def _read(path: Path, file: Any, as_mask: bool) -> Read:
    notes: tuple[str, ...] = ()
    if isinstance(file, tifffile.TiffPages):  # part of an OME set of several files
        page = file.first
        check_colours(path, page)
        check_size(path, page.nbytes * len(file))
        array, axes = file[0].asarray(), page.axes
        if len(file) > 1:
            array, axes = np.stack([each.asarray() for each in file]), f"I{page.axes}"
        notes = ("one file of several of an OME set, read alone",)
    else:
        if len(file.series) != 1:
            raise UserError(f"{path}: holds {len(file.series)} images of different sizes; save each as its own file")
        series, page = file.series[0], file.pages.first
        check_colours(path, page)
        check_size(path, series.nbytes)
        array, axes = series.asarray(), series.axes
    one_bit = array.dtype == bool
    if one_bit:
        array = array.astype(np.uint8) * 255
    if array.dtype.kind not in "iuf" or page.photometric == LIGHT.SEPARATED:
        raise UserError(f"{path}: pixels of kind {array.dtype} in CMYK or complex numbers aren't known; save as RGB")
    alpha = None
    array, paged = _arranged(path, array, axes)
    notes += paged
    if page.photometric == LIGHT.PALETTE and page.colormap is not None and len(array) == 1:
        array, said = apply_palette(array[0], _palette(page.colormap), as_mask)
        notes += said
    elif page.photometric == LIGHT.MINISWHITE:
        if as_mask or one_bit or array.dtype.kind != "u":
            notes += ("white is 0 in this file; values taken as stored",)
        else:
            array, notes = np.iinfo(array.dtype).max - array, (*notes, "inverted, since white is 0 in this file")
    elif "S" in axes and page.extrasamples and page.extrasamples[-1] in ALPHA and array.dtype.kind == "u":
        array, said, alpha = without_alpha(array, array.dtype.itemsize * 8)
        notes += said
    tag = page.tags.get(ORIENTATION)
    turn = int(tag.value) if tag else 1
    array, turned = upright(array, turn)
    if alpha is not None:
        alpha = upright(alpha, turn)[0]
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return Read(array, (*turned, *notes), "TIFF", alpha=alpha)


def check_colours(path: Path, page: Any) -> None:
    """Refuse colours that would be taken for RGB and are none; CMYK is named with other kinds of pixels."""
    decoded = page.photometric == LIGHT.YCBCR and page.compression in IN_RGB and page.planarconfig == 1
    if page.photometric not in (*KNOWN, LIGHT.SEPARATED) and not decoded:
        kind = getattr(page.photometric, "name", page.photometric)
        raise UserError(f"{path}: colours of kind {kind}, stored as such, aren't known; save as RGB")


def _palette(table: Array) -> Array:
    """N×3 colours from 0 to 255. TIFF has them to 65535; some programs write 255, which libtiff sees by the highest."""
    return table.T >> 8 if table.max() > 255 else table.T


def _arranged(path: Path, array: Array, axes: str) -> tuple[Array, tuple[str, ...]]:
    """Channels first, then what is left in the file's order; a note if pages were taken for a volume's slices."""
    for axis in reversed(range(array.ndim)):
        if array.shape[axis] == 1 and axes[axis] not in "YX":
            array, axes = array.squeeze(axis), axes[:axis] + axes[axis + 1 :]
    channel = [axis for axis, letter in enumerate(axes) if letter in "SC"]
    if len(channel) > 1 or array.ndim - len(channel) not in (2, 3) or 0 in array.shape:
        raise UserError(
            f"{path}: axes {axes} of {'×'.join(map(str, array.shape))}; an image has two, a stack three, and channels "
            "one more; save it so"
        )
    stacked = [letter for letter in axes if letter not in "SCYX"]
    notes = (PAGES,) if stacked and stacked[0] not in "ZT" else ()
    if stacked and stacked[0] == "T":
        notes = ("time steps taken as the slices of a volume",)
    return np.moveaxis(array, channel[0], 0) if channel else array[None], notes
