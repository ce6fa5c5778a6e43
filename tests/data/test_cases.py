"""Inputs that users really have: the right arrays, or one line that says what to do; never a wrong array in silence.

The cases are written by programs that lie outside of the repository; cases of the same kinds stand in the tests of each
module.
"""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from multiresunet.config import FolderSource
from multiresunet.data import readers
from multiresunet.data.loading import ignored, load_image, load_mask
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.files import sha256
from tests.data.adding import CASES, Project, project

# Slow, all together; each kind of input is tested beside its code, too.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CASES.is_dir(), reason="the cases aren't at hand")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    return project(tmp_path, monkeypatch, capsys)


def test_bool_masks_come_back_as_tifffile_wrote_them(here: Project) -> None:
    here.case("bool_mask_tifffile")
    here.add()
    for name, (_, labels) in here.arrays().items():
        np.testing.assert_array_equal(labels, tifffile.imread(f"in/masks/{name}.tif"))
    assert here.foreground() == pytest.approx(0.0471, abs=1e-3)


def test_a_mask_stored_mirrored_lies_on_its_image(here: Project) -> None:
    here.case("nifti_affine_mismatch")
    here.add()
    for image, labels in here.arrays().values():
        assert image[0][labels > 0].min() > 300
        assert image[0][labels == 0].max() < 200


def test_three_orientations_reach_the_network_as_one(here: Project) -> None:
    here.case("nifti_mixed_orientation")
    here.add()
    for image, labels in here.arrays().values():
        assert image[0][labels > 0].min() > 300
        np.testing.assert_allclose(np.argwhere(labels).mean(axis=0), (8, 24, 24), atol=2.1)  # left, anterior, superior


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("nifti_4d_time", ("in/images/s0.nii.gz", "fourth axis is time", "0.04 sec", "one phase")),
        ("nifti_rgb", ("in/images/a0.nii.gz", "fourth axis")),
        ("nifti_nan_background", ("in/images/s0.nii.gz", "NaN")),
        ("duplicate_stems", ("in/images/a0.png, in/images/a0.tif", "rename")),
        ("zero_byte", ("in/masks/k4.png", "in/images/k2.png", "replace it")),
        ("one_odd_of_many", ("1 or 3 channels", "3 mostly", "k00, k17")),
        ("exif_only_image", ("in/masks/k0.png", "EXIF", "upright")),
        ("tiff_channel_pages", ("q0", "3×64×64", "--pages channels")),
    ],
)
def test_what_cannot_be_used_stops_with_name_and_remedy(here: Project, case: str, words: tuple[str, ...]) -> None:
    here.case(case)
    line = here.refusal()
    assert [word for word in words if word not in line] == [], line


def test_labels_that_rounding_errors_moved_are_taken_and_noted(here: Project) -> None:
    here.case("nifti_float_mask")
    assert "labels rounded, by 2e-05 at most (6 samples)" in here.add()
    for name, (_, labels) in here.arrays().items():
        np.testing.assert_array_equal(labels, np.round(nibabel.load(f"in/masks/{name}.nii.gz").get_fdata()))


def test_voc_s_void_is_ignored_and_its_labels_are_classes(here: Project) -> None:
    here.case("voc_void_255")
    here.add()
    rule = here.entry.mask
    assert (rule.ignore, rule.foreground, rule.classes) == (255, [1, 2], {"class_1": [1], "class_2": [2]})
    for name, (_, labels) in here.arrays().items():
        stored = np.asarray(Image.open(f"in/masks/{name}.png"))
        np.testing.assert_array_equal(labels, np.where(stored == 255, 0, stored))
        np.testing.assert_array_equal(ignored(stored, rule), stored == 255)


def test_minus_one_is_ignored(here: Project) -> None:
    here.case("minus_one_ignore")
    here.add()
    assert here.entry.mask.ignore == -1
    assert here.foreground() == pytest.approx(0.0211, abs=1e-3)


def test_instance_numbers_with_gaps_are_all_foreground(here: Project) -> None:
    here.case("instance_gaps")
    here.add()
    assert here.foreground() == pytest.approx(0.2979, abs=1e-3)


def test_colours_are_listed_and_mapped(here: Project) -> None:
    here.case("rgb_colour_masks")
    line = here.refusal()
    assert "#000000 91.6%, #00ff00 4.9%, #ff0000 3.5%" in line
    assert "--colours '#000000=0 #00ff00=1 #ff0000=2'" in line
    here.add(colours="#000000=0 #ff0000=1 #00ff00=2")
    assert here.entry.mask.colours == {"#000000": 0, "#ff0000": 1, "#00ff00": 2}
    for name, (_, labels) in here.arrays().items():
        red, green, _ = np.moveaxis(np.asarray(Image.open(f"in/masks/{name}.png")), -1, 0)
        np.testing.assert_array_equal(labels, np.where(red > 0, 1, np.where(green > 0, 2, 0)))


