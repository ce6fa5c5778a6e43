"""NRRD and MetaImage, by SimpleITK."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its users' name for it

from multiresunet.data.readers.common import Read, check_size
from multiresunet.errors import UserError
from multiresunet.registries import READERS

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # the error that follows says it


@READERS.register("itk", suffixes=(".nrrd", ".mha"))
def read_itk(path: Path, as_mask: bool) -> Read:
    """C×D×H×W with the axes in the file's order, as `read_nifti`, or C×H×W for a picture; NRRD or MetaImage."""
    with path.open("rb") as file:
        header = file.read(2**16).split(b"\n\n")[0].lower().replace(b" ", b"")
    # A header of its own may name any file of this machine as its voxels.
    if b"\ndatafile:" in header or (b"elementdatafile=" in header and b"elementdatafile=local" not in header):
        raise UserError(f"{path}: its voxels lie in another file; save header and voxels as one")
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
