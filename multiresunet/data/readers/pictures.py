"""Pictures: PNG, JPEG, BMP and GIF by Pillow, TIFF (16 bits, floats, stacks) by tifffile."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base

from multiresunet.data.readers.volumes import check_size
from multiresunet.errors import UserError

Array = NDArray[Any]
Read = tuple[Array, tuple[str, ...], str]
ORIENTATION = int(Base.Orientation)

# Remarks on tags and damaged files are no line for the user; the error that follows says it. Set once, here,
# since files are read in threads and filters belong to the whole process.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_picture(path: Path, as_mask: bool) -> Read:
    """C×H×W, uint8 or (16-bit grey) uint16; what was converted; the format."""
    with Image.open(path) as picture:
        container = "JPEG" if picture.format == "MPO" else str(picture.format)  # an MPO has a preview behind it
        if picture.width * picture.height > (Image.MAX_IMAGE_PIXELS or np.inf):
            raise UserError(
                f"{path}: {picture.width}×{picture.height} pixels could be a decompression bomb; "
                "reduce it in size, or cut it into tiles"
            )
        pages = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
        if pages > 1:
            raise UserError(f"{path}: holds {pages} images; save each as a file of its own, or the stack as TIFF")
        turn = int(picture.getexif().get(ORIENTATION, 1))
        deep = picture.mode in ("RGB", "RGBA", "LA") and container == "PNG" and path.read_bytes()[24:25] == b"\x10"
        array, notes = _pixels(path, picture, as_mask)
    if deep:
        notes = (*notes, "16-bit colours reduced to 8 bits")
    array, turned = _upright(array, turn)
    return array, (*turned, *notes), container


def _pixels(path: Path, picture: Image.Image, as_mask: bool) -> tuple[Array, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    mode = picture.mode
    if mode == "P":
        palette = np.asarray(picture.getpalette("RGB")).reshape(-1, 3)
        return _looked_up(np.asarray(picture), palette, as_mask)
    if mode in ("RGBA", "LA"):
        mode, notes = mode.removesuffix("A"), ("alpha dropped",)
    elif mode == "1":
        mode = "L"
    if mode not in ("L", "I;16", "RGB"):
        raise UserError(f"{path}: pixels of kind {mode} aren't known; save it as 8- or 16-bit grey or as RGB")
    return _channels_first(np.asarray(picture.convert(mode))), notes


def _looked_up(indices: Array, palette: Array, as_mask: bool) -> tuple[Array, tuple[str, ...]]:
    used = np.unique(indices)
    if used.max() >= len(palette):
        raise ValueError(f"index {used.max()} of a palette of {len(palette)} colours")
    colours = palette[used]
    if (colours == colours[:, :1]).all():
        return palette[:, 0].astype(np.uint8)[indices][None], ("palette converted to its greys",)
    if as_mask:
        return indices[None], ("palette's indices taken as labels",)
    return _channels_first(palette.astype(np.uint8)[indices]), ("palette converted to its colours",)


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
            array, notes = _looked_up(array[0], page.colormap.T >> 8, as_mask)
        elif page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind == "u":
            array, notes = np.iinfo(array.dtype).max - array, ("inverted, since white is 0 in this file",)
        elif "S" in axes and page.extrasamples and len(array) in (2, 4):
            array, notes = array[:-1], ("alpha dropped",)
        tag = page.tags.get(ORIENTATION)
    array, turned = _upright(array, int(tag.value) if tag else 1)
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


def _upright(array: Array, orientation: int) -> tuple[Array, tuple[str, ...]]:
    """Undo what EXIF's orientation (1 to 8) says the camera did; the last two axes are rows and columns."""
    if orientation not in range(2, 9):
        return array, ()
    if orientation >= 5:
        array = array.swapaxes(-1, -2)
    if orientation in (2, 3, 6, 7):
        array = array[..., ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[..., ::-1, :]
    return np.ascontiguousarray(array), (f"turned upright by EXIF orientation {orientation}",)


def _channels_first(array: Array) -> Array:
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