@pytest.mark.parametrize(("case", "share"), [("alpha_is_mask", 0.084), ("alpha_erased", 0.063)])
def test_alpha_is_asked_for(here: Project, case: str, share: float) -> None:
    here.case(case)
    line = here.refusal()
    assert f"{share:.1%} of its pixels have alpha" in line
    assert "--alpha mask" in line
    here.add(alpha="mask")
    assert here.entry.mask.alpha is True
    for name, (_, labels) in here.arrays().items():
        np.testing.assert_array_equal(labels > 0, np.asarray(Image.open(f"in/masks/{name}.png"))[..., 3] > 0)


def test_alpha_can_be_dropped(here: Project) -> None:
    here.case("alpha_erased")
    here.add(alpha="drop")
    for name, (_, labels) in here.arrays().items():
        np.testing.assert_array_equal(labels > 0, np.asarray(Image.open(f"in/masks/{name}.png"))[..., 0] > 0)


def test_a_folder_for_each_patient_is_its_group(here: Project) -> None:
    here.case("patient_folders")
    said = here.add("in/images/*/*.png", "in/masks/*/*.png")
    assert "24 pairs" in said
    assert "P0_slice0: in/images/P0/slice0.png ↔ in/masks/P0/slice0.png, group P0" in said
    assert (here.entry.groups, here.entry.channels) == (True, 1)
    assert len(here.arrays()) == 24


def test_train_and_val_are_ten_pairs(here: Project) -> None:
    here.case("train_val_folders")
    assert "10 pairs" in here.add("in/*/images/*.png", "in/*/masks/*.png")
    assert not here.entry.groups
    assert here.foreground() == pytest.approx(0.0471, abs=1e-3)


@pytest.mark.parametrize("case", ["prefix_named_masks", "names_nfd", "messy_folder"])
def test_names_that_differ_by_words_or_unicode_pair(here: Project, case: str) -> None:
    here.case(case)
    said = here.add()
    assert "6 pairs" in said
    if case == "messy_folder":
        assert "5 files that systems leave lying about are left out: .DS_Store, ._s 0.TIF, Thumbs.db" in said
    for image, labels in here.arrays().values():
        assert image[0][labels > 0].mean() > 150
        assert image[0][labels == 0].mean() < 80


@pytest.mark.parametrize("case", ["names_nfd", "messy_folder"])
def test_such_folders_work_by_hand_too(here: Project, case: str) -> None:
    here.case(case)
    assert len(folder.scan(Path("in"))) == 6


def test_negatives_are_named_with_the_share_to_allow(here: Project) -> None:
    here.case("some_negatives")
    assert "3 of 10 are empty; if nothing is there to mark, allow it with mask.empty: 0.3" in here.add()


def test_colours_of_16_bits_keep_them(here: Project) -> None:
    here.case("png16_rgb_12bit")
    here.add()
    image = readers.read_image(Path("in/images/p0.png"))
    assert image.dtype == np.uint16
    assert 700 < image.min() < image.max() < 1200
    assert here.entry.normalisation == "zscore"


def test_a_fourth_band_is_data(here: Project) -> None:
    here.case("tiff_rgb_nir")
    here.add()
    assert here.entry.channels == 4
    for image, labels in here.arrays().values():
        assert image[3][labels > 0].mean() > image[3][labels == 0].mean() + 80


def test_pages_can_be_channels(here: Project) -> None:
    here.case("tiff_channel_pages")
    here.add(pages="channels")
    assert (here.entry.channels, here.entry.pages, len(here.entry.size)) == (3, "channels", 2)
    for name, (image, _) in here.arrays().items():
        np.testing.assert_array_equal(image, tifffile.imread(f"in/images/{name}.tif"))


def test_one_file_of_an_ome_set_is_read_alone(here: Project) -> None:
    here.case("ome_multifile")
    said = here.add("in/all/*_c0.ome.tif", "in/masks/*.tif")
    assert "6 pairs" in said
    assert here.entry.channels == 1
    for name, (image, _) in here.arrays().items():
        with tifffile.TiffFile(f"in/all/{name}.ome.tif", is_ome=False) as file:
            np.testing.assert_array_equal(image[0], file.pages.first.asarray())


