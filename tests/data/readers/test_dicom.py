"""A folder of slices lies where the slices say, whichever way it was scanned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it

from multiresunet.data import readers
from multiresunet.errors import UserError

Array = Any
SIDES = (0.5, 0.7)  # of a pixel: along the rows, and down the columns
FIRST = np.array([10.0, 20.0, 30.0])
ANGLE = 0.3
AXES = {  # of a row, and of a column, towards left, posterior and superior
    "axial": ((1, 0, 0), (0, 1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "oblique": ((1, 0, 0), (0, np.cos(ANGLE), np.sin(ANGLE))),
    "double oblique": (
        (np.cos(0.4), np.sin(0.4), 0),
        (-np.sin(0.4) * np.cos(0.2), np.cos(0.4) * np.cos(0.2), np.sin(0.2)),
    ),
}


def write(path: Path, index: int, row: Array, column: Array, place: Array, series: str = "1.2.3.4") -> None:
    """A slice of 6×8 with one pixel, at row 1 and column 2, that says which it is."""
    path.parent.mkdir(exist_ok=True)
    plane = np.zeros((1, 6, 8), np.int16)
    plane[0, 1, 2] = 100 + index
    image = sitk.GetImageFromArray(plane)
    image.SetSpacing((*SIDES, 2.0))
    image.SetDirection(np.stack([row, column, np.cross(row, column)], axis=1).ravel().tolist())
    image.SetOrigin(tuple(map(float, place)))
    tags = {
        "0008|0060": "CT",
        "0020|000e": series,
        "0020|000d": "1.2.3",
        "0020|0013": str(index + 1),
        "0020|0032": "\\".join(f"{side:.9g}" for side in place),
        "0020|0037": "\\".join(f"{side:.9g}" for side in (*row, *column)),
        "0008|0018": f"{series}.{index}",
    }
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)


def written(folder: Path, axes: str, step: Array) -> list[Array]:
    """Five slices, and where each lies."""
    row, column = (np.array(axis, dtype=float) for axis in AXES[axes])
    places = [FIRST + index * np.asarray(step) for index in range(5)]
    for index, place in enumerate(places):
        write(folder / f"{index}.dcm", index, row, column, place)
    return places


@pytest.mark.parametrize("shift", [0.0, 0.7], ids=["straight", "tilted"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("axes", list(AXES))
def test_every_voxel_lies_where_its_slice_says(tmp_path: Path, axes: str, sign: int, shift: float) -> None:
    row, column = (np.array(axis, dtype=float) for axis in AXES[axes])
    step = sign * 2.5 * np.cross(row, column) + shift * column
    places = written(tmp_path / "s", axes, step)
    read = readers.decode_image(tmp_path / "s")
    assert read.space is not None
    for index, place in enumerate(places):
        (found,) = np.argwhere(read.array[0] == 100 + index)
        left_posterior = np.array([-1, -1, 1]) * (read.space.affine[:3, :3] @ found + read.space.affine[:3, 3])
        expected = place + 2 * SIDES[0] * row + 1 * SIDES[1] * column
        np.testing.assert_allclose(left_posterior, expected, atol=1e-5)


def test_a_place_that_is_rounded_is_no_other(tmp_path: Path) -> None:
    written(tmp_path / "s", "axial", (0, 0, 2))
    write(tmp_path / "s/3.dcm", 3, *AXES["axial"], FIRST + np.array([0.0001, 0, 6]))
    read = readers.decode_image(tmp_path / "s")
    np.testing.assert_allclose(sorted(read.spacing or ()), (0.5, 0.7, 2.0), atol=1e-9)


@pytest.mark.parametrize("axes", ["axial", "sagittal"])
@pytest.mark.parametrize(
    ("place", "words"),
    [((0, 0, 6.5), "its slices are 1.5 to 2.5 mm apart"), ((3.0, 0, 6), "its slices don't lie on one line")],
)
def test_slices_that_are_no_grid_are_refused(tmp_path: Path, axes: str, place: Array, words: str) -> None:
    row, column = (np.array(axis, dtype=float) for axis in AXES[axes])
    frame = np.stack([row, column, np.cross(row, column)], axis=1)
    written(tmp_path / "s", axes, frame @ (0, 0, 2))
    write(tmp_path / "s/3.dcm", 3, row, column, FIRST + frame @ place)
    with pytest.raises(UserError, match=words):
        readers.decode_image(tmp_path / "s")


def test_slices_at_angles_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "s", "axial", (0, 0, 2))
    write(tmp_path / "s/3.dcm", 3, *AXES["oblique"], FIRST + np.array([0, 0, 6]))
    with pytest.raises(UserError, match="its slices lie at angles"):
        readers.decode_image(tmp_path / "s")
