"""Write an array on the grid of a file, with its geometry: affine, spacing, direction, resolution, EXIF turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from multiresunet.data.readers import Array, Decoded
from multiresunet.data.readers.common import ORIENTATION
from multiresunet.errors import UserError

if TYPE_CHECKING:
    from multiresunet.inference.inputs import Input

SAME = "same"
FORMATS = (SAME, "png", "tif", "nii.gz")
OWN = {"TIFF": "tif", "NIfTI": "nii.gz", "NRRD": "nrrd", "MetaImage": "mha"}  # of all others: png

UNITS = {"inch": 25.4, "cm": 10.0, "mm": 1.0, "micron": 1e-3, "um": 1e-3, "µm": 1e-3, "\\u00B5m": 1e-3, "nm": 1e-6}
FOR_PRINTERS = (1, 2.54, 72, 96, 150, 300, 600)  # dots per inch, rounded, of programs that don't know; 2.54 is 1 per cm

# Whose volumes are slices, rows, columns. Those of others are columns, rows, slices; an array's axes are anybody's.
SLICES_FIRST, ANYBODYS = ("TIFF", "OME-Zarr"), ("NumPy",)

Writer = Callable[[Path, Array, Path, Decoded], None]


def suffix_for(wanted: str, decoded: Decoded, path: Path) -> str:
    """The suffix of what is written for the image that was read from `path`, for `--format`.

    Raises:
        UserError: if the format can't hold what the image is.
    """
    volume = decoded.array.ndim == 4
    if wanted == SAME:
        own = OWN.get(decoded.container, "tif" if volume else "png")
        return "nii.gz" if own == "tif" and volume and decoded.container not in OWN else own
    if volume and wanted == "png":
        raise UserError(f"{path}: a volume, which --format png can't hold; use tif or nii.gz")
    return wanted


def write(path: Path, array: Array, source: Path, decoded: Decoded) -> None:
    """Write an array (D×)H×W, or of colours H×W×3, on the grid on which `source` was read.

    Args:
        path: to be written; its suffix says the format.
        array: of uint8, uint16, uint32 or float32.
        source: the file whose geometry the array has.
        decoded: what was read from it.
    """
    suffix = next(name for name in WRITERS if path.name.endswith(f".{name}"))
    space = decoded.space
    if space is not None and array.shape == space.shape:  # an overlay shows one slice, as colours
        array = space.to_file(array)
    WRITERS[suffix](path, np.ascontiguousarray(array), source, decoded)


def write_png(path: Path, array: Array, source: Path, decoded: Decoded) -> None:
    """Grey of 8 or 16 bits (floats in [0, 1] as 16 bits), or colours; with the picture's resolution and EXIF turn."""
    if array.dtype.kind == "f":
        array = np.round(np.clip(array, 0, 1) * 65535).astype(np.uint16)
    elif array.dtype == np.uint32:
        if array.max(initial=0) > 65535:
            raise UserError(f"{source}: more than 65535 instances don't fit into PNG; use --format tif")
        array = array.astype(np.uint16)
    turn = turn_of(decoded)
    words: dict[str, Any] = {}
    if turn != 1:
        exif = Image.Exif()
        exif[ORIENTATION] = turn
        words["exif"] = exif
        colours = array.ndim == 3  # whose last axis stays the last
        array = np.moveaxis(as_stored(np.moveaxis(array, -1, 0), turn), 0, -1) if colours else as_stored(array, turn)
    if decoded.container not in OWN and source.is_file():
        with suppress(UnidentifiedImageError), Image.open(source) as picture:
            if dots := picture.info.get("dpi"):
                words["dpi"] = tuple(map(float, dots))
    Image.fromarray(np.ascontiguousarray(array)).save(path, format="PNG", **words)


