"""Prepared data: what resizing, padding and scaling must keep, and what training reads."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from multiresunet.data import parallel, preprocessing
from multiresunet.data.dataset import PreparedDataset
from multiresunet.data.loading import encode_labels
from multiresunet.data.preprocessing import fit_sample, prepare, target_shape
from multiresunet.data.resizing import padded
from multiresunet.data.sources.folder import scan
from multiresunet.errors import UserError
from tests.data.making import Array, declared, disc, folder_of, pair, save

SIZES_2D = [((64, 64), (32, 32)), ((60, 91), (32, 48)), ((32, 32), (64, 48)), ((45, 80), (80, 48))]
SIZES_3D = [((32, 32, 32), (16, 16, 16)), ((35, 50, 36), (32, 48, 32)), ((20, 20, 20), (32, 32, 16))]
SIZES = SIZES_2D + SIZES_3D


def centre(mask: Array) -> Array:
    """Centre of mass, as shares of the sides."""
    return (np.array(ndimage.center_of_mass(mask)) + 0.5) / mask.shape


def fitted(image: Array, drawn: Array, size: tuple[int, ...], **changes: Any) -> tuple[Array, Array]:
    entry = declared(**changes)
    labels = encode_labels(drawn, entry.mask)
    shape = target_shape(labels.shape, None, entry, size, "the sample")
    made, found = fit_sample(image, labels, entry, shape, "the sample")
    return (
        (np.stack([padded(each, size) for each in made]), padded(found, size)) if entry.fit == "pad" else (made, found)
    )


# Resizing


CLASSES = {"values": [0, 1, 2], "foreground": [1, 2], "classes": {"left": [1], "right": [2]}}


@pytest.mark.parametrize("size", [(32, 32), (16, 48)])
def test_resized_classes_stay_where_they_are_and_make_up_the_foreground(size: tuple[int, int]) -> None:
    drawn = np.where(disc((64, 64), radius=20), 1, 0).astype(np.uint8)
    drawn[:, 32:] *= 2
    _, whole = fitted(drawn[None] * 90, drawn, size, mask={"values": [0, 1, 2], "foreground": [1, 2]})
    _, labels = fitted(drawn[None] * 90, drawn, size, mask=CLASSES)
    np.testing.assert_array_equal(labels > 0, whole)
    half = size[1] // 2
    assert set(np.unique(labels[:, :half])) == {0, 1}
    assert set(np.unique(labels[:, half:])) == {0, 2}


def test_class_names_are_kept_beside_the_arrays(tmp_path: Path) -> None:
    folder_of(tmp_path / "discs", ["a", "b", "c", "d"])
    source, target = tmp_path / "discs", tmp_path / "prepared"
    target.mkdir()
    for path in (source / "masks").iterdir():
        mask = np.asarray(Image.open(path)) // 255
        mask[:, mask.shape[1] // 2 :] *= 2
        Image.fromarray(mask.astype(np.uint8)).save(path)
    prepare(source, scan(source), [0, 1, 0, 1], declared(mask=CLASSES), (32, 32), target)
    data = PreparedDataset.open(target)
    assert data.classes == ("left", "right")
    assert set(np.unique(data.masks)) == {0, 1, 2}


@pytest.mark.parametrize(("old", "new"), SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_constant_image_stays_constant(old: tuple[int, ...], new: tuple[int, ...], dtype: Any) -> None:
    value = {"u": 93, "f": 0.37}[np.dtype(dtype).kind]
    image, _ = fitted(np.full((2, *old), value, dtype=dtype), np.zeros(old, np.uint8), new)
    assert image.shape == (2, *new)
    assert image.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    scale = {np.uint8: 1, np.uint16: 65535, np.float32: 1}[dtype]
    np.testing.assert_allclose(image, value / scale, rtol=1e-5)


@pytest.mark.parametrize(("old", "new"), SIZES)
@pytest.mark.parametrize("place", [0.35, 0.5, 0.6])
def test_a_disc_keeps_its_area_and_its_place(old: tuple[int, ...], new: tuple[int, ...], place: float) -> None:
    mask = disc(old, tuple(place * side for side in old), radius=0.3 * min(old))
    _, foreground = fitted(mask[None].astype(np.uint8), np.where(mask, 255, 0), new)
    assert foreground.shape == new
    assert foreground.dtype == np.uint8
    assert set(np.unique(foreground)) == {0, 1}
    assert foreground.mean() == pytest.approx(mask.mean(), rel=0.03 if len(old) == 2 else 0.07)
    # A tenth of a new pixel: a shift of half a pixel, as from aligned corners, would show.
    np.testing.assert_array_less(np.abs(centre(foreground) - centre(mask)) * new, 0.15)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_image_and_mask_stay_on_top_of_each_other(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    mask = disc(old, tuple(0.4 * side for side in old), radius=0.28 * min(old))
    image, foreground = fitted(np.where(mask, 200, 0).astype(np.uint8)[None], np.where(mask, 255, 0), new)
    np.testing.assert_array_less(np.abs(centre(image[0]) - centre(foreground)) * new, 0.15)
    assert np.mean((image[0] >= 100) != foreground) < 0.01


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_new_values_stay_within_the_old_ones(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    old = tuple(data.draw(st.lists(st.integers(3, 30), min_size=2, max_size=3)))
    new = tuple(data.draw(st.sampled_from([16, 32])) for _ in old)
    low, high = sorted((data.draw(st.integers(0, 255)), data.draw(st.integers(0, 255))))
    pixels = rng.integers(low, high + 1, (1, *old), dtype=np.uint8)
    image, foreground = fitted(pixels, np.where(pixels[0] > (low + high) / 2, 255, 0), new)
    assert image.min() >= pixels.min()
    assert image.max() <= pixels.max()
    assert set(np.unique(foreground)) <= {0, 1}


def test_halving_takes_an_image_s_fine_grain_away_instead_of_picking_from_it() -> None:
    stripes = np.zeros((1, 64, 64), dtype=np.uint8)
    stripes[:, :, ::2] = 200
    image, _ = fitted(stripes, np.zeros((64, 64), np.uint8), (32, 32))
    assert np.abs(image[0, :, 1:-1].astype(int) - 100).max() <= 1


def test_what_has_the_size_already_is_untouched() -> None:
    image, mask = pair(0, (32, 48), channels=3)
    new_image, foreground = fitted(image, mask, (32, 48))
    np.testing.assert_array_equal(new_image, image)
    np.testing.assert_array_equal(foreground, mask // 255)


def test_channels_do_not_mix() -> None:
    image = np.stack([np.full((40, 48), value, dtype=np.uint8) for value in (10, 100, 250)])
    new, _ = fitted(image, np.zeros((40, 48), np.uint8), (16, 32))
    assert [set(np.unique(channel)) for channel in new] == [{10}, {100}, {250}]


def test_all_foreground_labels_count_and_no_others() -> None:
    mask = np.array([[0, 1, 2, 3, 4]] * 5, dtype=np.int64)
    rule = {"values": [0, 1, 2, 3, 4], "foreground": [1, 4]}
    _, foreground = fitted(mask[None].astype(np.uint8), mask, (5, 5), mask=rule)
    assert foreground[0].tolist() == [0, 1, 0, 0, 1]


# Padding


def test_padding_is_centred_and_loses_nothing() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(1, 256, (2, 5, 8, 16), dtype=np.uint8)
    mask = rng.integers(0, 3, (5, 8, 16))
    rule = {"values": [0, 1, 2], "foreground": [1, 2]}
    new, foreground = fitted(image, mask, (16, 16, 16), fit="pad", mask=rule)
    inside = (slice(5, 10), slice(4, 12), slice(0, 16))
    np.testing.assert_array_equal(new[:, *inside], image)
    np.testing.assert_array_equal(foreground[inside], mask > 0)
    assert new.sum() == image.sum()
    assert foreground.sum() == np.count_nonzero(mask)


@pytest.mark.parametrize("fit", ["pad", "resize"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_standardised_means_the_same_on_every_scanner_s_scale(fit: str, scale: float) -> None:
    volume = np.random.default_rng(0).gamma(2.0, 50.0, (1, 10, 12, 14)).astype(np.float32)
    mask = disc((10, 12, 14), radius=4).astype(np.uint8) * 255
    options = {"fit": fit, "normalisation": "zscore"}
    reference, _ = fitted(volume, mask, (16, 16, 16), **options)
    image, _ = fitted(volume * np.float32(scale), mask, (16, 16, 16), **options)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, reference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_mean_and_deviation_are_those_of_the_volume_without_its_padding(dtype: Any) -> None:
    volume = np.random.default_rng(0).normal(120, 30, (2, 10, 12, 14)).clip(0, 255).astype(dtype)
    mask = np.zeros((10, 12, 14), dtype=np.uint8)
    image, _ = fitted(volume, mask, (16, 16, 16), fit="pad", normalisation="zscore")
    inside = image[:, 3:13, 2:14, 1:15].astype(np.float64)
    assert image.dtype == np.float32
    assert inside.mean() == pytest.approx(0, abs=1e-5)
    assert inside.std() == pytest.approx(1, abs=1e-5)
    assert np.count_nonzero(image) == np.count_nonzero(inside)


def test_tiny_values_are_standardised_too() -> None:
    volume = np.random.default_rng(0).normal(1e-9, 2e-10, (1, 16, 16, 16)).astype(np.float32)
    image, _ = fitted(volume, np.zeros((16, 16, 16)), (16, 16, 16), normalisation="zscore")
    assert image.std() == pytest.approx(1, abs=1e-4)


def test_what_is_too_large_to_be_padded_is_named() -> None:
    with pytest.raises(UserError, match=r"the sample: \[10, 17, 10\] doesn't fit into \[16, 16, 16\]; .*size.*resize"):
        fitted(np.zeros((1, 10, 17, 10)), np.zeros((10, 17, 10)), (16, 16, 16), fit="pad")


# Scaling


def test_16_bits_become_floats_from_0_to_1() -> None:
    image = np.array([[[0, 1, 32768, 65535]] * 4], dtype=np.uint16)
    new, _ = fitted(image, np.zeros((4, 4), np.uint8), (4, 4))
    assert new.dtype == np.float32
    np.testing.assert_allclose(new[0, 0], [0, 1 / 65535, 32768 / 65535, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "dtype"), [(1.5, np.float32), (-0.1, np.float32), (3000, np.float64), (-1000, np.int16)]
)
def test_values_that_would_be_cut_off_are_refused(value: float, dtype: Any) -> None:
    image = np.zeros((1, 8, 8, 8), dtype=dtype)
    image[0, 1, 2, 3] = value
    with pytest.raises(UserError, match=f"the sample: .*{value}.* cut off .* normalisation: zscore"):
        fitted(image, np.zeros((8, 8, 8)), (16, 16, 16))


# From folder to batch


def prepared(place: Path, target: Path, size: tuple[int, ...], **changes: Any) -> PreparedDataset:
    samples = scan(place)
    target.mkdir()
    prepare(place, samples, [index % 2 for index in range(len(samples))], declared(**changes), size, target)
    return PreparedDataset.open(target)


def test_images_go_from_files_to_batches(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "discs", ["007", "NA", "a b"], channels=3, size=(32, 48))
    data = prepared(place, tmp_path / "out", (32, 48), channels=3)
    assert (data.dims, data.channels) == (2, 3)
    assert isinstance(data.images, np.memmap)
    assert data.images.dtype == data.masks.dtype == np.uint8
    assert data.table.to_dict("list") == {
        "sample": ["007", "NA", "a b"],
        "group": ["", "", ""],
        "fold": [0, 1, 0],
        "original_size": ["32×48"] * 3,
        "prepared_size": ["32×48"] * 3,
        "spacing": [""] * 3,
        "foreground_kept": [1.0] * 3,
        "components_kept": [1.0] * 3,
        "ignored": [0] * 3,
    }
    train, test = data.split(0)
    assert (train.tolist(), test.tolist()) == ([1], [0, 2])

    images, masks = data.batch(test)
    assert (images.shape, images.dtype) == ((2, 3, 32, 48), np.float32)
    assert (masks.shape, masks.dtype) == ((2, 1, 32, 48), np.float32)
    image, mask = pair(2, (32, 48), channels=3)
    np.testing.assert_array_equal(images[1], image.astype(np.float32) / 255)
    np.testing.assert_array_equal(masks[1, 0], mask / 255)


def test_volumes_go_from_files_to_batches(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(3):  # each on a scale of its own, as from scanners
        volume = (rng.normal(100, 10, (2, 12, 16, 10)) * 10.0 ** (2 * index)).astype(np.float32)
        save(tmp_path / "balls" / "images" / f"{index}.nii.gz", volume)
        save(tmp_path / "balls" / "masks" / f"{index}.nii.gz", disc((12, 16, 10), radius=4).astype(np.uint8))
    data = prepared(
        tmp_path / "balls",
        tmp_path / "out",
        (16, 16, 16),
        channels=2,
        fit="pad",
        normalisation="zscore",
        mask={"values": [0, 1], "foreground": [1]},
    )
    assert (data.dims, data.channels) == (3, 2)
    images, masks = data.batch(np.array([0, 2]))
    assert (images.shape, images.dtype) == ((2, 2, 16, 16, 16), np.float32)
    assert (masks.shape, masks.dtype) == ((2, 1, 16, 16, 16), np.float32)
    assert data.images.dtype == np.float32
    inside = data.images[:, :, 2:14, :, 3:13]
    np.testing.assert_allclose(inside.mean(axis=(1, 2, 3, 4)), 0, atol=1e-4)
    np.testing.assert_allclose(inside.std(axis=(1, 2, 3, 4)), 1, atol=1e-4)
    assert masks[0].sum() == np.count_nonzero(disc((12, 16, 10), radius=4))


@pytest.mark.parametrize("deep_first", [True, False])
def test_8_and_16_bits_in_one_data_set_are_refused(tmp_path: Path, deep_first: bool) -> None:
    place = folder_of(tmp_path / "discs", ["a", "b"])
    deep = pair(0)[0][0].astype(np.uint16) * 257
    save(place / "images" / ("a.png" if deep_first else "b.png"), deep)
    with pytest.raises(UserError, match=r"images/b\.png: .*; save all images with the same number of bits"):
        prepared(place, tmp_path / "out", (32, 32))


def test_the_same_bytes_on_every_call(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "discs", ["a", "b"])
    written = []
    for name in ("one", "two"):
        prepared(place, tmp_path / name, (32, 32))
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["images.npy", "masks.npy", "samples.csv"]


def test_a_file_that_breaks_after_the_gate_is_named(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "discs", ["a", "b"])
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.eye(4)), place / "masks" / "x.nii")
    (place / "masks" / "x.nii").rename(place / "masks" / "b.png")
    with pytest.raises(UserError, match=r"masks/b\.png"):
        prepared(place, tmp_path / "out", (32, 32))


def test_the_number_of_workers_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder_of(tmp_path / "discs", [f"s{index:02d}" for index in range(20)])
    written = []
    for workers, block in ((1, 64), (4, 3), (7, 1)):
        monkeypatch.setattr(preprocessing, "blocks", partial(parallel.blocks, workers=workers, block=block))
        prepared(place, tmp_path / f"{workers}", (32, 32))
        written.append({path.name: path.read_bytes() for path in (tmp_path / f"{workers}").iterdir()})
    assert written[0] == written[1] == written[2]


def test_the_first_error_is_raised_whoever_finds_it() -> None:
    def work(item: int) -> int:
        if item in (5, 9):
            raise UserError(f"item {item}")
        return item * item

    with pytest.raises(UserError, match="item 5"):
        list(parallel.blocks(work, range(20), workers=4, block=8))
    blocks = list(parallel.blocks(work, range(5), workers=4, block=2))
    assert blocks == [[(0, 0), (1, 1)], [(2, 4), (3, 9)], [(4, 16)]]
