"""What is written lies on the grid of the file that was read, whatever the two formats are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from multiresunet.errors import UserError
from multiresunet.inference import writing
from multiresunet.inference.inputs import read

Picture = NDArray[Any]


def marked(*shape: int) -> Picture:
    """Zeros, but for the pixel or voxel [1 3 4], of a picture [3 4]."""
    array = np.zeros(shape, np.uint8)
    array[(1, 3, 4)[-len(shape) :]] = 255
    return array


def mask_of(path: Path, suffix: str) -> Path:
    """A file of that suffix with what is above 0 in an image."""
    decoded = read(path)
    target = path.with_name(f"{path.name}_mask.{suffix}")
    writing.write(target, (decoded.array[0] > 0).astype(np.uint8), path, decoded)
    return target


@pytest.mark.parametrize("image", [marked(20, 30), marked(5, 20, 30), marked(5, 20, 5)[..., 2:]])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_tiff_has_its_mask_where_it_is_marked(turn: int, image: Picture, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack", extratags=[(writing.ORIENTATION, "H", 1, turn, True)])
    made = mask_of(path, "tif")
    np.testing.assert_array_equal(tifffile.imread(made) > 0, image > 0)
    with tifffile.TiffFile(made) as file:
        assert file.pages.first.tags.valueof(writing.ORIENTATION, 1) == turn
    assert read(made).array.shape == read(path).array.shape
    assert read(made).notes == read(path).notes


@pytest.mark.parametrize(("turn", "spacing"), [(1, (3.0, 0.2, 0.1)), (6, (3.0, 0.1, 0.2))])
def test_a_turned_stack_keeps_the_distance_of_its_slices(turn: int, spacing: tuple[float, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    words: dict[str, Any] = {"metadata": {"unit": "mm", "spacing": 3.0, "axes": "ZYX"}, "resolution": (10.0, 5.0)}
    tifffile.imwrite(path, marked(5, 20, 30), imagej=True, extratags=[(274, "H", 1, turn, True)], **words)
    assert read(path).spacing == pytest.approx(spacing)


MICRO = "\u00b5m"


@pytest.mark.parametrize(
    ("raw", "says"),
    [(MICRO.encode("latin-1"), "um"), ("\u03bcm".encode(), "um"), (b"mm", "mm"), ("\u00e5l".encode(), r"\u00E5l")],
)
def test_imagejs_unit_is_written_as_imagej_can_read_it(raw: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, marked(20, 30), imagej=True, resolution=(10, 10), metadata={"unit": "QQQQQQ"})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"unit=QQQQQQ\n", b"unit=" + raw + b"\n" + b"\n" * (6 - len(raw))))
    made = mask_of(path, "tif")
    with tifffile.TiffFile(made) as file:
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["unit"] == says
    sides = {"um": (0.0001, 0.0001), "mm": (0.1, 0.1)}
    assert read(made).spacing == read(path).spacing == sides.get(says)


@pytest.mark.parametrize(
    ("unit", "resolution", "spacing"),
    [
        ("INCH", (72, 72), None),
        ("INCH", (72.009, 72.009), None),
        ("INCH", (299.9994, 299.9994), None),
        ("INCH", (1, 1), None),
        ("INCH", (100, 300), None),
        ("INCH", (304.8, 254), (0.1, 1 / 12)),
        ("CENTIMETER", (118.11, 118.11), None),
        ("CENTIMETER", (28.346, 28.346), None),
        ("CENTIMETER", (1, 1), None),
        ("CENTIMETER", (5000, 2500), (0.004, 0.002)),
        ("NONE", (300, 300), None),
    ],
)
def test_what_printers_are_told_is_no_size(
    unit: str, resolution: tuple[float, float], spacing: tuple[float, float] | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, marked(20, 30), resolution=resolution, resolutionunit=unit)
    assert read(path).spacing == (spacing and pytest.approx(spacing))


@pytest.mark.parametrize(
    ("kind", "x", "spacing"),
    [
        ("H", 2000, (0.01, 0.005)),
        ("I", 2000, (0.01, 0.005)),
        ("f", 2000.5, (0.01, 10 / 2000.5)),
        ("d", 1e-3, (0.01, 1e4)),
        ("f", float("nan"), None),
        ("d", 1e12, None),
        ("s", "2000", None),
    ],
)
def test_a_resolution_may_be_one_number(
    kind: str, x: float | str, spacing: tuple[float, float] | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, marked(20, 30), resolution=(500, 500), resolutionunit="CENTIMETER")
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages.first.tags
        tags["XResolution"].overwrite(x, dtype=kind)
        tags["YResolution"].overwrite(1000, dtype="H")
    assert read(path).spacing == (spacing and pytest.approx(spacing))
    assert read(mask_of(path, "tif")).spacing == (spacing and pytest.approx(spacing))


@pytest.mark.parametrize("spacing", ["abc", "nan"])
def test_a_distance_of_slices_that_is_no_number_is_none(spacing: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    metadata = {"unit": "mm", "spacing": spacing, "axes": "ZYX"}
    tifffile.imwrite(path, marked(5, 20, 30), imagej=True, resolution=(10, 10), metadata=metadata)
    assert read(path).spacing is None
    made = mask_of(path, "tif")
    np.testing.assert_array_equal(tifffile.imread(made) > 0, marked(5, 20, 30) > 0)
    assert read(made).spacing is None


@pytest.mark.parametrize("suffix", ["mha", "nrrd"])
def test_a_picture_lies_where_it_lay_when_it_becomes_nifti(suffix: str, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(marked(20, 40))
    image.SetSpacing((0.5, 2.0))
    image.SetOrigin((100, 7))
    path = tmp_path / f"a.{suffix}"
    sitk.WriteImage(image, str(path))
    made = sitk.ReadImage(str(mask_of(path, "nii.gz")))
    assert made.GetSize() == (40, 20, 1)
    assert made.GetSpacing() == pytest.approx((0.5, 2.0, 1.0))
    assert made.GetOrigin() == pytest.approx((100, 7, 0))
    np.testing.assert_allclose(made.GetDirection(), np.eye(3).ravel(), atol=1e-6)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(made)[0] > 0, marked(20, 40) > 0)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_pictures_columns_are_niftis_first_axis(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        Image.fromarray(marked(20, 40)).save(path)
    else:
        tifffile.imwrite(path, marked(20, 40), resolution=(20.0, 5.0), resolutionunit="CENTIMETER")
    made = sitk.ReadImage(str(mask_of(path, "nii.gz")))
    assert made.GetSize() == (40, 20, 1)
    assert made.GetSpacing() == pytest.approx((1.0, 1.0, 1.0) if suffix == "png" else (0.5, 2.0, 1.0))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(made)[0] > 0, marked(20, 40) > 0)


@pytest.mark.parametrize("made_of", ["tif", "zarr"])
def test_a_stacks_slices_are_niftis_last_axis(made_of: str, tmp_path: Path) -> None:
    array, path = marked(5, 20, 40), tmp_path / f"a.{made_of}"
    if made_of == "tif":
        words = {"unit": "mm", "spacing": 3.0, "axes": "ZYX"}
        tifffile.imwrite(path, array, imagej=True, resolution=(2.0, 0.5), metadata=words)
    else:
        zarr.save_array(str(path), array)
    made = sitk.ReadImage(str(mask_of(path, "nii.gz")))
    assert made.GetSize() == (40, 20, 5)
    assert made.GetSpacing() == pytest.approx((0.5, 2.0, 3.0) if made_of == "tif" else (1.0, 1.0, 1.0))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(made) > 0, array > 0)


def test_an_arrays_axes_stay_in_their_order(tmp_path: Path) -> None:
    array, path = marked(5, 20, 40), tmp_path / "a.npy"
    np.save(path, array)
    for suffix, opened in (("nii.gz", lambda made: nibabel.load(made).get_fdata()), ("tif", tifffile.imread)):
        np.testing.assert_array_equal(opened(mask_of(path, suffix)) > 0, array > 0)


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd"])
def test_a_volumes_slices_are_the_pages_of_a_tiff(suffix: str, tmp_path: Path) -> None:
    array, path = marked(5, 20, 40), tmp_path / f"a.{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))  # which takes slices first, and writes columns first
    np.testing.assert_array_equal(tifffile.imread(mask_of(path, "tif")) > 0, array > 0)


def test_a_volume_of_three_columns_is_no_colours_in_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(marked(10, 12, 5)[..., 2:].T.astype(np.int16), np.eye(4)), path)
    with tifffile.TiffFile(mask_of(path, "tif")) as made:
        assert made.series[0].shape == (10, 12, 3)  # pages are slices: NIfTI's last axis
        assert len(made.pages) == 10
        assert made.pages.first.photometric == tifffile.PHOTOMETRIC.MINISBLACK


def test_an_image_of_more_instances_than_png_holds_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(marked(20, 40)).save(path)
    with pytest.raises(UserError, match=rf"{path}: more than 65535 instances don't fit into PNG; use --format tif"):
        writing.write(tmp_path / ".draft-a_labels.png", np.full((20, 40), 65536, np.uint32), path, read(path))


def test_a_volume_that_png_cannot_hold_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, marked(5, 20, 30), photometric="minisblack")
    with pytest.raises(UserError, match=r"a\.tif: a volume, which --format png can't hold; use tif or nii\.gz"):
        writing.suffix_for("png", read(path), path)
