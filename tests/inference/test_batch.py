"""`multiresunet predict` on files: every format keeps its geometry, bad files stop no other, nothing is done twice."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813
import tifffile
import torch
import zarr
from PIL import Image, ImageOps

from multiresunet.cli import app
from multiresunet.errors import UserError
from multiresunet.files import sha256
from multiresunet.inference import large, streaming, writing
from multiresunet.inference.batch import Request, run, settings_of
from multiresunet.inference.inputs import Input, found, read
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model, Options
from multiresunet.inference.outputs import OUTLINE, Predicted
from multiresunet.inference.prediction import Prediction
from multiresunet.registries import OUTPUTS
from tests.inference.making import CPU, RNG, grey

ALL = ("mask", "overlay", "probability", "labels", "uncertainty")
ROOT = Path(__file__).parents[2]
PREDICT = [sys.executable, "-m", "multiresunet", "predict"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def predicted(model: Model, source: Path, **words: object) -> Path:
    """The folder with all outputs for a file; `NAME_mask.…` and so on."""
    out = source.parent / "out"
    outcome = run(model, found([str(source)], out), Request(out, ALL, **words))  # type: ignore[arg-type]
    assert outcome.failed == []
    return out


def test_an_oblique_nifti_keeps_affine_spacing_and_codes(volumes: Model, tmp_path: Path) -> None:
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * [0.7, -1.5, 2.0], [10, -20, 30]
    image = nibabel.Nifti1Image(RNG.normal(size=(20, 14, 17)).astype(np.float32), affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, 2)
    image.set_qform(affine, 1)
    path = tmp_path / "a.nii.gz"
    nibabel.save(image, path)
    image = nibabel.load(path)
    out = predicted(volumes, path)
    for name in ("mask", "probability", "labels", "uncertainty"):
        made = nibabel.load(out / f"a_{name}.nii.gz")
        assert made.shape == image.shape
        np.testing.assert_allclose(made.affine, image.affine, atol=1e-6)
        np.testing.assert_allclose(made.header.get_zooms(), image.header.get_zooms(), atol=1e-6)
        for form in ("get_sform", "get_qform"):
            one, other = (getattr(which.header, form)(coded=True) for which in (made, image))
            assert one[1] == other[1]
            np.testing.assert_allclose(one[0], other[0], atol=1e-5)
        assert made.header.get_xyzt_units()[0] == "mm"
        one, other = sitk.ReadImage(str(out / f"a_{name}.nii.gz")), sitk.ReadImage(str(path))
        for fact in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
            np.testing.assert_allclose(getattr(one, fact)(), getattr(other, fact)(), atol=1e-5)
    probability = nibabel.load(out / "a_probability.nii.gz").get_fdata()
    mask = nibabel.load(out / "a_mask.nii.gz").get_fdata()
    np.testing.assert_array_equal(mask, probability >= 0.5)
    assert Image.open(out / "a_overlay.png").mode == "RGB"
    # Voxel for voxel where the file has them: the same values in a file with its axes turned give them turned.
    turned = image.as_reoriented(np.array([[1, -1], [2, 1], [0, -1]]))
    (tmp_path / "turned").mkdir()
    nibabel.save(turned, tmp_path / "turned/a.nii.gz")
    again = nibabel.load(predicted(volumes, tmp_path / "turned/a.nii.gz") / "a_probability.nii.gz")
    assert again.shape == turned.shape
    np.testing.assert_allclose(again.affine, turned.affine, atol=1e-6)


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
def test_nrrd_and_metaimage_keep_origin_spacing_and_direction(suffix: str, volumes: Model, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(RNG.normal(size=(12, 18, 21)).astype(np.float32))
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    image.SetSpacing((0.5, 1.25, 3.0))
    image.SetOrigin((-7.0, 8.0, 9.5))
    image.SetDirection((turn if np.linalg.det(turn) > 0 else -turn).ravel().tolist())
    path = tmp_path / f"a.{suffix}"
    sitk.WriteImage(image, str(path))
    out = predicted(volumes, path)
    for name in ("mask", "probability", "labels"):
        made = sitk.ReadImage(str(out / f"a_{name}.{suffix}"))
        for fact in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
            np.testing.assert_allclose(getattr(made, fact)(), getattr(image, fact)(), atol=1e-6)
    mask, probability = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(out / f"a_{n}.{suffix}"))) for n in ("mask", "probability")
    )
    np.testing.assert_array_equal(mask, probability >= 0.5)
    nifti = predicted(volumes, path, format="nii.gz", overwrite=True) / "a_mask.nii.gz"
    made = sitk.ReadImage(str(nifti))
    for fact in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
        np.testing.assert_allclose(getattr(made, fact)(), getattr(image, fact)(), atol=1e-5)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(made), mask)


def test_tiff_keeps_its_resolution(pictures: Model, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey(45, 60), resolution=(2000.0, 1000.0), resolutionunit="CENTIMETER")
    out = predicted(pictures, path)
    for name in ("mask", "probability", "labels"):
        with tifffile.TiffFile(out / f"a_{name}.tif") as made:
            page = made.pages.first
            assert page.shape == (45, 60)
            assert page.resolution == (2000.0, 1000.0)
            assert page.resolutionunit == tifffile.RESUNIT.CENTIMETER
    np.testing.assert_array_equal(
        tifffile.imread(out / "a_mask.tif") == 255, tifffile.imread(out / "a_probability.tif") >= 0.5
    )


@pytest.mark.parametrize("turn", [1, 3, 6, 8, 5])
def test_a_jpeg_turned_by_exif_keeps_shape_and_turn(turn: int, pictures: Model, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[274] = turn
    Image.fromarray(grey(40, 64)).save(path, exif=exif, dpi=(200, 200))
    out = predicted(pictures, path)
    with Image.open(path) as image, Image.open(out / "a_mask.png") as mask, Image.open(out / "a_overlay.png") as drawn:
        assert mask.size == image.size == drawn.size
        assert mask.getexif().get(274, 1) == turn
        assert round(mask.info["dpi"][0]) == 200
        upright = np.asarray(ImageOps.exif_transpose(image))
        expected = pictures.predict(upright).mask * 255
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(mask)), expected)


def test_an_overlay_is_the_colour_picture_with_an_outline(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(grey(32, 40, 3)).save(path)
    decoded = read(path)
    found = np.zeros((1, 32, 40), np.float32)
    found[0, 8:20, 10:30] = 1
    drawn = OUTPUTS["overlay"](Predicted(Prediction(found, None, 0.5), decoded.array))
    outline = np.zeros((32, 40), bool)
    outline[8:20, 10:30], outline[9:19, 11:29] = True, False
    assert (drawn[outline] == OUTLINE).all()
    np.testing.assert_array_equal(drawn[~outline], np.asarray(Image.open(path))[~outline])
    np.testing.assert_array_equal(np.moveaxis(decoded.array, 0, -1), np.asarray(Image.open(path)))


def test_what_needs_several_networks_is_refused_at_once(pictures: Model, tmp_path: Path) -> None:
    one = load_model(pictures.folder, folds="0", device=CPU)
    with pytest.raises(UserError, match="uncertainty is the disagreement of the folds"):
        run(one, [Input(tmp_path / "a.png", "a")], Request(tmp_path / "out", ALL))
    assert not (tmp_path / "out").exists()


def test_probabilities_and_labels_survive_png(pictures: Model, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(grey(48, 48)).save(path)
    out = predicted(pictures, path)
    image = np.asarray(Image.open(path))
    expected = pictures.predict(image)
    np.testing.assert_allclose(
        np.asarray(Image.open(out / "a_probability.png")) / 65535, expected.foreground, atol=1e-5
    )
    np.testing.assert_allclose(np.asarray(Image.open(out / "a_uncertainty.png")) / 65535, expected.spread, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "a_labels.png")), expected.labels())
    row = pd.read_csv(out / "predictions.csv").iloc[0]
    assert row["foreground_share"] == pytest.approx(expected.mask.mean(), abs=1e-6)
    assert row["components"] == expected.labels().max()
    assert row["disagreement"] == pytest.approx(expected.spread.mean(), abs=1e-6)  # type: ignore[union-attr]
    assert row["sha256"] == sha256(path)
    made = json.loads((out / "provenance.json").read_text())
    assert made["settings"]["weights"] == pictures.weights
    assert made["model"]["data"]["name"] == "discs"


def folder_of_twenty(place: Path) -> Path:
    """Twenty files: 17 that can be predicted, one truncated, one empty, one with other channels."""
    (place / "deep").mkdir(parents=True)
    for number in range(17):
        Image.fromarray(grey(32, 40)).save(place / ("deep" if number % 2 else ".") / f"image{number:02d}.png")
    whole = (place / "image00.png").read_bytes()
    (place / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (place / "empty.png").touch()
    Image.fromarray(grey(32, 40, 3)).save(place / "colours.png")
    (place / "notes.txt").write_text("no image")
    return place


def test_bad_files_are_a_line_each_and_the_rest_go_on(pictures: Model, tmp_path: Path) -> None:
    place = folder_of_twenty(tmp_path / "in")
    words = [*PREDICT, str(pictures.folder), str(place), "--out", str(tmp_path / "out"), "--threads", "1"]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(": ")[0:2] for line in lines] == [
        ["error", str(place / name)] for name in ("colours.png", "empty.png", "truncated.png")
    ]
    assert done.stdout.splitlines() == [
        f"1 file left out, of no format that is read: {place / 'notes.txt'}",
        f"17 of 20 images predicted into {tmp_path / 'out'}",
    ]
    masks = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*_mask.png"))
    assert len(masks) == 17
    assert "deep/image01_mask.png" in masks
    assert len(pd.read_csv(tmp_path / "out/predictions.csv")) == 17


def test_names_that_no_output_can_have_are_a_line_each(pictures: Model, tmp_path: Path) -> None:
    place, out = tmp_path / "in", tmp_path / "out"
    place.mkdir()
    odd, long, longer = os.fsdecode(b"f\xe4rbung.png"), f"{'漢' * 80}.png", "漢" * 82 + "u.png"
    for name in ("a.png", "z.png", odd, long, longer):
        Image.fromarray(grey(32, 40)).save(place / name, format="PNG")
    words = [*PREDICT, str(pictures.folder), str(place), "--out", str(out), "--threads", "1"]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True)
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [
        "its name isn't UTF-8; rename it",
        *["its name is too long for those of the files that are written; shorten it"] * 2,
    ]
    assert done.returncode == 1
    assert list(pd.read_csv(out / "predictions.csv")["file"]) == [str(place / "a.png"), str(place / "z.png")]
    assert sorted(path.name for path in out.iterdir()) == [
        *(".records", "a_mask.png", "predictions.csv", "provenance.json", "z_mask.png")
    ]


def test_any_error_of_one_image_is_its_line_and_a_full_disk_ends_the_run(
    pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        Image.fromarray(grey(32, 40)).save(tmp_path / f"{name}.png")
    inputs = [Input(tmp_path / f"{name}.png", name) for name in "abc"]
    errors: dict[str, Exception] = {"b_labels.png": ZeroDivisionError("division\nby zero")}
    plain = writing.WRITERS["png"]

    def write(path: Path, *words: Any) -> None:
        plain(path, *words)
        if error := errors.get(path.name.removeprefix(".draft-")):
            raise error

    monkeypatch.setitem(writing.WRITERS, "png", write)
    outcome = run(pictures, inputs, Request(tmp_path / "out", ("mask", "labels")))
    says = "can't be predicted (ZeroDivisionError: division by zero); replace it or take it out"
    assert (outcome.done, outcome.failed) == (2, [f"{tmp_path / 'b.png'}: {says}"])
    assert list(pd.read_csv(tmp_path / "out/predictions.csv")["outputs"]) == [
        "a_mask.png a_labels.png",
        "c_mask.png c_labels.png",
    ]
    assert not list((tmp_path / "out").glob(".draft-*"))

    errors["b_labels.png"] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left"):
        run(pictures, inputs, Request(tmp_path / "full", ("mask", "labels")))
    assert list(pd.read_csv(tmp_path / "full/predictions.csv")["outputs"]) == ["a_mask.png a_labels.png"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"settings": 1}'])
def test_a_damaged_provenance_is_one_line(content: str, pictures: Model, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/provenance.json").write_text(content)
    with pytest.raises(UserError, match=r"provenance\.json: isn't what `predict` writes; choose another --out, or"):
        run(pictures, [], Request(tmp_path / "out"))


def test_a_damaged_record_is_made_again(pictures: Model, tmp_path: Path) -> None:
    Image.fromarray(grey(32, 40)).save(tmp_path / "a.png")
    inputs, request = [Input(tmp_path / "a.png", "a")], Request(tmp_path / "out")
    run(pictures, inputs, request)
    (tmp_path / "out/.records/a.json").write_text("{")
    assert run(pictures, [], request).failed == []
    assert run(pictures, inputs, request).done == 1


@pytest.mark.slow
def test_killed_midway_it_goes_on_and_does_nothing_twice(
    pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "in"
    place.mkdir()
    for number in range(12):
        Image.fromarray(grey(64, 64)).save(place / f"{number:02d}.png")
    inputs = found([str(place)], tmp_path / "calm")
    assert run(pictures, inputs, Request(tmp_path / "calm", ALL)).done == 12

    words = [*PREDICT, str(pictures.folder), str(place), "--out", str(tmp_path / "out"), "--save", ",".join(ALL)]
    process = subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob("out/.records/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("out/.records/*.json")}
    assert 3 <= len(before) < 12

    outcome = run(pictures, inputs, Request(tmp_path / "out", ALL))
    assert outcome.skipped == len(before)
    assert outcome.done == 12 - len(before)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("out/.records/*.json")}
    assert {name: after[name] for name in before} == before
    for path in (tmp_path / "calm").iterdir():
        if path.is_file() and path.name != "predictions.csv":  # which has seconds
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    assert not list((tmp_path / "out").glob(".draft-*"))


def test_what_changed_is_predicted_again_and_other_settings_are_refused(pictures: Model, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(grey(32, 32)).save(path)
    out = tmp_path / "out"
    inputs = [Input(path, "a")]
    assert run(pictures, inputs, Request(out)).done == 1
    assert run(pictures, inputs, Request(out)).skipped == 1
    (out / "a_mask.png").unlink()
    assert run(pictures, inputs, Request(out)).done == 1
    Image.fromarray(grey(32, 32)).save(path)
    assert run(pictures, inputs, Request(out)).done == 1
    with pytest.raises(UserError, match="holds predictions with other threshold; choose another --out, or --overwrite"):
        run(pictures, inputs, Request(out, options=Options(threshold=0.7)))
    assert run(pictures, inputs, Request(out, overwrite=True, options=Options(threshold=0.7))).done == 1
    with pytest.raises(UserError, match="holds other files"):
        run(pictures, inputs, Request(tmp_path))


def test_memory_that_changes_windows_is_another_setting(pictures: Model, tmp_path: Path) -> None:
    path, out = tmp_path / "a.png", tmp_path / "out"
    Image.fromarray(grey(200, 200)).save(path)
    inputs, provenance = [Input(path, "a")], out / "provenance.json"
    small, same, more = (Request(out, options=Options("tiles", memory=2**20 * mib)) for mib in (630, 631, 2048))
    assert run(pictures, inputs, small).done == 1
    assert json.loads(provenance.read_text())["settings"]["window"] == 128
    assert run(pictures, inputs, same).skipped == 1
    with pytest.raises(UserError, match=r"holds predictions with other window \(see --memory\); choose another --out"):
        run(pictures, inputs, more)
    assert run(pictures, inputs, Request(out, overwrite=True)).done == 1
    assert "window" not in json.loads(provenance.read_text())["settings"]


def test_a_folder_of_before_windows_were_kept_goes_on(
    pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, request = tmp_path / "a.png", Request(tmp_path / "out", options=Options("tiles"))
    Image.fromarray(grey(32, 32)).save(path)
    with monkeypatch.context() as patch:
        settings = {key: value for key, value in settings_of(pictures, request).items() if key != "window"}
        patch.setattr("multiresunet.inference.batch.settings_of", lambda *_: settings)
        assert run(pictures, [Input(path, "a")], request).done == 1
    for _ in range(2):
        assert run(pictures, [Input(path, "a")], request).skipped == 1
    assert list(pd.read_csv(tmp_path / "out/predictions.csv")["file"]) == [str(path)]


def test_the_table_is_of_the_settings_that_provenance_states(
    pictures: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        Image.fromarray(grey(32, 32)).save(tmp_path / f"{name}.png")
    out = tmp_path / "out"
    inputs = [Input(tmp_path / f"{name}.png", name) for name in "abc"]
    other = Request(out, overwrite=True, options=Options(threshold=0.95))

    def tabulated() -> list[str]:
        return [Path(file).stem for file in pd.read_csv(out / "predictions.csv")["file"]]

    run(pictures, inputs, Request(out))
    assert run(pictures, inputs[:1], other).others == ["b_mask.png", "c_mask.png"]
    assert tabulated() == ["a"]
    words = ["predict", str(pictures.folder), str(tmp_path / "b.png"), "--out", str(out)]
    app([*words, "--threshold", "0.95", "--device", "cpu"], standalone_mode=False)  # now settings are the folder's
    assert tabulated() == ["a", "b"]
    assert "made with other settings, so not in predictions.csv: c_mask.png; predict" in capsys.readouterr().out
    (out / "c_mask.png").unlink()
    assert run(pictures, inputs[:1], Request(out, options=other.options)).others == []
    Image.fromarray(grey(32, 32, 3)).save(tmp_path / "a.png")
    assert len(run(pictures, inputs[:1], Request(out, overwrite=True)).failed) == 1
    assert tabulated() == ["c"]  # whose record is of the first settings


def test_memory_that_runs_out_is_one_line(pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(grey(32, 32)).save(path)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Model, "maps", full)
    outcome = run(pictures, [Input(path, "a")], Request(tmp_path / "out"))
    assert outcome.failed == [f"{path}: out of memory on cpu; use --how tiles, or --device cpu"]
    tried = []

    def small(_: object, images: np.ndarray, *__: object) -> None:  # type: ignore[type-arg]
        tried.append(images.shape[-1])
        raise MemoryError

    monkeypatch.setattr(type(pictures.predictor), "foreground", small)
    outcome = run(pictures, [Input(path, "a")], Request(tmp_path / "out2", options=Options(how="tiles")))
    assert len(outcome.failed) == 1
    assert "windows of 32×32" in outcome.failed[0]
    assert tried == [32] * len(large.SIDES[2])


def test_words_name_files_folders_and_patterns(tmp_path: Path) -> None:
    for name in ("a.png", "b/c.tif", "b/d/e.nii.gz", "b/.hidden.png", "b/notes.txt", "out/a_mask.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    out = tmp_path / "out"

    def names(*words: str) -> list[str]:
        return [one.name for one in found([str(tmp_path / word) for word in words], out)]

    assert names("") == ["a", "b/c", "b/d/e"]
    assert names("a.png", "b") == ["a", "c", "d/e"]
    assert names("b/**/*.nii.gz") == ["d/e"]
    assert names("a.png", "a.png") == ["a"]
    with pytest.raises(UserError, match=r"x\.png: no such file or folder"):
        names("x.png")
    (tmp_path / "a.tif").touch()
    with pytest.raises(UserError, match=r"a\.(png|tif), .*a\.(png|tif): would be written under the same name"):
        names("")


def series(folder: Path, array: np.ndarray) -> Path:  # type: ignore[type-arg]
    """A DICOM series of planes that are 2.5 mm apart."""
    folder.mkdir(parents=True)
    for number, plane in enumerate(array):
        image = sitk.GetImageFromArray(plane[None])
        image.SetSpacing((0.8, 0.9, 2.5))
        image.SetOrigin((-30.0, -40.0, 2.5 * number))
        tags = {"0008|0060": "CT", "0020|000e": "1.2.3"}
        tags |= {"0020|0032": f"-30\\-40\\{2.5 * number}", "0020|0037": "1\\0\\0\\0\\1\\0"}
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"IM{number:02d}.dcm"))
        writer.Execute(image)
    return folder


def test_folders_and_pairs_that_are_one_image(volumes: Model, tmp_path: Path) -> None:
    array = RNG.integers(0, 1000, (12, 18, 20)).astype(np.int16)
    place = tmp_path / "in"
    series(place / "patients/p.01", array)
    zarr.save_array(str(place / "stack.zarr"), array)
    nibabel.save(nibabel.Nifti1Pair(array.astype(np.int16), np.diag([1.0, 2.0, 3.0, 1.0])), place / "pair.img")
    sitk.WriteImage(sitk.GetImageFromArray(array), str(place / "meta.mhd"))
    inputs = found([str(place)], tmp_path / "out")
    assert [one.name for one in inputs] == ["meta", "pair", "patients/p.01", "stack"]
    assert found([str(place / "patients/p.01")], tmp_path / "out") == [Input(place / "patients/p.01", "p.01")]
    assert found([f"{place}/patients/*"], tmp_path / "out") == [Input(place / "patients/p.01", "p.01")]
    request = Request(tmp_path / "out", ("mask",))
    assert run(volumes, inputs, request).failed == []
    assert run(volumes, inputs, request).skipped == 4

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(place / "patients/p.01")))
    expected, made = reader.Execute(), sitk.ReadImage(str(tmp_path / "out/patients/p.01_mask.nii.gz"))
    for fact in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
        np.testing.assert_allclose(getattr(made, fact)(), getattr(expected, fact)(), atol=1e-5)
    pair = nibabel.load(tmp_path / "out/pair_mask.nii.gz")
    np.testing.assert_allclose(pair.affine, np.diag([1.0, 2.0, 3.0, 1.0]))
    assert pair.shape == array.shape
    assert nibabel.load(tmp_path / "out/stack_mask.nii.gz").shape == array.shape[::-1]  # columns first

    # Another slice, or the voxels beside a header, make it another image.
    (place / "meta.raw").write_bytes((array[::-1]).tobytes())
    series(tmp_path / "other", array[::-1].copy())
    (tmp_path / "other/IM03.dcm").replace(place / "patients/p.01/IM03.dcm")
    outcome = run(volumes, inputs, request)
    assert (outcome.done, outcome.skipped, outcome.failed) == (2, 2, [])


@pytest.mark.parametrize(
    ("words", "area"),
    [
        ({"resolution": (2000.0, 1000.0), "resolutionunit": "CENTIMETER"}, 50.0),  # 5 µm × 10 µm
        ({"resolution": (72.0, 72.0), "resolutionunit": "INCH"}, None),
        ({"resolution": (25400.0, 25400.0), "resolutionunit": "INCH"}, 1.0),
        ({"imagej": True, "resolution": (2.0, 4.0), "metadata": {"unit": "um"}}, 0.125),
        ({"imagej": True, "resolution": (2.0, 4.0)}, None),
        ({}, None),
    ],
)
def test_areas_follow_from_a_tiffs_resolution(
    words: dict[str, object], area: float | None, pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", grey(48, 64), **words)  # type: ignore[arg-type]
    outs = (tmp_path / "whole", tmp_path / "parts")
    run(pictures, [Input(tmp_path / "a.tif", "a")], Request(outs[0]))
    monkeypatch.setattr(streaming, "PART", 0.0)
    run(pictures, [Input(tmp_path / "a.tif", "a")], Request(outs[1], options=Options("tiles")))
    for out in outs:
        row, mask = pd.read_csv(out / "predictions.csv").iloc[0], tifffile.imread(out / "a_mask.tif")
        if area is None:
            assert np.isnan(row["area"])
        else:
            assert (row["area"], row["area_unit"]) == (pytest.approx((mask > 0).sum() * area), "µm²")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--save", "mask,maks"], "--save: output 'maks' is unknown (did you mean mask?)"),
        (["--format", "jpg"], "--format 'jpg' isn't known; there is same, png, tif, nii.gz"),
        (["--memory", "lots"], "--memory 'lots' is no size; write it as 2G or 500M"),
        (["--instances", "x"], "--instances: way to tell instances apart 'x' is unknown"),
    ],
)
def test_a_word_that_is_wrong_is_one_line(words: list[str], says: str, tmp_path: Path) -> None:
    command = [*PREDICT, str(tmp_path), str(tmp_path), "--out", str(tmp_path / "out"), *words]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert says in done.stderr
