"""What is written lies on the grid of the file that was read, whatever the two formats are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

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


@pytest.mark.parametrize("image", [marked(20, 30), marked(5, 20, 30)])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_tiff_has_its_mask_where_it_is_marked(turn: int, image: Picture, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack", extratags=[(writing.ORIENTATION, "H", 1, turn, True)])
    made = mask_of(path, "tif")
    np.testing.assert_array_equal(tifffile.imread(made) > 0, image > 0)
    with tifffile.TiffFile(made) as file:
        assert file.pages.first.tags.valueof(writing.ORIENTATION, 1) == turn
    assert read(made).array.shape == read(path).array.shape


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


@pytest.mark.parametrize("spacing", ["abc", "nan"])
def test_a_distance_of_slices_that_is_no_number_is_none(spacing: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    metadata = {"unit": "mm", "spacing": spacing, "axes": "ZYX"}
    tifffile.imwrite(path, marked(5, 20, 30), imagej=True, resolution=(10, 10), metadata=metadata)
    assert read(path).spacing is None
    made = mask_of(path, "tif")
    np.testing.assert_array_equal(tifffile.imread(made) > 0, marked(5, 20, 30) > 0)
    assert read(made).spacing is None
