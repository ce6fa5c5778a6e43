"""Image files: what is written is what is read, and what can't be read is named in one line."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from multiresunet.data import formats
from multiresunet.errors import UserError
from tests.data.making import truncate

RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (13, 17), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (13, 17), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)
VOLUME = RNG.normal(1000, 300, (5, 6, 7)).astype(np.float32)


def refusal(path: Path, read: Any = formats.read_image) -> str:
    with pytest.raises(UserError) as caught:
        read(path)
    line = str(caught.value)
    assert str(path) in line
    assert len(line.splitlines()) == 1
    return line


def nifti(path: Path, array: Any) -> Path:
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)
    return path


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("grey.png", GREY[None]),
        ("grey.tif", GREY[None]),
        ("deep.png", DEEP[None]),
        ("colour.png", np.moveaxis(COLOUR, -1, 0)),
        ("one.nii", VOLUME[None]),
        ("one.nii.gz", VOLUME[None]),
        ("four.nii.gz", np.stack([VOLUME, VOLUME + 1, -VOLUME, VOLUME * 1e4])),
    ],
)
def test_what_is_written_is_what_is_read(tmp_path: Path, name: str, array: Any) -> None:
    formats.write_image(tmp_path / name, array)
    read = formats.read_image(tmp_path / name)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("name", ["mask.png", "mask.nii.gz"])
def test_a_mask_has_no_channel_axis(tmp_path: Path, name: str) -> None:
    mask = np.zeros((4, 5, 6) if "nii" in name else (4, 5), dtype=np.uint8)
    mask[1, 2] = 4
    formats.write_image(tmp_path / name, mask)
    np.testing.assert_array_equal(formats.read_mask(tmp_path / name), mask)


def test_a_mask_of_one_bit_holds_0_and_255(tmp_path: Path) -> None:
    Image.fromarray(GREY > 99).save(tmp_path / "m.png")
    np.testing.assert_array_equal(formats.read_mask(tmp_path / "m.png"), np.where(GREY > 99, 255, 0))


def test_a_mask_of_whole_floats_becomes_integers(tmp_path: Path) -> None:
    labels = RNG.integers(0, 3, (5, 6, 7)).astype(np.float32)
    mask = formats.read_mask(nifti(tmp_path / "m.nii", labels))
    assert mask.dtype.kind == "i"
    np.testing.assert_array_equal(mask, labels)


def test_nifti_s_own_scaling_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, -1)
    nibabel.save(image, tmp_path / "v.nii")
    read = nibabel.load(tmp_path / "v.nii").get_fdata()
    np.testing.assert_allclose(formats.read_image(tmp_path / "v.nii")[0], read)


@pytest.mark.parametrize(("value", "word"), [(0.5, "fractions"), (np.nan, "NaN"), (np.inf, "NaN")])
def test_a_mask_with_fractions_or_nan_is_refused(tmp_path: Path, value: float, word: str) -> None:
    labels = np.zeros((5, 6, 7), dtype=np.float32)
    labels[1, 2, 3] = value
    assert word in refusal(nifti(tmp_path / "m.nii.gz", labels), formats.read_mask)


def test_a_mask_with_channels_is_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "m.png")
    assert "(13, 17, 3)" in refusal(tmp_path / "m.png", formats.read_mask)
    nifti(tmp_path / "m.nii", np.zeros((2, 3, 4, 2), dtype=np.uint8))
    assert "(2, 3, 4, 2)" in refusal(tmp_path / "m.nii", formats.read_mask)


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "F", "I"])
def test_pixels_of_other_kinds_are_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.tif" if mode in ("CMYK", "F", "I") else "a.png")
    (Image.fromarray(GREY) if mode in ("F", "I") else Image.fromarray(COLOUR)).convert(mode).save(path)
    line = refusal(path)
    assert f"of kind {mode} " in line
    assert "save it as" in line


def test_a_stack_of_pages_is_refused_instead_of_taking_the_first(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY) for _ in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    assert "3 images" in refusal(tmp_path / "stack.tif")


@pytest.mark.parametrize("shape", [(6, 7), (2, 3, 4, 2, 2)])
def test_volumes_with_too_few_or_too_many_axes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert "three axes" in refusal(nifti(tmp_path / "v.nii", np.zeros(shape, dtype=np.uint8)))


def test_volumes_of_colours_are_refused(tmp_path: Path) -> None:
    colours = np.zeros((3, 4, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert "fourth axis" in refusal(nifti(tmp_path / "v.nii", colours))


EXTENSIONS = ("png", "jpg", "tif", "nii", "nii.gz")


def written(folder: Path, extension: str) -> Path:
    path = folder / f"a.{extension}"
    if "nii" in extension:
        return nifti(path, VOLUME)
    Image.fromarray(COLOUR).save(path)
    return path


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9])
def test_a_truncated_file_is_named(tmp_path: Path, extension: str, keep: float) -> None:
    path = written(tmp_path, extension)
    truncate(path, keep)
    assert "replace it" in refusal(path)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>\nlog in first", b"\0" * 400])
def test_what_is_no_image_is_named(tmp_path: Path, extension: str, content: bytes) -> None:
    path = tmp_path / f"a.{extension}"
    path.write_bytes(content)
    assert "replace it" in refusal(path)


@pytest.mark.parametrize("read", [formats.read_image, formats.read_mask])
def test_a_missing_file_is_named(tmp_path: Path, read: Any) -> None:
    assert "missing" in refusal(tmp_path / "a.png", read)
    assert "missing" in refusal(tmp_path / "a.nii.gz", read)


def test_a_folder_in_an_image_s_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    refusal(tmp_path / "a.png")


@pytest.mark.parametrize("factor", [1.5, 3])  # Pillow warns at its limit and refuses at twice the limit
def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    Image.fromarray(GREY).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(GREY.size / factor))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "decompression bomb" in refusal(tmp_path / "bomb.png")


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    path = nifti(tmp_path / "v.nii", VOLUME)
    content = bytearray(path.read_bytes())
    content[42:48] = np.array([30000] * 3, dtype="<i2").tobytes()
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("extension", EXTENSIONS)
@settings(max_examples=40, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_bytes_never_get_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, extension: str, changes: list[tuple[int, int]]
) -> None:
    path = written(tmp_path_factory.getbasetemp(), extension)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert formats.read_image(path).ndim == (4 if "nii" in extension else 3)
        except UserError as error:
            assert str(path) in str(error)