def write_tiff(path: Path, array: Array, source: Path, decoded: Decoded) -> None:
    """TIFF with the picture's resolution and turn; ImageJ's unit and distance of slices, if it has them."""
    import tifffile

    if array.ndim == 3 and decoded.container not in (*SLICES_FIRST, *ANYBODYS):
        array = np.ascontiguousarray(array.T)  # pages are slices
    words: dict[str, Any] = {"photometric": "minisblack"}  # three columns of a volume aren't colours
    turn = turn_of(decoded)
    if turn != 1:
        array = as_stored(array, turn)
        words["extratags"] = [(ORIENTATION, "H", 1, turn, True)]
    words |= tiff_geometry(source) if decoded.container == "TIFF" else {}
    if words.get("imagej"):
        array = array.astype(np.float32) if array.dtype == np.uint32 else array  # which ImageJ doesn't know
        words["metadata"] = words.get("metadata", {}) | {"axes": "ZYX" if array.ndim == 3 else "YX"}
    tifffile.imwrite(path, array, compression=None if words.get("imagej") else "zlib", **words)


def tiff_geometry(source: Path) -> dict[str, Any]:
    """Resolution and unit of a TIFF, and ImageJ's distance of slices, as `tifffile.imwrite` takes them."""
    import tifffile

    found: dict[str, Any] = {}
    with tifffile.TiffFile(source) as file:
        tags = file.pages.first.tags
        if "XResolution" in tags and "YResolution" in tags:
            x, y = (_ratio(tags[name].value) for name in ("XResolution", "YResolution"))
            if x and y:
                found["resolution"] = (x, y)
                found["resolutionunit"] = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 1
        if file.imagej_metadata:
            said = file.imagej_metadata
            kept = {"unit": _ascii(said.get("unit")), "spacing": _number(said.get("spacing"))}
            found |= {"imagej": True, "metadata": {key: value for key, value in kept.items() if value is not None}}
    return found


