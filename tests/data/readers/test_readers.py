"""Image files: what is written is what is read, and what can't be read is named in one line."""

from __future__ import annotations

import gzip
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as simpleitk  # noqa: N813
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from multiresunet.data import readers
from multiresunet.errors import UserError
from tests.data.making import truncate

RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (13, 17), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (13, 17), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)
VOLUME = RNG.normal(1000, 300, (5, 6, 7)).astype(np.float32)


def refusal(path: Path, read: Any = readers.read_image) -> str:
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
    readers.write_image(tmp_path / name, array)
    read = readers.read_image(tmp_path / name)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("name", ["mask.png", "mask.nii.gz"])
def test_a_mask_has_no_channel_axis(tmp_path: Path, name: str) -> None:
    mask = np.zeros((4, 5, 6) if "nii" in name else (4, 5), dtype=np.uint8)
    mask[1, 2] = 4
    readers.write_image(tmp_path / name, mask)
    np.testing.assert_array_equal(readers.read_mask(tmp_path / name), mask)


def test_a_mask_of_one_bit_holds_0_and_255(tmp_path: Path) -> None:
    Image.fromarray(GREY > 99).save(tmp_path / "m.png")
    np.testing.assert_array_equal(readers.read_mask(tmp_path / "m.png"), np.where(GREY > 99, 255, 0))


def test_a_mask_of_whole_floats_becomes_integers(tmp_path: Path) -> None:
    labels = RNG.integers(0, 3, (5, 6, 7)).astype(np.float32)
    mask = readers.read_mask(nifti(tmp_path / "m.nii", labels))
    assert mask.dtype.kind == "i"
    np.testing.assert_array_equal(mask, labels)


def test_nifti_s_own_scaling_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, -1)
    nibabel.save(image, tmp_path / "v.nii")
    read = nibabel.load(tmp_path / "v.nii").get_fdata()
    np.testing.assert_allclose(readers.read_image(tmp_path / "v.nii")[0], read)


@pytest.mark.parametrize(("value", "word"), [(0.5, "fractions"), (np.nan, "NaN"), (np.inf, "NaN")])
def test_a_mask_with_fractions_or_nan_is_refused(tmp_path: Path, value: float, word: str) -> None:
    labels = np.zeros((5, 6, 7), dtype=np.float32)
    labels[1, 2, 3] = value
    assert word in refusal(nifti(tmp_path / "m.nii.gz", labels), readers.read_mask)


def test_a_mask_with_channels_is_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "m.png")
    assert "a mask of colours: #" in refusal(tmp_path / "m.png", readers.read_mask)
    nifti(tmp_path / "m.nii", np.zeros((2, 3, 4, 2), dtype=np.uint8))
    assert "(2, 3, 4, 2)" in refusal(tmp_path / "m.nii", readers.read_mask)


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_pixels_of_other_kinds_are_refused(tmp_path: Path, name: str) -> None:
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / name)
    line = refusal(tmp_path / name)
    assert "CMYK" in line
    assert "save" in line


def test_alpha_is_dropped_and_noted(tmp_path: Path) -> None:
    alpha = np.dstack([COLOUR, GREY])
    Image.fromarray(alpha).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", alpha, photometric="rgb", extrasamples=["unassalpha"])
    Image.fromarray(alpha).convert("LA").save(tmp_path / "g.png")
    for name in ("a.png", "a.tif"):
        decoded = readers.decode_image(tmp_path / name)
        np.testing.assert_array_equal(decoded.array, np.moveaxis(COLOUR, -1, 0))
        clear = f"{np.mean(GREY < 255):.1%}"
        assert decoded.notes == (f"alpha channel dropped, which isn't opaque on {clear} of the pixels",)
    assert readers.decode_image(tmp_path / "g.png").array.shape == (1, 13, 17)


def test_a_palette_becomes_colours_in_an_image_and_labels_in_a_mask(tmp_path: Path) -> None:
    labels = (GREY // 64).astype(np.uint8)
    picture = Image.fromarray(labels).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.save(tmp_path / "p.png")
    array, notes, *_ = readers.decode_image(tmp_path / "p.png")
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])[labels]
    np.testing.assert_array_equal(array, np.moveaxis(colours, -1, 0))
    assert notes == ("palette converted to its colours",)
    array, notes, *_ = readers.decode_mask(tmp_path / "p.png")
    np.testing.assert_array_equal(array, labels)
    assert notes == ("palette's indices taken as labels",)


