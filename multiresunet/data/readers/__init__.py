"""Read and write image files, whatever format a laboratory has; every conversion is noted, none is silent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from multiresunet.data.readers import pictures, volumes
from multiresunet.errors import UserError

Array = NDArray[Any]


class Decoded(NamedTuple):
    """What a file holds.

    array: C×H×W or C×D×H×W for an image, H×W or D×H×W for a mask; the file's own type and scale.
    notes: what was done to get there, such as "alpha dropped"; empty if nothing was.
    container: PNG, JPEG, BMP, GIF, TIFF, NIfTI, NRRD or MetaImage.
    """

    array: Array
    notes: tuple[str, ...]
    container: str


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
    array, notes, container = _read(path, as_mask=True)
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
    return Decoded(array, notes, container)


def read_image(path: Path) -> Array:
    """The array of `decode_image`."""
    return decode_image(path).array


def read_mask(path: Path) -> Array:
    """The array of `decode_mask`."""
    return decode_mask(path).array


def write_image(path: Path, image: Array) -> None:
    """Write C×H×W (one or three channels) or H×W of uint8 as PNG, or C×D×H×W or D×H×W as NIfTI."""
    if path.name.endswith(volumes.NIFTI):
        array = np.moveaxis(image, 0, -1) if image.ndim == 4 else image
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)  # type: ignore[no-untyped-call]
        return
    array = np.moveaxis(image, 0, -1).squeeze(-1) if image.shape[0] == 1 and image.ndim == 3 else image
    Image.fromarray(np.moveaxis(array, 0, -1) if array.ndim == 3 else array).save(path)


def _reader(path: Path) -> Callable[[Path, bool], tuple[Array, tuple[str, ...], str]]:
    name = path.name.lower()
    if name.endswith(volumes.NIFTI):
        return volumes.read_nifti
    if name.endswith(volumes.ITK):
        return volumes.read_itk
    return pictures.read_tiff if name.endswith((".tif", ".tiff")) else pictures.read_picture


def _read(path: Path, as_mask: bool) -> Decoded:
    if not path.exists():
        raise UserError(f"{path}: this file is missing; put it back, or take its line out of the manifest")
    if path.is_file() and not path.stat().st_size:
        raise UserError(f"{path}: an empty file, not an image that can be read; replace it or take it out")
    try:
        return Decoded(*_reader(path)(path, as_mask))
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(f"{path}: not an image that can be read; replace it or take it out") from None
    except Exception as error:  # damaged bytes make decoders raise what comes to hand, OverflowError included
        raise UserError(f"{path}: damaged or not readable ({error}); replace it or take it out") from None
