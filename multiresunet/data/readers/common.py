"""What readers share: what they return, the limit of a file's size, palettes and orientations."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import Base

from multiresunet.data.readers.several import companions
from multiresunet.errors import UserError

Array = NDArray[Any]
ORIENTATION = int(Base.Orientation)
PAGES = "pages taken as the slices of a volume"  # where the file doesn't say what its pages are
GREYS, INDICES = "palette converted to its greys", "palette's indices taken as labels"
LIMIT = 2 * 2**30  # bytes of one decoded file; a header may claim anything
SMALL = 2**24  # bytes that a file may claim without a look at how many it has
PACKED = 20_000  # bytes that a byte of a file can stand for: zeros, packed as well as is known


class UndecidedError(UserError):
    """A mask can be read in several ways, and nobody has said which; a look at it helps to decide."""


class Read(NamedTuple):
    """What a reader returns.

    array: channels first, then the file's axes in the file's order.
    notes: what was converted.
    container: the format's name.
    affine: 4×4, of a volume: from an index to mm towards right, anterior, superior; None if the file doesn't say.
    spacing: a pixel's size along each axis of a picture in mm, if the file says; a volume's follows from its affine.
    alpha: H×W, where the file has an alpha channel that isn't opaque everywhere.
    """

    array: Array
    notes: tuple[str, ...]
    container: str
    affine: NDArray[np.float64] | None = None
    spacing: tuple[float, ...] | None = None
    alpha: Array | None = None


def check_size(path: Path, size: int) -> None:
    """Refuse a file that would take too much memory, before it does.

    Raises:
        UserError: if `size`, in bytes, is above `LIMIT`, or more than any packing makes of the file's own.
    """
    stored = sum(file.stat().st_size for file in (path, *companions(path))) if path.is_file() else size
    if SMALL < size <= LIMIT and size > PACKED * stored:
        raise UserError(
            f"{path}: its header claims {size / 2**20:.0f} MiB, and it has {stored} bytes; replace it or take it out"
        )
    if size > LIMIT:
        raise UserError(
            f"{path}: its header claims {size / 2**30:.1f} GiB, more than the {LIMIT / 2**30:.0f} GiB that one file "
            "may take; replace it, or cut it into parts"
        )


def channels_first(array: Array) -> Array:
    """C×H×W of H×W or H×W×C."""
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def without_alpha(array: Array, depth: int) -> tuple[Array, tuple[str, ...], Array | None]:
    """C×H×W whose last channel is alpha, without it; a note; and the alpha channel unless it is opaque everywhere."""
    alpha = array[-1]
    clear = float(np.mean(alpha < 2**depth - 1))
    if not clear:
        return array[:-1], ("opaque alpha channel dropped",), None
    return array[:-1], (f"alpha channel dropped, which isn't opaque on {clear:.1%} of the pixels",), alpha


def apply_palette(indices: Array, palette: Array, as_mask: bool) -> tuple[Array, tuple[str, ...]]:
    """C×H×W of H×W indices into N×3 colours: one channel if all colours in use are grey, else a mask's indices.

    A table of 256 shades of one colour, or of inverted greys, is how a microscope's program shows grey values; then
    the values themselves are returned. Of a mask whose greys are its indices nothing is noted.

    Raises:
        ValueError: if an index is outside the palette.
    """
    used = np.unique(indices)
    if used.max() >= len(palette):
        raise ValueError(f"index {used.max()} of a palette of {len(palette)} colours")
    colours = palette[used]
    if _is_display(palette):
        return indices[None], ("colour table for display left aside, stored values taken",)
    grey = bool((colours == colours[:, :1]).all())
    if as_mask and grey and len(np.unique(colours[:, 0])) < len(used):
        return indices[None], (INDICES,)  # its greys would merge some
    if grey:
        alike = as_mask and bool((colours[:, 0] == used).all())  # as in a mask that is black, and index 0
        return palette[:, 0].astype(np.uint8)[indices][None], () if alike else (GREYS,)
    if as_mask:
        return indices[None], (INDICES,)
    return channels_first(palette.astype(np.uint8)[indices]), ("palette converted to its colours",)


def _is_display(palette: Array) -> bool:
    ramp = np.arange(256)
    if len(palette) != 256:
        return False
    if (palette == ramp[::-1, None]).all():
        return True
    ramps = [bool((column == ramp).all()) for column in palette.T]
    return any(ramps) and not all(ramps) and not palette[:, [not each for each in ramps]].any()


def upright(array: Array, orientation: int) -> tuple[Array, tuple[str, ...]]:
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