def test_a_gif_mask_holds_0_and_255_whatever_its_palette_s_order(tmp_path: Path) -> None:
    mask = np.where(GREY > 99, 255, 0).astype(np.uint8)
    picture = Image.fromarray((GREY > 99).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.save(tmp_path / "m.gif")
    decoded = readers.decode_mask(tmp_path / "m.gif")
    np.testing.assert_array_equal(decoded.array, mask)
    assert decoded.container == "GIF"


def test_a_mask_of_grey_colours_is_a_mask(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([GREY] * 3)).save(tmp_path / "m.bmp")
    array, notes, *_ = readers.decode_mask(tmp_path / "m.bmp")
    np.testing.assert_array_equal(array, GREY)
    assert notes == ("equal colours taken as grey",)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_exif_orientation_is_honoured_as_pillow_does(tmp_path: Path, extension: str, orientation: int) -> None:
    picture = Image.fromarray(COLOUR)
    exif = picture.getexif()
    exif[274] = orientation
    picture.save(tmp_path / f"a.{extension}", exif=exif)
    with Image.open(tmp_path / f"a.{extension}") as saved:
        upright = np.asarray(ImageOps.exif_transpose(saved))
    array, notes, *_ = readers.decode_image(tmp_path / f"a.{extension}")
    np.testing.assert_array_equal(array, np.moveaxis(upright, -1, 0))
    assert bool(notes) == (orientation > 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int32])
def test_a_stack_of_pages_is_one_volume(tmp_path: Path, dtype: Any) -> None:
    stack = (VOLUME * 10).astype(dtype)
    tifffile.imwrite(tmp_path / "s.tif", stack, compression="zlib")
    np.testing.assert_array_equal(readers.read_image(tmp_path / "s.tif"), stack[None])


@pytest.mark.parametrize("bytes_first", ["<", ">"])
def test_16_bit_colours_keep_their_bits(tmp_path: Path, bytes_first: str) -> None:
    colours = RNG.integers(0, 65536, (13, 17, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "c.tif", colours, photometric="rgb", byteorder=bytes_first)
    read = readers.read_image(tmp_path / "c.tif")
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, np.moveaxis(colours, -1, 0))


def test_white_is_not_black(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "w.tif", GREY, photometric="miniswhite")
    array, notes, *_ = readers.decode_image(tmp_path / "w.tif")
    np.testing.assert_array_equal(array[0], 255 - GREY)
    assert "inverted" in notes[0]


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_white_that_nobody_knows_is_noted(tmp_path: Path, dtype: Any) -> None:
    tifffile.imwrite(tmp_path / "w.tif", GREY.astype(dtype), photometric="miniswhite")
    array, notes, *_ = readers.decode_image(tmp_path / "w.tif")
    np.testing.assert_array_equal(array[0], GREY)
    assert notes == ("white is 0 in this file; values taken as stored",)


@pytest.mark.parametrize(("code", "name"), [(6, "YCBCR"), (8, "CIELAB"), (32803, "CFA"), (54321, "54321")])
def test_colours_that_are_not_known_are_refused(tmp_path: Path, code: int, name: str) -> None:
    whole = [(530, "H", 2, (1, 1), True)]  # as much of each colour
    tifffile.imwrite(tmp_path / "c.tif", COLOUR, photometric="rgb", extratags=whole)
    with tifffile.TiffFile(tmp_path / "c.tif", mode="r+b") as file:
        file.pages.first.tags["PhotometricInterpretation"].overwrite(code)
    assert f"colours of kind {name}, stored as such, aren't known; save as RGB" in refusal(tmp_path / "c.tif")


