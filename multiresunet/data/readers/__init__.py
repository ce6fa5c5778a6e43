"""Read and write image files, whatever format a laboratory has; every conversion is noted, none is silent."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from multiresunet.data.readers.common import Array, Read
from multiresunet.errors import UserError
from multiresunet.registries import READERS

__all__ = ["Array", "Decoded", "decode_image", "decode_mask", "read_image", "read_mask", "write_image"]

FALLBACK = "pictures"  # for files of unknown suffix: Pillow looks at the content


class Decoded(NamedTuple):
    """What a file holds.

    array: C×H×W or C×D×H×W for an image, H×W or D×H×W for a mask; the file's own type and scale.
    notes: what was done to get there, such as "alpha dropped"; empty if nothing was.
    container: the format's name, such as PNG or NIfTI.
    spacing: a pixel's or voxel's size along each axis of the array, in mm; None if the file doesn't say.
    """

    array: Array
    notes: tuple[str, ...]
    container: str
    spacing: tuple[float, ...] | None = None


def decode_image(path: Path) -> Decoded:
    """Read an image as C×H×W, or a volume or a stack of pages as C×D×H×W.

    EXIF's orientation is applied, a palette becomes its colours, alpha is dropped. A volume's axes are in the
    file's order; a fourth axis holds the channels.

    Raises:
        UserError: naming the file, if it is missing, damaged, too large, or of a kind that isn't known.
    """
    return _read(path, as_mask=False)


def decode_mask(path: Path) -> Decoded:
    """Read a mask as H×W or D×H×W integers.

    As `decode_image`, but a palette of colours counts as labels, by its indices (a grey one by its grey values),
    and colours that are all grey become one channel.

    Raises:
        UserError: as `decode_image`, or if the file has channels, fractions, or values that aren't finite.
    """
    read = _read(path, as_mask=True)
    array, notes = read.array, read.notes
    if len(array) > 1 and array.dtype == np.uint8 and len(array) == 3 and (array == array[0]).all():
        array, notes = array[:1], (*notes, "equal colours taken as grey")
    if len(array) != 1:
        raise UserError(
            f"{path}: a mask has one channel, this file has {len(array)} (shape {np.moveaxis(array, 0, -1).shape}); "
            "save it as grey"
        )
    array = array[0]
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and np.array_equal(array, np.round(array))):
            raise UserError(f"{path}: a mask holds whole numbers, this one has fractions or NaN; save its labels")
        array = array.astype(np.int64)
    return read._replace(array=array, notes=notes)


def read_image(path: Path) -> Array:
    """The array of `decode_image`."""
    return decode_image(path).array


def read_mask(path: Path) -> Array:
    """The array of `decode_mask`."""
    return decode_mask(path).array


def write_image(path: Path, image: Array) -> None:
    """Write C×H×W (one or three channels) or H×W of uint8 as PNG, or C×D×H×W or D×H×W as NIfTI."""
    if _reader_name(path.name) == "nifti":
        from multiresunet.data.readers.nifti import write_nifti  # here, since few data sets need nibabel

        write_nifti(path, image)
        return
    array = np.moveaxis(image, 0, -1).squeeze(-1) if image.shape[0] == 1 and image.ndim == 3 else image
    Image.fromarray(np.moveaxis(array, 0, -1) if array.ndim == 3 else array).save(path)


@cache
def known_suffixes() -> dict[str, str]:
    """The reader's name for each suffix of a file's name, the longest first."""
    found = {suffix: name for name, entry in READERS.entries.items() for suffix in entry.facts["suffixes"]}
    return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))


def _reader_name(file: str) -> str | None:
    return next((name for suffix, name in known_suffixes().items() if file.lower().endswith(suffix)), None)


def _read(path: Path, as_mask: bool) -> Decoded:
    if not path.exists():
        raise UserError(f"{path}: this file is missing; put it back, or take its line out of the manifest")
    if path.is_file() and not path.stat().st_size:
        raise UserError(f"{path}: an empty file, not an image that can be read; replace it or take it out")
    name = _reader_name(path.name)
    reader: Callable[[Path, bool], Read] = READERS[name or FALLBACK]
    try:
        return Decoded(*reader(path, as_mask))
    except UserError:
        raise
    except UnidentifiedImageError:
        known = "" if name else f" (known: {', '.join(sorted(known_suffixes()))})"
        raise UserError(f"{path}: not an image that can be read{known}; replace it or take it out") from None
    except Exception as error:  # damaged bytes make decoders raise what comes to hand, OverflowError included
        raise UserError(f"{path}: damaged or not readable ({error}); replace it or take it out") from None