def _ratio(value: Any) -> tuple[int, int] | None:
    """A resolution as TIFF is to store it: two integers; other programs store one number. None if it is neither."""
    if isinstance(value, tuple) and len(value) == 2:
        return value
    value = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    if _number(value) is None or not 0 <= value < 2**32:
        return None
    near = Fraction(value).limit_denominator(int(2**32 // max(value, 1)) - 1 or 1)  # both need to fit into 32 bits
    return near.numerator, near.denominator


def _number(value: Any) -> Any:
    """A finite number as it is, None for anything else."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _ascii(unit: Any) -> Any:
    """A unit as ImageJ's description can hold it: µm, with either of its signs, is um."""
    if not isinstance(unit, str) or unit.isascii():
        return unit
    if unit in ("µm", "μm"):
        return "um"
    return "".join(sign if sign.isascii() else f"\\u{ord(sign):04X}" for sign in unit)  # as ImageJ writes it


def tiff_spacing(source: Path, dims: int) -> tuple[float, ...] | None:
    """A pixel's size in mm along each axis of a TIFF; None where it doesn't say, or says what printers are told."""
    geometry = tiff_geometry(source)
    x, y = (high / max(low, 1) for high, low in geometry.get("resolution", ((0, 1), (0, 1))))
    words = geometry.get("metadata", {})
    unit = {2: 25.4, 3: 10.0}.get(geometry.get("resolutionunit", 1)) or UNITS.get(words.get("unit", ""))
    if unit is None or not x or not y:
        return None
    if any(abs(side * UNITS["inch"] / unit - dots) < 0.5 for side in (x, y) for dots in FOR_PRINTERS):
        return None
    if dims == 2:
        return unit / y, unit / x
    return (unit * words["spacing"], unit / y, unit / x) if words.get("spacing") else None


def write_nifti(path: Path, array: Array, source: Path, decoded: Decoded) -> None:
    """NIfTI with the affine and the header of a NIfTI source, or an affine made of what is known of the source."""
    import nibabel

    if array.ndim == 2:
        array = array.T[..., None]  # a picture's columns are NIfTI's first axis
    elif decoded.container in SLICES_FIRST:
        array = array.T
    if decoded.container == "NIfTI":
        loaded: Any = nibabel.load(source)
        header = loaded.header.copy()
        header.set_slope_inter(None, None)
        header["cal_min"], header["cal_max"] = 0, 0  # the display's window was for the image
        header.set_data_dtype(array.dtype)
        made: Any = nibabel.Nifti1Image(array, loaded.affine, header)  # type: ignore[no-untyped-call]  # nibabel has few types
        made.header.set_qform(*loaded.header.get_qform(coded=True))
        made.header.set_sform(*loaded.header.get_sform(coded=True))
    else:
        affine = affine_of(source, decoded)
        made = nibabel.Nifti1Image(array, affine)  # type: ignore[no-untyped-call]  # as above
        made.header.set_xyzt_units("mm")
    nibabel.save(made, path)


def affine_of(source: Path, decoded: Decoded) -> Array:
    """4×4, in mm towards right, anterior, superior, of an array in NIfTI's order; if nothing else is known, spacing."""
    if decoded.space is not None:
        return decoded.space.file_affine
    if decoded.container in ("NRRD", "MetaImage"):
        reader = itk_header(source)
        count = reader.GetDimension()
        affine = np.eye(4)
        direction = np.array(reader.GetDirection()).reshape(count, count) * np.array(reader.GetSpacing())
        affine[:count, :count], affine[:count, 3] = direction, reader.GetOrigin()
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine  # ITK's axes run to the left and to the back
    spacing = decoded.spacing or (1.0, 1.0, 1.0)
    if len(spacing) == 2:
        spacing = (spacing[1], spacing[0], 1.0)
    elif decoded.container in SLICES_FIRST:
        spacing = spacing[::-1]
    return np.diag([*spacing, 1.0])


def write_itk(path: Path, array: Array, source: Path, decoded: Decoded) -> None:
    """NRRD or MetaImage with the source's origin, spacing and direction."""
    import SimpleITK as sitk  # noqa: N813 - its users' name for it

    if array.ndim == 3 and decoded.array.ndim == 4:
        array = array.transpose(2, 1, 0)  # ITK's arrays have the file's axes reversed
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    reader = itk_header(source)
    image.SetOrigin(reader.GetOrigin())
    image.SetSpacing(reader.GetSpacing())
    image.SetDirection(reader.GetDirection())
    sitk.WriteImage(image, str(path), True)


def itk_header(source: Path) -> Any:
    """What SimpleITK knows of a file before it reads the voxels."""
    import SimpleITK as sitk  # noqa: N813 - its users' name for it

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(source))
    reader.ReadImageInformation()
    return reader


def place_of(one: Input, output: str, suffix: str, out: Path) -> Path:
    """Where an output is written: OUT/folder/name_output.suffix."""
    return out / f"{one.name}_{output}.{suffix}"


def draft_of(target: Path) -> Path:
    """Where an output lies until all of an image's are whole."""
    return target.with_name(f".draft-{target.name}")


@contextmanager
def without_drafts() -> Iterator[list[Path]]:
    """A list of files that are removed if the block ends with an error."""
    drafts: list[Path] = []
    try:
        yield drafts
    except BaseException:
        for draft in drafts:
            draft.unlink(missing_ok=True)
        raise


def turn_of(decoded: Decoded) -> int:
    """EXIF's orientation, 1 to 8, that was undone when the file was read."""
    return int(next((note.rpartition(" ")[2] for note in decoded.notes if "EXIF orientation" in note), 1))


def as_stored(array: Array, turn: int) -> Array:
    """An upright …×H×W as a file of this EXIF orientation stores it; undoes `readers.common.upright`."""
    if turn in (3, 4, 7, 8):
        array = array[..., ::-1, :]
    if turn in (2, 3, 6, 7):
        array = array[..., ::-1]
    if turn >= 5:
        array = array.swapaxes(-1, -2)
    return np.ascontiguousarray(array)


WRITERS: dict[str, Writer] = {
    "png": write_png,
    "tif": write_tiff,
    "nii.gz": write_nifti,
    "nrrd": write_itk,
    "mha": write_itk,
}