def test_ycbcr_in_jpeg_is_rgb(tmp_path: Path) -> None:
    plain = np.full((32, 32, 3), (200, 80, 30), np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", plain, photometric="rgb", compression="jpeg")
    with tifffile.TiffFile(tmp_path / "c.tif") as file:
        assert file.pages.first.photometric == tifffile.PHOTOMETRIC.YCBCR
    np.testing.assert_allclose(readers.read_image(tmp_path / "c.tif")[:, 9, 9], (200, 80, 30), atol=3)


@pytest.mark.parametrize("top", [255, 65535])
def test_a_palette_may_end_at_255(tmp_path: Path, top: int) -> None:
    table = RNG.integers(0, 256, (3, 256)).astype(np.uint16)
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    tifffile.imwrite(tmp_path / "p.tif", indices, photometric="palette", colormap=table * (top // 255))
    np.testing.assert_array_equal(readers.read_image(tmp_path / "p.tif"), table[:, indices])


def test_pages_of_different_sizes_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        file.write(GREY)
        file.write(GREY[:5])
    assert "2 images of different sizes" in refusal(tmp_path / "s.tif")


@pytest.mark.parametrize("extension", ["nrrd", "mha"])
def test_nrrd_and_mha_have_nifti_s_axes(tmp_path: Path, extension: str) -> None:
    # ITK counts towards left and posterior, NIfTI towards right and anterior: the second is the first, turned.
    simpleitk.WriteImage(simpleitk.GetImageFromArray(VOLUME[::-1, ::-1].T), tmp_path / f"v.{extension}")
    nifti(tmp_path / "v.nii", VOLUME)
    np.testing.assert_array_equal(readers.read_image(tmp_path / f"v.{extension}"), VOLUME[None])
    np.testing.assert_array_equal(readers.read_image(tmp_path / "v.nii"), VOLUME[None])
    four = simpleitk.GetImageFromArray(np.stack([VOLUME[::-1, ::-1].T + n for n in range(4)], axis=-1), isVector=True)
    simpleitk.WriteImage(four, tmp_path / f"f.{extension}")
    np.testing.assert_array_equal(readers.read_image(tmp_path / f"f.{extension}")[3], VOLUME + 3)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("v.nrrd", "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: {}\n\n"),
        ("v.mha", "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = {}\n"),
    ],
)
def test_a_header_that_points_to_another_file_is_refused(tmp_path: Path, name: str, header: str) -> None:
    (tmp_path / "secret").write_bytes(b"password")
    (tmp_path / name).write_text(header.format(tmp_path / "secret"))
    assert "in another file" in refusal(tmp_path / name)


@pytest.mark.parametrize("extension", ["nii", "nii.gz"])
def test_a_nifti_header_that_claims_100_gb_is_refused_without_taking_them(tmp_path: Path, extension: str) -> None:
    path = nifti(tmp_path / "v.nii", VOLUME)
    content = bytearray(path.read_bytes())
    content[42:48] = np.array([3000, 3000, 3000], dtype="<i2").tobytes()
    path = tmp_path / f"v.{extension}"
    path.write_bytes(gzip.compress(content) if extension.endswith("gz") else content)
    assert "claims 100.6 GiB" in refusal(path)


def test_a_png_of_60000_by_60000_is_refused_without_decoding_it(tmp_path: Path) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    empty = zlib.compress(b"\0" * 100)
    data = struct.pack(">I", len(empty)) + b"IDAT" + empty + struct.pack(">I", zlib.crc32(b"IDAT" + empty))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + data)
    assert "decompression bomb" in refusal(tmp_path / "b.png")


@pytest.mark.parametrize("name", ["a b.png", "ä日本.png", "a;rm -rf x.png", "$(id).png", "-rf.png"])
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    Image.fromarray(GREY).save(tmp_path / name)
    np.testing.assert_array_equal(readers.read_image(tmp_path / name)[0], GREY)


@pytest.mark.parametrize("shape", [(6, 7), (2, 3, 4, 2, 2)])
def test_volumes_with_too_few_or_too_many_axes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert "three axes" in refusal(nifti(tmp_path / "v.nii", np.zeros(shape, dtype=np.uint8)))


def test_volumes_of_colours_are_refused(tmp_path: Path) -> None:
    colours = np.zeros((3, 4, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert "fourth axis" in refusal(nifti(tmp_path / "v.nii", colours))


EXTENSIONS = ("png", "jpg", "tif", "nii", "nii.gz", "nrrd", "mha")


def written(folder: Path, extension: str) -> Path:
    path = folder / f"a.{extension}"
    if "nii" in extension:
        return nifti(path, VOLUME)
    if extension in ("nrrd", "mha"):
        simpleitk.WriteImage(simpleitk.GetImageFromArray(VOLUME), path)
        return path
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


@pytest.mark.parametrize("read", [readers.read_image, readers.read_mask])
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
            assert readers.read_image(path).ndim in (3, 4)
        except UserError as error:
            assert str(path) in str(error)
