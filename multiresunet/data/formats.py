"""Read and write image files: Pillow's formats in 2-D, NIfTI in 3-D."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from multiresunet.errors import UserError

Array = NDArray[Any]
NIFTI = (".nii", ".nii.gz")
# Pillow's modes that map to an array without a guess.
MODES = {"1": "L", "L": "L", "I;16": "I;16", "RGB": "RGB"}

nibabel.imageglobals.logger.setLevel(logging.CRITICAL)  # its remarks on headers are no line for the user


def is_volume(path: Path) -> bool:
    """Whether the name is that of a NIfTI file."""
    return path.name.endswith(NIFTI)


def read_image(path: Path) -> Array:
    """Read an image as C×H×W or a volume as C×D×H×W, in the file's own type and scale.

    A volume's axes are in the file's order; a fourth axis holds the channels.

    Raises:
        UserError: naming the file, if it is missing, damaged, too large, or of a kind that isn't known.
    """
    array = _read(path)
    if is_volume(path):
        return array[None] if array.ndim == 3 else np.moveaxis(array, -1, 0)
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def read_mask(path: Path) -> Array:
    """Read a mask as H×W or D×H×W integers.

    Raises:
        UserError: as `read_image`, or if the file has channels, fractions, or values that aren't finite.
    """
    array = _read(path)
    if array.ndim != (3 if is_volume(path) else 2):
        raise UserError(f"{path}: a mask has one channel, this file has shape {array.shape}; save it as grey")
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and np.array_equal(array, np.round(array))):
            raise UserError(f"{path}: a mask holds whole numbers, this one has fractions or NaN; save its labels")
        array = array.astype(np.int64)
    return array


def write_image(path: Path, image: Array) -> None:
    """Write C×H×W (one or three channels) or H×W of uint8 as PNG, or C×D×H×W or D×H×W as NIfTI."""
    if is_volume(path):
        array = np.moveaxis(image, 0, -1) if image.ndim == 4 else image
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)  # type: ignore[no-untyped-call]
        return
    array = np.moveaxis(image, 0, -1).squeeze(-1) if image.shape[0] == 1 and image.ndim == 3 else image
    Image.fromarray(np.moveaxis(array, 0, -1) if array.ndim == 3 else array).save(path)


def _read(path: Path) -> Array:
    if not path.exists():
        raise UserError(f"{path}: this file is missing; put it back, or take its line out of the manifest")
    try:
        return _read_volume(path) if is_volume(path) else _read_picture(path)
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(f"{path}: not an image that can be read; replace it or take it out") from None
    except Exception as error:  # damaged bytes make decoders raise what comes to hand, OverflowError included
        raise UserError(f"{path}: damaged or not readable ({error}); replace it or take it out") from None


def _read_picture(path: Path) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on damaged files; the error that follows says it
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            if picture.mode not in MODES:
                raise UserError(
                    f"{path}: pixels of kind {picture.mode} aren't known; save it as 8- or 16-bit grey or as RGB"
                )
            # An MPO is a JPEG with a preview behind it.
            pages = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
            if pages > 1:
                raise UserError(f"{path}: holds {pages} images; save each as a file of its own, or the stack as NIfTI")
            return np.asarray(picture.convert(MODES[picture.mode]))


def _read_volume(path: Path) -> Array:
    volume: Any = nibabel.load(path)
    if volume.ndim not in (3, 4) or 0 in volume.shape:
        raise UserError(f"{path}: a volume has three axes, or four with channels, this one is {volume.shape}")
    array = np.asarray(volume.dataobj)
    if array.dtype.kind not in "biuf":
        raise UserError(f"{path}: voxels of kind {array.dtype} aren't known; save channels along a fourth axis")
    return array
