"""NRRD and MetaImage, by SimpleITK."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from numpy.typing import NDArray

from multiresunet.data.readers.common import Read, check_size
from multiresunet.data.readers.metaimage import check_header
from multiresunet.data.readers.several import HEADERS, data_file
from multiresunet.errors import UserError
from multiresunet.registries import READERS

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # the error that follows says it
BYTES = {sitk.sitkUInt8: 1, sitk.sitkInt8: 1, sitk.sitkUInt16: 2, sitk.sitkInt16: 2}
BYTES |= {sitk.sitkUInt32: 4, sitk.sitkInt32: 4, sitk.sitkFloat32: 4}
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@READERS.register("itk", suffixes=(".nrrd", ".nhdr", ".mha", ".mhd"))
def read_itk(path: Path, as_mask: bool) -> Read:
    """C×D×H×W with the axes in the file's order, as `read_nifti`, or C×H×W for a picture; NRRD or MetaImage."""
    with path.open("rb") as file:
        header = file.read(2**16).split(b"\n\n")[0].lower().replace(b" ", b"")
    if path.suffix.lower() in HEADERS:
        data_file(path)
    # A header of its own may name any file of this machine as its voxels.
    elif b"\ndatafile:" in header or (b"elementdatafile=" in header and b"elementdatafile=local" not in header):
        raise UserError(f"{path}: its voxels lie in another file; save header and voxels as one")
    name = "MetaImage" if path.suffix.lower() in (".mha", ".mhd") else "NRRD"
    if name == "MetaImage":
        check_header(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("MetaImageIO" if name == "MetaImage" else "NrrdImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    stated = name == "MetaImage" or re.search(rb"\nspace(?:dimension)?:", header) is not None
    return taken(path, reader, name, stated=stated)


def taken(path: Path, reader: Any, container: str, *, stated: bool = True) -> Read:
    """What a reader with information read gives, without copies; `stated` is whether its geometry is the file's.

    Raises:
        UserError: if the file is too large, or has other axes.
    """
    channels, dimension = reader.GetNumberOfComponents(), reader.GetDimension()
    kind = reader.GetPixelIDValue()
    scalar = BYTES.get(kind, BYTES.get(kind - sitk.sitkVectorUInt8 + sitk.sitkUInt8, 8) if channels > 1 else 8)
    check_size(path, math.prod(reader.GetSize()) * channels * scalar)
    if dimension not in (2, 3):
        raise UserError(f"{path}: has {dimension} axes, expected two or three, and channels")
    return of_image(reader.Execute(), container, stated=stated)


def of_image(image: sitk.Image, container: str, *, stated: bool = True) -> Read:
    """An ITK image as readers return it."""
    channels = image.GetNumberOfComponentsPerPixel()
    array = np.asarray(sitk.GetArrayFromImage(image))
    array = np.moveaxis(array, -1, 0) if channels > 1 else array[None]
    if array.ndim == 3:
        return Read(array, (), container, None, tuple(reversed(image.GetSpacing())) if stated else None)
    # ITK's arrays have the file's axes reversed; a picture's rows come first anyway.
    array = array.transpose(0, 3, 2, 1)
    return Read(array, (), container, affine_of(image) if stated else None, image.GetSpacing() if stated else None)


def affine_of(image: Any) -> NDArray[np.float64]:
    """4×4, from indices (x, y, z) to mm in RAS, of a volume of ITK's, which counts in LPS."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.asarray(LPS_TO_RAS @ affine)
