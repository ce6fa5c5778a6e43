"""NIfTI and its kin (pairs, Analyze, FreeSurfer's MGH), by nibabel."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from multiresunet.data.readers.common import Array, Read, check_size
from multiresunet.data.readers.several import companions
from multiresunet.errors import UserError
from multiresunet.registries import READERS

nibabel.imageglobals.logger.setLevel(logging.CRITICAL)  # its remarks on headers are no line for the user
FEW = 8  # channels that a fourth axis may have where its unit is a second and its step the default one


@READERS.register("nifti", suffixes=(".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh"))
def read_nifti(path: Path, as_mask: bool) -> Read:
    """C×D×H×W with the axes in the file's order, and the affine that the header states; the format."""
    companions(path)  # says so if a pair's other half is missing
    volume: Any = nibabel.load(path)
    if volume.ndim not in (3, 4) or 0 in volume.shape:
        raise UserError(f"{path}: a volume has three axes, or four with channels, this one is {volume.shape}")
    _check_fourth_axis(path, volume)
    kind = volume.get_data_dtype()
    scaled = getattr(volume.dataobj, "slope", 1) != 1 or getattr(volume.dataobj, "inter", 0) != 0
    check_size(path, math.prod(map(int, volume.shape)) * max(kind.itemsize, 8 if scaled else 1))
    array = np.asarray(volume.dataobj)
    if array.dtype.kind not in "biuf":
        raise UserError(f"{path}: voxels of kind {array.dtype} aren't known; save channels along a fourth axis")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    affine, notes, spacing = _affine(volume)
    channels = array[None] if array.ndim == 3 else np.moveaxis(array, -1, 0)
    return Read(channels, notes, _name(volume), affine, spacing)


def write_nifti(path: Path, volume: Array, affine: NDArray[np.float64] | None = None) -> None:
    """Write C×D×H×W or D×H×W; without an affine, voxels are millimetres."""
    array = np.moveaxis(volume, 0, -1) if volume.ndim == 4 else volume
    image = nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm")  # type: ignore[no-untyped-call]
    nibabel.save(image, path)


def _check_fourth_axis(path: Path, volume: Any) -> None:
    """Refuse a fourth axis that the header calls time."""
    if volume.ndim != 4 or volume.shape[3] == 1 or not hasattr(volume.header, "get_xyzt_units"):
        return
    unit, step = volume.header.get_xyzt_units()[1], float(volume.header["pixdim"][4])
    if unit not in ("sec", "msec", "usec") or step <= 0 or (step == 1 and volume.shape[3] <= FEW):
        return
    raise UserError(
        f"{path}: its fourth axis is time ({volume.shape[3]} steps of {step:g} {unit}), not channels; save one phase, "
        "or a file for each"
    )


def _affine(volume: Any) -> tuple[NDArray[np.float64] | None, tuple[str, ...], tuple[float, ...] | None]:
    """The affine if the header states one, what there is to say about it, and the spacing."""
    header = volume.header
    spacing = tuple(float(abs(side)) for side in header.get_zooms()[:3])
    scale = _millimetres(header)
    known = tuple(scale * side for side in spacing) if all(0 < side < np.inf for side in spacing) else None
    if not hasattr(header, "get_sform"):
        stated = not type(header).__name__.startswith(("Analyze", "Spm"))  # whose axes nobody knows
        return (np.asarray(volume.affine) if stated else None), (), known
    forms = [form for form, code in (header.get_sform(coded=True), header.get_qform(coded=True)) if code]
    if not forms:
        return None, ("its header doesn't say how its axes lie, they are taken as they are",), known
    near = len(forms) < 2 or np.abs(forms[0] - forms[1]).max() <= 1e-2 * (min(spacing) or 1)
    said = () if near else ("its two affines (sform, qform) differ, sform is used",)
    affine = np.asarray(forms[0], dtype=np.float64).copy()
    affine[:3] *= scale
    return affine, said, known


def _millimetres(header: Any) -> float:
    """How many mm the header's unit of length (1: metre, 3: micron) has."""
    unit = int(header["xyzt_units"]) % 8 if hasattr(header, "get_xyzt_units") else 2
    return {1: 1000.0, 3: 0.001}.get(unit, 1.0)


def _name(volume: Any) -> str:
    name = type(volume).__name__
    return {"MGHImage": "MGH"}.get(name, "NIfTI" if name.startswith("Nifti") else "Analyze")
