"""Where a volume lies: its voxels in mm, one orientation for all, and whether a mask lies where its image does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Affine = NDArray[np.float64]

SMALLEST, LARGEST = 1e-9, 1e6  # mm that a voxel's side may have: of an electron microscope, and of a telescope
FLAT = 1e-6  # volume that a voxel must have, as a share of a box of its sides
SAME = 0.1  # voxels by which the corners of two grids may differ and the grids be called the same
OVERLAP = 0.5  # share of the smaller volume's box that lies in the other's, at least
LOST = 0.001  # share of the foreground that may lie outside of the image


class ElsewhereError(ValueError):
    """A mask doesn't lie where its image does; the message says how, without names of files."""


@dataclass(frozen=True, eq=False)
class Space:
    """The grid of a volume.

    affine: 4×4; from an index into the array to mm towards right, anterior, superior (RAS), as NIfTI has it.
    shape: voxels along the array's three axes.
    file_axes: for each axis of the array, the axis of the file that it was, and whether it was flipped.
    """

    affine: Affine
    shape: tuple[int, ...]
    file_axes: tuple[tuple[int, bool], ...] = ((0, False), (1, False), (2, False))

    @property
    def spacing(self) -> tuple[float, ...]:
        """A voxel's size along each axis, in mm."""
        return tuple(float(side) for side in np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)))

    @property
    def bare(self) -> bool:
        """Whether the affine is what programs write that know no geometry: unit voxels, along the axes, from 0."""
        return np.array_equal(np.abs(self.affine), np.eye(4))

    @property
    def turned(self) -> bool:
        """Whether the file had another order of axes, or other directions."""
        return self.file_axes != ((0, False), (1, False), (2, False))

    @property
    def file_affine(self) -> Affine:
        """The affine of the array as `to_file` returns it."""
        columns, offset = np.zeros((3, 3)), self.affine[:3, 3].copy()
        for axis, (origin, flipped) in enumerate(self.file_axes):
            column = self.affine[:3, axis]
            columns[:, origin] = -column if flipped else column
            if flipped:
                offset += column * (self.shape[axis] - 1)
        return _affine(columns, offset)

    def to_file(self, array: Array) -> Array:
        """An array (…×D×H×W) of this grid as the file had it: its order of axes, its directions."""
        lead = array.ndim - 3
        flips = tuple(slice(None, None, -1) if flipped else slice(None) for _, flipped in self.file_axes)
        axes = np.argsort([origin for origin, _ in self.file_axes])
        return np.asarray(array[(..., *flips)]).transpose(*range(lead), *(lead + int(axis) for axis in axes))

    def from_file(self, array: Array) -> Array:
        """An array (…×D×H×W) in the file's order and directions as this grid has it; undoes `to_file`."""
        lead = array.ndim - 3
        flips = tuple(slice(None, None, -1) if flipped else slice(None) for _, flipped in self.file_axes)
        turned = np.asarray(array).transpose(*range(lead), *(lead + origin for origin, _ in self.file_axes))
        return turned[(..., *flips)]


def canonical(array: Array, affine: Affine) -> tuple[Array, Space, tuple[str, ...]]:
    """Turn and flip C×D×H×W so that the axes run to the right, to the front and up, as nearly as they can (RAS).

    Voxels are moved, not changed. Returns the array, its space, and a note if something was moved.

    Raises:
        ValueError: if the affine has no inverse, or isn't finite.
    """
    sides = np.sqrt((np.asarray(affine[:3, :3], np.float64) ** 2).sum(axis=0))
    sound = affine.shape == (4, 4) and np.isfinite(affine).all() and sides.min() >= SMALLEST and sides.max() <= LARGEST
    if not sound or abs(np.linalg.det(affine[:3, :3] / sides)) < FLAT:
        raise ValueError("its affine isn't one: voxels without size, or values that are no numbers")
    from nibabel.orientations import (  # a volume's reader has imported nibabel, or is about to
        aff2axcodes,
        io_orientation,
    )

    # For each axis of the file: the axis that it becomes, and its direction.
    ornt = io_orientation(affine)  # type: ignore[no-untyped-call]
    origins = np.argsort(ornt[:, 0])
    file_axes = tuple((int(origin), bool(ornt[origin, 1] < 0)) for origin in origins)
    columns, offset = np.zeros((3, 3)), affine[:3, 3].copy()
    for axis, (origin, flipped) in enumerate(file_axes):
        column = affine[:3, origin]
        columns[:, axis] = -column if flipped else column
        if flipped:
            offset += column * (array.shape[1 + origin] - 1)
    shape = tuple(array.shape[1 + origin] for origin, _ in file_axes)
    space = Space(_affine(columns, offset), shape, file_axes)
    codes = "".join(aff2axcodes(affine))  # type: ignore[no-untyped-call]
    return space.from_file(array), space, (f"turned from orientation {codes} to RAS",) if space.turned else ()


