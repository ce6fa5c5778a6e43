"""NIfTI, by nibabel."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from multiresunet.data.readers.common import Array, Read, check_size
from multiresunet.errors import UserError
from multiresunet.registries import READERS

nibabel.imageglobals.logger.setLevel(logging.CRITICAL)  # its remarks on headers are no line for the user


@READERS.register("nifti", suffixes=(".nii", ".nii.gz"))
def read_nifti(path: Path, as_mask: bool) -> Read:
    """C×D×H×W with the axes in the file's order; nothing is converted; NIfTI."""
    volume: Any = nibabel.load(path)
    if volume.ndim not in (3, 4) or 0 in volume.shape:
        raise UserError(f"{path}: a volume has three axes, or four with channels, this one is {volume.shape}")
    kind = volume.get_data_dtype()
    # Scaled values come as float64.
    check_size(path, math.prod(map(int, volume.shape)) * max(kind.itemsize, 8 if volume.dataobj.slope != 1 else 1))
    array = np.asarray(volume.dataobj)
    if array.dtype.kind not in "biuf":
        raise UserError(f"{path}: voxels of kind {array.dtype} aren't known; save channels along a fourth axis")
    return array[None] if array.ndim == 3 else np.moveaxis(array, -1, 0), (), "NIfTI"


def write_nifti(path: Path, volume: Array) -> None:
    """Write C×D×H×W or D×H×W."""
    array = np.moveaxis(volume, 0, -1) if volume.ndim == 4 else volume
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)  # type: ignore[no-untyped-call]
