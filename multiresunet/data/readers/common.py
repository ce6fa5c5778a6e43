"""What readers share: what they return, the limit of a file's size, palettes and orientations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import Base

from multiresunet.errors import UserError

Array = NDArray[Any]
Read = tuple[Array, tuple[str, ...], str]  # channels first; what was converted; the format's name
ORIENTATION = int(Base.Orientation)
LIMIT = 2 * 2**30  # bytes of one decoded file; a header may claim anything


def check_size(path: Path, size: int) -> None:
    """Refuse a file that would take too much memory, before it does.

    Raises:
        UserError: if `size`, in bytes, is above `LIMIT`.
    """
    if size > LIMIT:
        raise UserError(
            f"{path}: its header claims {size / 2**30:.1f} GiB, more than the {LIMIT / 2**30:.0f} GiB that one file "
            "may take; replace it, or cut it into parts"
        )


def channels_first(array: Array) -> Array:
    """C×H×W of H×W or H×W×C."""
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def apply_palette(indices: Array, palette: Array, as_mask: bool) -> tuple[Array, tuple[str, ...]]:
    """C×H×W of H×W indices into N×3 colours: one channel if all colours in use are grey, else a mask's indices.

    Raises:
        ValueError: if an index is outside the palette.
    """
    used = np.unique(indices)
    if used.max() >= len(palette):
        raise ValueError(f"index {used.max()} of a palette of {len(palette)} colours")
    colours = palette[used]
    if (colours == colours[:, :1]).all():
        return palette[:, 0].astype(np.uint8)[indices][None], ("palette converted to its greys",)
    if as_mask:
        return indices[None], ("palette's indices taken as labels",)
    return channels_first(palette.astype(np.uint8)[indices]), ("palette converted to its colours",)


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
