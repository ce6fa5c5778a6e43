"""Volumes: NIfTI by nibabel; NRRD and MetaImage by SimpleITK."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from multiresunet.errors import UserError

Array = NDArray[Any]
Read = tuple[Array, tuple[str, ...], str]
NIFTI = (".nii", ".nii.gz")
ITK = (".nrrd", ".mha")
LIMIT = 2 * 2**30  # bytes of one decoded file; a header may claim anything

nibabel.imageglobals.logger.setLevel(logging.CRITICAL)  # its remarks on headers are no line for the user


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


def read_itk(path: Path, as_mask: bool) -> Read:
    """C×D×H×W with the axes in the file's order, as `read_nifti`, or C×H×W for a picture; NRRD or MetaImage."""
    import SimpleITK as sitk  # noqa: N813 - its users' name for it; here, since few data sets need it

    with path.open("rb") as file:
        header = file.read(2**16).split(b"\n\n")[0].lower().replace(b" ", b"")
    # A header of its own may name any file of this machine as its voxels.
    if b"\ndatafile:" in header or (b"elementdatafile=" in header and b"elementdatafile=local" not in header):
        raise UserError(f"{path}: its voxels lie in another file; save header and voxels as one")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    channels = reader.GetNumberOfComponents()
    check_size(path, math.prod(reader.GetSize()) * channels * 8)
    if reader.GetDimension() not in (2, 3):
        raise UserError(f"{path}: has {reader.GetDimension()} axes, expected two or three, and channels")
    array = np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    array = np.moveaxis(array, -1, 0) if channels > 1 else array[None]
    if array.ndim == 4:  # ITK's arrays have the file's axes reversed; a picture's rows come first anyway
        array = np.ascontiguousarray(array.transpose(0, 3, 2, 1))
    return array, (), "MetaImage" if path.name.lower().endswith(".mha") else "NRRD"