def test_every_flavour_of_tiff_that_can_be_read_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(CASES / "tiff_matrix.py"))
    truth = np.load("truth.npz")
    # Written by tifffile or Pillow otherwise than meant, or refused; `bool_white0` is byte by byte as `bool` is.
    odd = {"jpeg_rgb", "jpeg_grey", "bool_white0", "thumbnail_first", "cmyk", "ycbcr_raw", "lab", "fiji_fire_lut"}
    wrong = []
    for name in sorted(set(truth.files) - odd):
        want = truth[name]
        want = np.moveaxis(want, -1, 0) if want.ndim == 3 and want.shape[-1] == 3 else want
        found = readers.read_image(Path(f"in/{name}.tif"))
        want = want[None] if want.ndim == found.ndim - 1 else want
        if found.shape != want.shape or not np.array_equal(found.astype(np.float64), want.astype(np.float64)):
            wrong.append(name)
    assert wrong == []
    assert len(set(truth.files) - odd) >= 48
    for name in ("thumbnail_first", "cmyk"):
        with pytest.raises(UserError, match="save"):
            readers.read_image(Path(f"in/{name}.tif"))


FORMATS = ("mhd", "nhdr", "mha", "analyze", "niftipair", "mgz", "npy", "dicom")


@pytest.fixture(scope="module")
def formats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("formats")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        runpy.run_path(str(CASES / "unsupported_formats.py"))
    return place / "in"


@pytest.mark.parametrize("kind", FORMATS)
def test_volumes_of_every_format_are_one_each(here: Project, formats: Path, kind: str) -> None:
    said = here.add(str(formats / kind / "images/*"), str(formats / kind / "masks/*"))
    assert "4 pairs" in said
    arrays = here.arrays()
    assert sorted(arrays) == ["c0", "c1", "c2", "c3"]
    for name, (image, labels) in arrays.items():
        truth = np.load(formats / "npy" / "masks" / f"{name}.npy")
        want = truth if kind in ("analyze", "niftipair", "mgz", "npy") else truth.T
        want = want[::-1, ::-1] if kind in ("mhd", "nhdr", "mha") else want  # ITK counts towards left and posterior
        np.testing.assert_array_equal(labels, want)
        assert image[0][labels > 0].min() > 80


def test_a_digest_pins_the_data_file_of_a_header_too(here: Project, formats: Path) -> None:
    shutil.copytree(formats / "mhd", "copy")
    here.add("copy/images/*", "copy/masks/*")
    source = here.entry.source
    assert isinstance(source, FolderSource)
    raw = Path("data/incoming/x/images/c0/c0.raw")
    before = sha256(raw)
    content = bytearray(raw.read_bytes())
    content[-1] ^= 1
    raw.unlink()
    raw.write_bytes(content)
    assert sha256(raw) != before
    with pytest.raises(UserError, match="not what its digest pins"):
        here.arrays()


@pytest.mark.parametrize(("kind", "words"), [("json", "--annotations"), ("roi", "--annotations"), ("zarr", "OME-Zarr")])
def test_annotations_say_which_command_draws_them(here: Project, formats: Path, kind: str, words: str) -> None:
    assert words in here.refusal(str(formats / kind / "images/*"), str(formats / kind / "masks/*"))


def test_a_single_slice_of_dicom_is_an_image(formats: Path) -> None:
    image = readers.decode_image(formats / "dicom2d/images/c0.dcm")
    np.testing.assert_array_equal(image.array[0], np.load(formats / "npy/images/c0.npy")[0])


@pytest.mark.parametrize("kind", ["semicolons", "backslashes"])
def test_a_manifest_as_excel_writes_it_is_read(here: Project, kind: str) -> None:
    here.case("excel_manifest")
    samples = folder.scan(Path("in") / kind)
    assert [(s.sample, s.image, s.group) for s in samples] == [(f"a{n}", f"images/a{n}.png", f"p{n}") for n in range(4)]


def test_masks_and_images_of_one_case_load_alike(here: Project) -> None:
    here.case("nifti_mixed_orientation")
    here.add()
    samples = folder.scan(Path("data/incoming/x"))
    image = load_image(Path("data/incoming/x"), samples[1].image, here.entry)
    mask = load_mask(Path("data/incoming/x"), samples[1].mask, here.entry.mask, image)
    assert image.space is not None
    back = image.space.to_file(mask.array)
    np.testing.assert_array_equal(back, np.asarray(nibabel.load("in/masks/s1.nii.gz").dataobj))
    np.testing.assert_allclose(image.space.file_affine, nibabel.load("in/images/s1.nii.gz").affine)
