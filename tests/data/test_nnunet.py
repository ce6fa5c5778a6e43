"""What `data export --to nnunet` writes, as nnU-Net's own readers see it: scikit-image, tifffile and SimpleITK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imagecodecs
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
import tifffile
from PIL import Image
from skimage import io

from multiresunet.config import Dataset
from multiresunet.data import manifest, nnunet
from multiresunet.data.loading import load_image, load_mask
from multiresunet.data.manifest import Sample
from multiresunet.errors import UserError
from multiresunet.files import sha256
from tests.data.making import Array, declared

RNG = np.random.default_rng(0)
SHAPE = (5, 6, 7)
RAS = np.array([[1.0, 0, 0, 10], [0, 1.5, 0, -7], [0, 0, 2, 3], [0, 0, 0, 1]])
BINARY = {"values": [0, 1], "foreground": [1]}
LOUD = {"values": [0, 255], "foreground": [255]}


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for role in ("images", "masks"):
        (tmp_path / "raw" / role).mkdir(parents=True)
    return tmp_path / "raw"


def labels(shape: tuple[int, ...], value: int = 1) -> Array:
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(1, 3 + axis) for axis in range(len(shape)))] = value
    return mask


def export(raw: Path, ending: str, dims: int = 3, **entry: Any) -> tuple[Dataset, str]:
    """The entry of a data set of one sample, a; and what its export to out/ says of its files."""
    dataset = declared(**{"size": [16] * dims, "mask": BINARY} | entry)
    if not (raw / manifest.NAME).is_file():
        manifest.write(raw, [Sample("a", f"images/a{ending}", f"masks/a{ending}")])
    return dataset, nnunet.write("x", dataset, raw, Path("out"))[1]


def loaded(raw: Path, ending: str, dataset: Dataset) -> tuple[Array, Array]:
    image = load_image(raw, f"images/a{ending}", dataset)
    return image.array, load_mask(raw, f"masks/a{ending}", dataset.mask, image).array


def nifti(path: Path, array: Array, affine: Array, slope: float | None = None) -> None:
    made = nibabel.Nifti1Image(array, affine)
    made.set_qform(affine, 1)
    made.set_sform(affine, 1)
    made.header.set_slope_inter(slope, 0 if slope else None)
    nibabel.save(made, path)


def seen(ending: str) -> tuple[Array, Array]:
    """Image and label as nnU-Net reads them."""
    places = f"out/imagesTr/a_0000{ending}", f"out/labelsTr/a{ending}"
    if ending in nnunet.PICTURES:
        return tuple(np.asarray(io.imread(place)) for place in places)
    volumes = [sitk.ReadImage(place) for place in places]
    assert volumes[0].IsSameImageGeometryAs(volumes[1], 1e-5, 1e-5)
    return tuple(np.asarray(sitk.GetArrayFromImage(volume)) for volume in volumes)


def volumes(raw: Path, ending: str, image: Array, mask: Array) -> None:
    for role, array in (("images", image), ("masks", mask)):
        path = raw / role / f"a{ending}"
        if ending == ".tif":
            tifffile.imwrite(path, array, photometric="minisblack")
        else:
            made = sitk.GetImageFromArray(array)
            made.SetSpacing((1.0, 1.5, 2.0)[: array.ndim])
            made.SetOrigin((3.0, 4.0, 5.0)[: array.ndim])
            sitk.WriteImage(made, str(path))


def test_a_mask_on_the_image_s_grid_but_with_other_axes_is_written_as_the_image_lies(raw: Path) -> None:
    image, mask = RNG.integers(0, 99, SHAPE).astype(np.int16), labels(SHAPE)
    turned = RAS @ np.array([[-1.0, 0, 0, SHAPE[0] - 1], [0, -1, 0, SHAPE[1] - 1], [0, 0, 1, 0], [0, 0, 0, 1]])
    nifti(raw / "images/a.nii.gz", image, RAS)
    nifti(raw / "masks/a.nii.gz", mask[::-1, ::-1], turned)
    dataset, said = export(raw, ".nii.gz")
    assert said == "images: 1 files as they are; labels: 0 files as they are, 1 written anew"
    here, known = loaded(raw, ".nii.gz", dataset)
    there, label = seen(".nii.gz")
    np.testing.assert_array_equal(there.T, here[0])
    np.testing.assert_array_equal(label.T, known)


@pytest.mark.parametrize("slope", [None, 0.1])
def test_volumes_that_lie_alike_go_over_as_they_are_whatever_their_axes(raw: Path, slope: float | None) -> None:
    image, mask = RNG.integers(0, 99, SHAPE).astype(np.int16), labels(SHAPE)
    affine = np.array([[0, -1.5, 0, 3], [0.7, 0, 0, 5], [0, 0, -2, 8], [0, 0, 0, 1]])
    nifti(raw / "images/a.nii.gz", image, affine, slope)
    nifti(raw / "masks/a.nii.gz", mask, affine)
    assert export(raw, ".nii.gz")[1] == "images: 1 files as they are; labels: as they are"
    assert sha256(Path("out/imagesTr/a_0000.nii.gz")) == sha256(raw / "images/a.nii.gz")
    assert sha256(Path("out/labelsTr/a.nii.gz")) == sha256(raw / "masks/a.nii.gz")


def test_channels_with_other_axes_are_written_on_one_grid(raw: Path) -> None:
    image, mask = RNG.integers(0, 99, SHAPE).astype(np.int16), labels(SHAPE)
    turned = RAS @ np.array([[-1.0, 0, 0, SHAPE[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    nifti(raw / "images/a.nii.gz", image, RAS)
    nifti(raw / "images/b.nii.gz", image[::-1] + 1, turned)
    nifti(raw / "masks/a.nii.gz", mask, RAS)
    manifest.write(raw, [Sample("a", "images/a.nii.gz;images/b.nii.gz", "masks/a.nii.gz")])
    assert export(raw, ".nii.gz", channels=2)[1].startswith("images: 0 files as they are")
    first, second = (sitk.GetArrayFromImage(sitk.ReadImage(f"out/imagesTr/a_000{n}.nii.gz")) for n in (0, 1))
    np.testing.assert_array_equal(first.T, image)
    np.testing.assert_array_equal(second, first + 1)


def test_a_label_beside_a_volume_without_orientation_keeps_its_spacing(raw: Path) -> None:
    for role, array in (("images", RNG.integers(0, 99, SHAPE).astype(np.int16)), ("masks", labels(SHAPE, 255))):
        made = nibabel.Nifti1Image(array, None)
        made.header.set_zooms((1, 1.5, 2))
        nibabel.save(made, raw / role / "a.nii.gz")
    export(raw, ".nii.gz", mask=LOUD)
    spacings = [sitk.ReadImage(f"out/{place}.nii.gz").GetSpacing() for place in ("imagesTr/a_0000", "labelsTr/a")]
    assert spacings == [(1, 1.5, 2)] * 2


def test_a_palette_s_indices_are_written_as_grey(raw: Path) -> None:
    mask = labels((16, 16))
    picture = Image.fromarray(mask).convert("P")
    picture.putpalette([0, 0, 0, 128, 0, 0])
    picture.save(raw / "masks/a.png")
    Image.fromarray(RNG.integers(0, 255, (16, 16)).astype(np.uint8)).save(raw / "images/a.png")
    assert export(raw, ".png", dims=2)[1] == "images: 1 files as they are; labels: 0 files as they are, 1 written anew"
    np.testing.assert_array_equal(seen(".png")[1], mask)


def test_a_picture_that_exif_turns_is_written_upright(raw: Path) -> None:
    picture = Image.fromarray(np.arange(12 * 16, dtype=np.uint8).reshape(12, 16))
    exif = Image.Exif()
    exif[274] = 6
    picture.save(raw / "images/a.png", exif=exif)
    Image.fromarray(labels((16, 12))).save(raw / "masks/a.png")
    dataset, said = export(raw, ".png", dims=2)
    assert said == "images: 0 files as they are; labels: as they are"
    image, mask = seen(".png")
    np.testing.assert_array_equal(image, loaded(raw, ".png", dataset)[0][0])
    np.testing.assert_array_equal(mask, labels((16, 12)))


def test_a_picture_s_alpha_is_left_out(raw: Path) -> None:
    pixels = np.concatenate([RNG.integers(0, 255, (8, 9, 3)), np.full((8, 9, 1), 9)], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(raw / "images/a.png")
    Image.fromarray(labels((8, 9))).save(raw / "masks/a.png")
    assert export(raw, ".png", dims=2, channels=3)[1].startswith("images: 0 files as they are")
    np.testing.assert_array_equal(seen(".png")[0], pixels[..., :3])


def test_deep_colours_become_a_file_for_each_since_nnunet_reads_8_bits_of_them(raw: Path) -> None:
    pixels = RNG.integers(0, 2**16, (8, 9, 3)).astype(np.uint16)
    (raw / "images/a.png").write_bytes(imagecodecs.png_encode(pixels))
    Image.fromarray(labels((8, 9))).save(raw / "masks/a.png")
    export(raw, ".png", dims=2, channels=3)
    planes = [io.imread(f"out/imagesTr/a_000{channel}.png") for channel in range(3)]
    np.testing.assert_array_equal(np.stack(planes, axis=-1), pixels)


@pytest.mark.parametrize("ending", [".tif", ".nrrd", ".mha"])
@pytest.mark.parametrize("shape", [SHAPE, (8, 9)])
def test_labels_of_other_formats_are_numbered_in_the_same_format(
    raw: Path, ending: str, shape: tuple[int, ...]
) -> None:
    image = RNG.integers(0, 2**16, shape).astype(np.uint16)
    volumes(raw, ending, image, labels(shape, 255))
    said = export(raw, ending, len(shape), mask=LOUD)[1]
    assert said == "images: 1 files as they are; labels: numbered 0 to 1"
    np.testing.assert_array_equal(seen(ending)[0], image)
    np.testing.assert_array_equal(seen(ending)[1], labels(shape))


@pytest.mark.parametrize("ending", [".tif", ".nrrd"])
def test_one_channel_of_several_is_written_in_the_same_format(raw: Path, ending: str) -> None:
    pixels = RNG.normal(size=(2, *SHAPE)).astype(np.float32)
    if ending == ".tif":
        tifffile.imwrite(raw / "images/a.tif", pixels, photometric="minisblack", ome=True, metadata={"axes": "CZYX"})
        tifffile.imwrite(raw / "masks/a.tif", labels(SHAPE), photometric="minisblack")
    else:
        image = sitk.GetImageFromArray(np.moveaxis(pixels, 0, -1), isVector=True)
        sitk.WriteImage(image, str(raw / "images/a.nrrd"))
        sitk.WriteImage(sitk.GetImageFromArray(labels(SHAPE)), str(raw / "masks/a.nrrd"))
    assert export(raw, ending, channel=1)[1] == "images: 0 files as they are; labels: as they are"
    np.testing.assert_array_equal(seen(ending)[0], pixels[1])


@pytest.mark.parametrize(
    ("channel", "names"), [(None, {"0": "T1", "1": "T2"}), (0, {"0": "T1"}), (1, {"0": "T2"}), (2, {"0": "channel_2"})]
)
def test_channels_are_named_whose_files_are_there(raw: Path, channel: int | None, names: dict[str, str]) -> None:
    stored = [RNG.integers(0, 255, (8, 9)).astype(np.uint8) for _ in range(2 if channel is None else 3)]
    for number, pixels in enumerate(stored):
        Image.fromarray(pixels).save(raw / f"images/a_{number}.png")
    Image.fromarray(labels((8, 9))).save(raw / "masks/a.png")
    image = manifest.JOIN.join(f"images/a_{number}.png" for number in range(len(stored)))
    manifest.write(raw, [Sample("a", image, "masks/a.png")])
    tree = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "x": 1}}
    Path("dataset.json").write_text(json.dumps(tree))
    dataset = declared(size=[16, 16], mask=BINARY, channels=2 if channel is None else 1, channel=channel)
    nnunet.write("x", dataset, raw, Path("out"), Path("dataset.json"))
    assert json.loads(Path("out/dataset.json").read_text())["channel_names"] == names
    assert sorted(one.name for one in Path("out/imagesTr").iterdir()) == [f"a_000{number}.png" for number in names]


def test_pages_that_are_channels_become_a_picture(raw: Path) -> None:
    pixels = RNG.integers(0, 255, (3, 8, 9)).astype(np.uint8)
    tifffile.imwrite(raw / "images/a.tif", pixels, photometric="minisblack")
    tifffile.imwrite(raw / "masks/a.tif", labels((8, 9)), photometric="minisblack")
    export(raw, ".tif", dims=2, channels=3, pages="channels")
    np.testing.assert_array_equal(seen(".tif")[0], np.moveaxis(pixels, 0, -1))


@pytest.mark.parametrize(("pages", "reader"), [(3, "Tiff3DIO"), (5, None)])
def test_a_stack_of_three_pages_is_not_taken_for_colours(raw: Path, pages: int, reader: str | None) -> None:
    image, mask = RNG.integers(0, 255, (pages, 8, 9)).astype(np.uint8), labels((pages, 8, 9))
    volumes(raw, ".tif", image, mask)
    assert export(raw, ".tif")[1] == "images: 1 files as they are; labels: as they are"
    assert json.loads(Path("out/dataset.json").read_text()).get("overwrite_image_reader_writer") == reader


def test_numbers_of_64_bits_go_into_nifti(raw: Path) -> None:
    image = RNG.integers(0, 99, SHAPE)
    np.save(raw / "images/a.npy", image)
    np.save(raw / "masks/a.npy", labels(SHAPE))
    export(raw, ".npy")
    np.testing.assert_array_equal(seen(".nii.gz")[0].T, image)
    np.testing.assert_array_equal(seen(".nii.gz")[1].T, labels(SHAPE))


def test_what_no_format_holds_is_one_line(raw: Path) -> None:
    np.save(raw / "images/a.npy", RNG.normal(size=(8, 9)))
    Image.fromarray(labels((8, 9))).save(raw / "masks/a.png")
    manifest.write(raw, [Sample("a", "images/a.npy", "masks/a.png")])
    with pytest.raises(UserError, match="float64 doesn't go into a PNG"):
        export(raw, ".npy", dims=2)
    np.save(raw / "images/b.npy", RNG.normal(size=SHAPE))
    np.save(raw / "masks/b.npy", labels(SHAPE))
    Image.fromarray(labels((8, 9))).save(raw / "images/a.png")
    manifest.write(raw, [Sample(n, f"images/{n}.{e}", f"masks/{n}.{e}") for n, e in (("a", "png"), ("b", "npy"))])
    with pytest.raises(UserError, match=r"images/b\.npy: pictures and volumes are no one data set"):
        export(raw, ".png", dims=2)
    assert not Path("out").exists()
