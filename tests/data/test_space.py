"""Where volumes lie: one orientation for all, the mask on its image's grid, or a line that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as simpleitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from multiresunet.config import MaskRule
from multiresunet.data import readers
from multiresunet.data.dataset import PreparedDataset
from multiresunet.data.loading import load_image, load_mask
from multiresunet.data.preprocessing import prepare
from multiresunet.data.sources.folder import scan
from multiresunet.data.space import ElsewhereError, Space, canonical, onto, same_grid
from multiresunet.errors import UserError
from multiresunet.evaluation import tables
from tests.data.making import Array, declared

SHAPE = (10, 12, 14)
RNG = np.random.default_rng(5)
VOLUME = RNG.normal(100, 20, SHAPE).astype(np.float32)
BALL = (((np.indices(SHAPE) - np.array([3, 7, 9]).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < 6).astype(np.uint8)
RULE = MaskRule(values=[0, 1], foreground=[1])
WORLD = np.array([[0.8, 0, 0, -20], [0, 0.9, 0, 30], [0, 0, 2.5, -40], [0, 0, 0, 1]])


def stored(array: Array, affine: Array, axes: tuple[int, ...], flips: tuple[bool, ...]) -> tuple[Array, Array]:
    """A volume as another scanner stores it, with the affine that says so."""
    turned, moved = array, affine.copy()
    for axis, flip in enumerate(flips):
        if flip:
            turned = np.flip(turned, axis)
            moved[:3, 3] += moved[:3, axis] * (array.shape[axis] - 1)
            moved[:3, axis] *= -1
    return turned.transpose(axes), moved[:, [*axes, 3]]


def save(path: Path, array: Array, affine: Array) -> Path:
    if path.suffix == ".gz":
        nibabel.save(nibabel.Nifti1Image(array, affine), path)
        return path
    image = simpleitk.GetImageFromArray(np.ascontiguousarray(array.T))
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.sqrt((lps[:3, :3] ** 2).sum(axis=0))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    simpleitk.WriteImage(image, path)
    return path


def loaded(place: Path, image: str, mask: str) -> tuple[Any, Array]:
    read = load_image(place, image, declared(size=[16, 16, 16], normalisation="zscore"))
    return read, load_mask(place, mask, RULE, read).array


FORMATS = ("nii.gz", "nrrd", "mha", "nhdr", "mhd")


@settings(max_examples=60, deadline=None)
@given(
    axes=st.tuples(st.permutations(range(3)), st.permutations(range(3))),
    flips=st.tuples(st.tuples(*[st.booleans()] * 3), st.tuples(*[st.booleans()] * 3)),
    kinds=st.tuples(st.sampled_from(FORMATS), st.sampled_from(FORMATS)),
    spacing=st.tuples(*[st.floats(0.3, 4)] * 3),
    shear=st.lists(st.floats(-1e-4, 1e-4), min_size=9, max_size=9),
)
def test_however_a_volume_and_its_mask_are_stored_the_arrays_are_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    axes: Any,
    flips: Any,
    kinds: tuple[str, str],
    spacing: tuple[float, float, float],
    shear: list[float],
) -> None:
    place = tmp_path_factory.mktemp("volume")
    affine = WORLD.copy()
    affine[:3, :3] = np.diag(spacing)
    image, its = stored(VOLUME, affine, tuple(axes[0]), flips[0])
    mask, other = stored(BALL, affine, tuple(axes[1]), flips[1])
    if kinds[1] == "nii.gz":  # ITK makes directions orthogonal again, and says so
        other = other + np.pad(np.array(shear).reshape(3, 3), ((0, 1), (0, 1))) * min(spacing)
    save(place / f"i.{kinds[0]}", image, its)
    save(place / f"m.{kinds[1]}", mask, other)
    read, labels = loaded(place, f"i.{kinds[0]}", f"m.{kinds[1]}")
    np.testing.assert_array_equal(read.array[0], VOLUME)
    np.testing.assert_array_equal(labels, BALL)
    np.testing.assert_allclose(read.spacing, spacing, rtol=1e-4)
    np.testing.assert_array_equal(read.space.to_file(read.array)[0], image)
    np.testing.assert_allclose(read.space.file_affine, its, atol=1e-3)


@settings(max_examples=12, deadline=None)
@given(
    axes=st.tuples(st.permutations(range(3)), st.permutations(range(3))),
    flips=st.tuples(st.tuples(*[st.booleans()] * 3), st.tuples(*[st.booleans()] * 3)),
    fit=st.sampled_from(["resize", "pad", "spacing"]),
    shear=st.lists(st.floats(-1e-4, 1e-4), min_size=9, max_size=9),
)
def test_however_they_are_stored_the_prepared_arrays_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, axes: Any, flips: Any, fit: str, shear: list[float]
) -> None:
    entry: dict[str, Any] = {"size": [16, 16, 32], "fit": fit, "normalisation": "zscore"}
    entry |= {"mask": {"values": [0, 1], "foreground": [1]}}
    entry |= {"spacing": [1.0, 1.0, 1.5]} if fit == "spacing" else {}
    made = []
    for name, ways in (("plain", ((0, 1, 2), (False,) * 3)), ("turned", None)):
        place = tmp_path_factory.mktemp(name)
        for role, array, (order, mirrored) in zip(
            ("images", "masks"), (VOLUME, BALL), [ways] * 2 if ways else zip(axes, flips, strict=True), strict=True
        ):
            (place / role).mkdir()
            file, affine = stored(array, WORLD, tuple(order), mirrored)
            if role == "masks" and ways is None:
                affine = affine + np.pad(np.array(shear).reshape(3, 3), ((0, 1), (0, 1)))
            save(place / role / "a.nii.gz", file, affine)
        (place / "out").mkdir()
        prepare(place, scan(place), [0], declared(**entry), (16, 16, 32), place / "out")
        made.append([np.load(place / "out" / f"{role}.npy") for role in ("images", "masks")])
    assert made[0][1].any()
    for plain, turned in zip(*made, strict=True):
        np.testing.assert_allclose(turned, plain, atol=1e-4)


def test_to_file_and_from_file_undo_each_other() -> None:
    array, affine = stored(VOLUME, WORLD, (2, 0, 1), (True, False, True))
    turned, space, notes = canonical(array[None], affine)
    np.testing.assert_array_equal(turned[0], VOLUME)
    np.testing.assert_array_equal(space.to_file(turned)[0], array)
    np.testing.assert_array_equal(space.from_file(array), VOLUME)
    assert notes == ("turned from orientation ILA to RAS",)


def test_a_mask_of_half_the_resolution_is_resampled(tmp_path: Path) -> None:
    coarse = np.kron(np.array([[[0, 1], [0, 0]], [[1, 0], [0, 1]]]), np.ones((5, 6, 7))).astype(np.uint8)
    half = coarse[::1, ::2, ::2]
    affine = WORLD.copy()
    affine[:3, 1:3] *= 2
    affine[:3, 3] += WORLD[:3, 1] / 2 + WORLD[:3, 2] / 2  # the first voxel's middle lies half a voxel further in
    save(tmp_path / "i.nii.gz", VOLUME, WORLD)
    save(tmp_path / "m.nii.gz", half, affine)
    _, labels = loaded(tmp_path, "i.nii.gz", "m.nii.gz")
    assert (labels == np.repeat(np.repeat(half, 2, axis=1), 2, axis=2)).mean() > 0.999


def test_a_cropped_mask_finds_its_place(tmp_path: Path) -> None:
    affine = WORLD.copy()
    affine[:3, 3] += WORLD[:3, :3] @ (1, 2, 3)
    save(tmp_path / "i.nii.gz", VOLUME, WORLD)
    save(tmp_path / "m.nii.gz", BALL[1:9, 2:, 3:], affine)
    _, labels = loaded(tmp_path, "i.nii.gz", "m.nii.gz")
    np.testing.assert_array_equal(labels, BALL)


def test_a_mask_without_the_image_s_affine_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "i.nii.gz", VOLUME, WORLD)
    save(tmp_path / "m.nii.gz", BALL, np.eye(4))
    with pytest.raises(UserError, match=r"m\.nii\.gz: .*same shape.*copy the image's affine"):
        loaded(tmp_path, "i.nii.gz", "m.nii.gz")


@pytest.mark.parametrize("away", [(40, 0, 0), (0, 0, -400)])
def test_a_mask_elsewhere_is_refused(tmp_path: Path, away: tuple[int, ...]) -> None:
    affine = WORLD.copy()
    affine[:3, 3] += away
    save(tmp_path / "i.nii.gz", VOLUME, WORLD)
    save(tmp_path / "m.nii.gz", BALL, affine)
    with pytest.raises(UserError, match=r"m\.nii\.gz: .*lie elsewhere"):
        loaded(tmp_path, "i.nii.gz", "m.nii.gz")


def test_a_mask_that_would_lose_foreground_is_refused() -> None:
    affine = WORLD.copy()
    affine[0, 3] += 0.8 * 4
    space = Space(WORLD, SHAPE)
    with pytest.raises(ElsewhereError, match="of what the mask marks lies outside"):
        onto(np.ones(SHAPE, np.uint8), Space(affine, SHAPE), space)


@pytest.mark.parametrize(("shift", "same"), [(1e-4, True), (0.05, True), (0.5, False)])
def test_rounding_is_no_difference(shift: float, same: bool) -> None:
    affine = WORLD.copy()
    affine[:3, 3] += shift
    assert same_grid(Space(WORLD, SHAPE), Space(affine, SHAPE)) is same


def test_where_only_one_says_where_it_lies_voxels_are_taken_in_the_files_order(tmp_path: Path) -> None:
    image, affine = stored(VOLUME, WORLD, (1, 0, 2), (True, False, False))
    save(tmp_path / "i.nii.gz", image, affine)
    mask = nibabel.Nifti1Image(BALL[::-1].transpose(1, 0, 2), np.eye(4))
    mask.set_sform(None, code=0)
    mask.set_qform(None, code=0)
    nibabel.save(mask, tmp_path / "m.nii.gz")
    _, labels = loaded(tmp_path, "i.nii.gz", "m.nii.gz")
    np.testing.assert_array_equal(labels, BALL)
    np.save(tmp_path / "m.npy", np.zeros((9, 9, 9), np.uint8))
    save(tmp_path / "c.nii.gz", np.zeros((9, 9, 9), np.float32), WORLD)
    with pytest.raises(UserError, match="only the image says where it lies"):
        loaded(tmp_path, "c.nii.gz", "m.npy")


def test_channels_that_lie_elsewhere_are_refused(tmp_path: Path) -> None:
    affine = WORLD.copy()
    affine[2, 3] += 9
    save(tmp_path / "a.nii.gz", VOLUME, WORLD)
    save(tmp_path / "b.nii.gz", VOLUME, affine)
    with pytest.raises(UserError, match=r"b\.nii\.gz: lies elsewhere than a\.nii\.gz"):
        load_image(tmp_path, "a.nii.gz;b.nii.gz", declared(size=[16, 16, 16], channels=2))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_channels_of_which_only_some_are_turned_are_refused(tmp_path: Path, order: tuple[int, ...]) -> None:
    turned, affine = stored(VOLUME, WORLD, (0, 1, 2), (True, False, False))
    save(tmp_path / "a.nii.gz", turned, affine)
    save(tmp_path / "straight.nii.gz", VOLUME, WORLD)
    lost = nibabel.Nifti1Image(VOLUME, np.eye(4))
    lost.set_sform(None, code=0)
    lost.set_qform(None, code=0)
    nibabel.save(lost, tmp_path / "b.nii.gz")
    dataset = declared(size=[16, 16, 16], channels=2)
    with pytest.raises(UserError, match=r"b\.nii\.gz: doesn't say where it lies, and a\.nii\.gz"):
        load_image(tmp_path, ";".join(np.array(["a.nii.gz", "b.nii.gz"])[list(order)]), dataset)
    both = load_image(tmp_path, "straight.nii.gz;b.nii.gz", dataset).array
    np.testing.assert_array_equal(both[0], both[1])


def test_what_is_written_with_a_space_lies_where_its_file_did(tmp_path: Path) -> None:
    array, affine = stored(VOLUME, WORLD, (2, 1, 0), (False, True, False))
    save(tmp_path / "i.nii.gz", array, affine)
    read = readers.decode_image(tmp_path / "i.nii.gz")
    readers.write_image(tmp_path / "o.nii.gz", (read.array[0] > 100).astype(np.uint8), read.space)
    out = nibabel.load(tmp_path / "o.nii.gz")
    np.testing.assert_allclose(out.affine, affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(out.dataobj), array > 100)


@pytest.mark.parametrize(
    ("entry", "distance"),
    [
        ({"fit": "resize", "size": [16, 16, 16]}, 2.5 * 14 / 16),
        ({"fit": "spacing", "spacing": [0.8, 0.9, 1.25], "size": [16, 16, 32]}, 1.25),
        ({"fit": "pad", "size": [16, 16, 16]}, 2.5),
    ],
)
def test_distances_are_in_mm_of_the_files_up_to_the_tables(
    tmp_path: Path, entry: dict[str, Any], distance: float
) -> None:
    box = np.zeros(SHAPE, np.uint8)
    box[2:8, 3:9, 4:10] = 1
    for index, name in enumerate("abcd"):
        array, affine = stored(VOLUME + index, WORLD, (2, 0, 1), (True, False, index % 2 == 0))
        for role in ("images", "masks"):
            (tmp_path / role).mkdir(exist_ok=True)
        save(tmp_path / "images" / f"{name}.nii.gz", array, affine)
        save(tmp_path / "masks" / f"{name}.nii.gz", box, WORLD)
    (tmp_path / "out").mkdir()
    declares = declared(normalisation="zscore", mask={"values": [0, 1], "foreground": [1]}, **entry)
    prepare(tmp_path, scan(tmp_path), [0, 1, 0, 1], declares, tuple(entry["size"]), tmp_path / "out")
    data = PreparedDataset.open(tmp_path / "out")
    assert data.table["spacing"].tolist() == ["0.8×0.9×2.5"] * 4
    moved = [np.roll(data.truth(index), 1, axis=2) for index in range(4)]
    table = tables.per_image(data, "moved", moved, moved, [1])
    assert table["unit"].tolist() == ["mm"] * 4
    assert table["hd95"].tolist() == pytest.approx([distance] * 4, rel=1e-4)


def test_two_affines_that_differ_are_noted(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOLUME, WORLD)
    other = WORLD.copy()
    other[0, 3] += 5
    image.set_qform(other, code=1)
    nibabel.save(image, tmp_path / "i.nii")
    read = readers.decode_image(tmp_path / "i.nii")
    assert "its two affines (sform, qform) differ, sform is used" in read.notes


def test_voxels_of_an_electron_microscope_are_no_mistake(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOLUME, np.diag([4e-3, 4e-3, 30e-3, 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "i.nii")
    assert readers.decode_image(tmp_path / "i.nii").spacing == pytest.approx((4e-6, 4e-6, 30e-6))
    image.set_sform(None, code=0)  # without an affine, a voxel is as large
    image.set_qform(None, code=0)
    nibabel.save(image, tmp_path / "j.nii")
    assert readers.decode_image(tmp_path / "j.nii").spacing == pytest.approx((4e-6, 4e-6, 30e-6))


def test_an_affine_without_volume_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(VOLUME, WORLD), tmp_path / "i.nii")
    content = bytearray((tmp_path / "i.nii").read_bytes())
    content[312:328] = bytes(16)  # the third row of its affine
    (tmp_path / "i.nii").write_bytes(content)
    with pytest.raises(UserError, match=r"i\.nii: its affine isn't one"):
        readers.decode_image(tmp_path / "i.nii")