def same_grid(one: Space, other: Space) -> bool:
    """Whether two grids have the same voxels, but for rounding: all corners within `SAME` voxels of each other."""
    if one.shape != other.shape:
        return False
    away = np.abs(_corners(other) - _corners(one)).max()
    return bool(away <= SAME * min(*one.spacing, *other.spacing))


def onto(mask: Array, space: Space, image: Space) -> tuple[Array, tuple[str, ...]]:
    """A mask (D×H×W) on the image's grid: itself if the grids are the same, else each voxel's nearest.

    Args:
        mask: integers.
        space: of the mask.
        image: the grid to come to.

    Returns:
        The mask, and what was done.

    Raises:
        ElsewhereError: if the two don't describe the same place.
    """
    if same_grid(space, image):
        return mask, ()
    step: Affine = np.linalg.inv(space.affine) @ image.affine  # from the image's voxels to the mask's
    shift = float(np.abs(_corners(space) - _corners(image)).max()) if space.shape == image.shape else None
    if shift is not None and (space.bare or image.bare):
        whose = "mask's" if space.bare else "image's"
        raise ElsewhereError(
            f"image and mask have the same shape and affines that are up to {shift:.4g} mm apart, and the {whose} "
            "looks like none; if the mask was drawn on this image, copy the image's affine into it, else resample it"
        )
    share = max(
        _overlap(step, image.shape, space.shape),
        _overlap(np.linalg.inv(step).astype(np.float64), space.shape, image.shape),
    )
    if share < OVERLAP:
        raise ElsewhereError(
            f"image and mask lie elsewhere: {share:.0%} of the one is inside the other, by their affines; see whether "
            "they belong together, and copy the image's affine into the mask if it was drawn on this image"
        )
    marked = np.argwhere(mask != 0)
    inside = _inside(marked @ np.linalg.inv(step)[:3, :3].T + np.linalg.inv(step)[:3, 3], image.shape)
    if len(marked) and 1 - inside.mean() > LOST:
        raise ElsewhereError(
            f"{1 - inside.mean():.0%} of what the mask marks lies outside of the image, by their affines; see whether "
            "they belong together, and copy the image's affine into the mask if it was drawn on this image"
        )
    found = np.zeros(image.shape, mask.dtype)
    # Plane by plane, so that coordinates of a whole volume are never held.
    rest = np.stack(np.meshgrid(*(np.arange(side) for side in image.shape[1:]), indexing="ij"), axis=-1)
    for index in range(image.shape[0]):
        place = rest @ step[:3, 1:3].T + (step[:3, 0] * index + step[:3, 3])
        near = np.round(place).astype(np.int64)
        valid = _inside(place, space.shape)
        near = np.clip(near, 0, np.array(space.shape) - 1)
        found[index] = np.where(valid, mask[near[..., 0], near[..., 1], near[..., 2]], 0)
    sizes = ("×".join(map(str, shape)) for shape in (space.shape, image.shape))
    return found, (f"mask resampled from its grid of {' to the image’s of '.join(sizes)}, nearest voxels",)


def different(one: Sequence[float], other: Sequence[float], tolerance: float = 0.01) -> bool:
    """Whether two spacings differ by more than a hundredth along an axis."""
    return any(abs(a - b) > tolerance * max(a, b) for a, b in zip(one, other, strict=True))


def _affine(columns: Affine, offset: Affine) -> Affine:
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = columns, offset
    return found


def _corners(space: Space) -> Affine:
    """Where the eight outermost voxels' middles lie, in mm."""
    index = np.array(list(product(*((0, side - 1) for side in space.shape))), dtype=np.float64)
    return np.asarray(index @ space.affine[:3, :3].T + space.affine[:3, 3])


def _inside(places: Affine, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which places (N×3, in voxels) lie in a grid; a voxel reaches half of its side around its middle."""
    return np.asarray(((places > -0.5 - SAME) & (places < np.array(shape) - 0.5 + SAME)).all(axis=-1))


def _overlap(step: Affine, shape: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The share of a grid, by some of its voxels, that lies in another; `step` leads from its voxels to the other's."""
    axes = [np.linspace(0, side - 1, min(side, 24)) for side in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return float(_inside(places @ step[:3, :3].T + step[:3, 3], other).mean())
