"""DICOM, by SimpleITK's GDCM: a folder of slices is one volume, a file an image or a multi-frame volume."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its users' name for it

from multiresunet.data.readers.common import Read, check_size
from multiresunet.data.readers.itk import of_image, taken
from multiresunet.data.readers.several import is_litter
from multiresunet.errors import UserError
from multiresunet.registries import READERS

SERIES, POSITION, ORIENTATION, NUMBER, KIND = "0020|000e", "0020|0032", "0020|0037", "0020|0013", "0008|0016"
NO_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.481.3": "an RTSTRUCT, which holds contours; draw them to a NIfTI mask (`dcmrtstruct2nii`)",
    "1.2.840.10008.5.1.4.1.1.66.4": "a DICOM segmentation; convert it to NIfTI (`segimage2itkimage` of dcmqi)",
    "1.2.840.10008.1.3.10": "a DICOMDIR, an index; give the folders of the slices",
}
EVEN = 0.02  # by how much of their mean distance slices may be apart unevenly
ALIKE = 1e-3  # by how much their axes' directions, and their pixels' sizes, may differ


@READERS.register("dicom", suffixes=(".dcm", ".dicom", ".ima"))
def read_dicom(path: Path, as_mask: bool) -> Read:
    """C×D×H×W of a folder (one series) or a multi-frame file, C×H×W of a single slice; rescaled as its tags say."""
    if path.is_file():
        reader = _opened(path)
        read = taken(path, reader, "DICOM", stated=_has(reader, POSITION))
        if read.array.ndim == 4 and read.array.shape[3] == 1:  # ITK gives a slice a depth of one
            spacing = read.spacing and (read.spacing[1], read.spacing[0])
            return Read(read.array[..., 0].transpose(0, 2, 1), read.notes, "DICOM", None, spacing)
        return read
    files = sorted((file for file in path.iterdir() if file.is_file() and not is_litter(file)), key=_natural)
    headers = [_opened(file) for file in files]
    return _volume(path, files, headers)


def _volume(path: Path, files: list[Path], headers: list[Any]) -> Read:
    for file, header in zip(files, headers, strict=True):
        if header.GetSize() != headers[0].GetSize() or header.GetSize()[2] != 1:
            raise UserError(
                f"{file}: {'×'.join(map(str, header.GetSize()))} where {files[0].name} has "
                f"{'×'.join(map(str, headers[0].GetSize()))}; keep one series of equal slices in a folder"
            )
    check_size(path, 4 * len(files) * int(np.prod(headers[0].GetSize())))
    series = [_tag(header, SERIES) for header in headers]
    if len(set(series)) > 1 and len(set(series)) < len(series):
        counts = ", ".join(f"{series.count(one)} slices of …{one[-8:]}" for one in dict.fromkeys(series))
        raise UserError(f"{path}: holds {len(set(series))} series ({counts}); give each a folder of its own")
    order, notes, gap = _order(path, headers)
    images = [sitk.ReadImage(str(files[index])) for index in order]
    volume = sitk.JoinSeries([_flat(image) for image in images])
    placed = gap is not None
    if placed:
        first, last = images[0], images[-1]
        direction = np.array(first.GetDirection()).reshape(3, 3)
        step = (np.array(last.GetOrigin()) - np.array(first.GetOrigin())) / max(len(images) - 1, 1)
        direction[:, 2] = step / np.linalg.norm(step) if len(images) > 1 else direction[:, 2]
        volume.SetSpacing((*first.GetSpacing()[:2], gap))
        volume.SetOrigin(first.GetOrigin())
        volume.SetDirection(direction.ravel().tolist())
    read = of_image(volume, "DICOM", stated=placed)
    return read._replace(notes=notes)


def _flat(image: Any) -> Any:
    """A slice without its place, of which two axes are no longer enough where it isn't axial; the volume gets it."""
    return sitk.GetImageFromArray(sitk.GetArrayFromImage(image)[0], isVector=image.GetNumberOfComponentsPerPixel() > 1)


def _order(path: Path, headers: list[Any]) -> tuple[list[int], tuple[str, ...], float | None]:
    """The slices' order, a note on it, and their distance in mm; None where they don't say where they lie."""
    indices = range(len(headers))
    if all(_has(header, POSITION) and _has(header, ORIENTATION) for header in headers):
        axes = np.array([_numbers(header, ORIENTATION) for header in headers])
        places = np.array([_numbers(header, POSITION) for header in headers])
        sides = np.array([header.GetSpacing()[:2] for header in headers])
        if np.abs(axes - axes[0]).max() > ALIKE or np.abs(sides / sides[0] - 1).max() > ALIKE:
            raise UserError(f"{path}: its slices lie at angles, or differ in their pixels' size; divide it")
        normal = np.cross(axes[0, :3], axes[0, 3:])
        along = places @ normal
        order = sorted(indices, key=lambda index: along[index])
        if len(order) == 1:
            return order, (), float(headers[0].GetSpacing()[2])
        gaps = np.diff(along[order])
        gap = float(gaps.mean())
        room = EVEN * gap + 1e-3
        if gaps.min() <= 0 or np.abs(gaps - gap).max() > room:
            raise UserError(
                f"{path}: its slices are {gaps.min():.4g} to {gaps.max():.4g} mm apart; one is missing or twice there, "
                "or it holds several phases; complete or divide it"
            )
        # Under a tilted gantry each slice is shifted, too, by as much, so that the way to the next one is longer.
        step = (places[order[-1]] - places[order[0]]) / len(gaps)
        away = np.abs(places[order] - places[order[0]] - np.arange(len(order))[:, None] * step).max()
        if away > max(room, float(sides.min()) / 2):
            raise UserError(f"{path}: its slices don't lie on one line, one is {away:.4g} mm beside it; divide it")
        way = float(np.linalg.norm(step))
        return order, (), gap if np.isclose(way, gap, rtol=1e-6) else way
    numbers = [_tag(header, NUMBER) for header in headers]
    if all(re.fullmatch(r"-?\d+", number) for number in numbers) and len(set(numbers)) == len(numbers):
        return (
            sorted(indices, key=lambda i: int(numbers[i])),
            ("slices ordered by InstanceNumber, without places",),
            None,
        )
    return list(indices), ("slices ordered by file name, since their tags don't say",), None


def _opened(path: Path) -> Any:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise UserError(f"{path}: not a DICOM image that can be read; replace it or take it out") from None
    if what := NO_IMAGES.get(_tag(reader, KIND)):
        raise UserError(f"{path}: {what}")
    return reader


def _tag(reader: Any, tag: str) -> str:
    return str(reader.GetMetaData(tag)).strip().strip("\0") if reader.HasMetaDataKey(tag) else ""


def _numbers(reader: Any, tag: str) -> list[float]:
    return [float(part) for part in _tag(reader, tag).split("\\")]


def _has(reader: Any, tag: str) -> bool:
    return bool(_tag(reader, tag))


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Numbers in a name by their value: IM2 before IM10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.name.lower())]
