"""What the output's folder knows of earlier runs: nothing is replaced in silence, and nothing lies there unnamed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from multiresunet.inference.batch import Request, measured_of, run
from multiresunet.inference.inputs import found
from multiresunet.inference.model import Model, Options
from multiresunet.inference.prediction import Prediction
from tests.inference.making import grey


@pytest.fixture
def days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the current one, with two folders that have an image of the same name each."""
    for day in ("day1", "day2"):
        (tmp_path / "project" / day).mkdir(parents=True)
        Image.fromarray(grey(32, 40)).save(tmp_path / "project" / day / "a.png")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def failed(model: Model, word: str, out: Path, overwrite: bool = False) -> list[str]:
    return run(model, found([word], out), Request(out, overwrite=overwrite)).failed


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_folders_image_of_the_same_name_is_refused(pictures: Model, days: Path) -> None:
    out = Path("masks")
    assert failed(pictures, "day1", out) == []
    before = files_of(out)
    says = "day2/a.png: masks holds what was predicted of day1/a.png by this name; choose another --out, or --overwrite"
    assert failed(pictures, "day2", out) == [says]
    assert files_of(out) == before
    assert failed(pictures, "day2", out, overwrite=True) == []
    assert list(pd.read_csv(out / "predictions.csv")["file"]) == ["day2/a.png"]
    (out / "a_mask.png").unlink()  # then there is nothing to lose
    assert failed(pictures, "day1", out) == []


def test_an_image_is_the_same_from_wherever_it_is_named(
    pictures: Model, days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("day1")
    assert failed(pictures, ".", Path("../masks")) == []
    monkeypatch.chdir("../day2")
    [line] = failed(pictures, ".", Path("../masks"))  # whose record says a.png, too
    assert line.startswith(f"a.png: ../masks holds what was predicted of {days / 'day1/a.png'} by this name; ")
    monkeypatch.chdir(days)
    assert str(days) not in Path("masks/.records/a.json").read_text()
    (days.parent / "link").symlink_to(days)
    moved = days.parent / "moved"
    words = (("day1", "masks"), (str(days / "day1"), "masks"), (f"{days.parent}/link/day1", "masks"))
    for word, out in (*words, ("day1", f"{days.parent}/link/masks")):
        Image.fromarray(grey(32, 40)).save(days / "day1/a.png")
        assert failed(pictures, word, Path(out)) == []
    days.rename(moved)
    Image.fromarray(grey(32, 40)).save(moved / "day1/a.png")
    assert failed(pictures, str(moved / "day1"), moved / "masks") == []


def test_a_record_that_knows_no_place_is_taken_by_its_path(pictures: Model, days: Path) -> None:
    out = Path("masks")
    assert failed(pictures, "day1", out) == []
    path = out / ".records/a.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({key: record[key] for key in ("key", "outputs", "row")}))
    assert len(failed(pictures, "day2", out)) == 1
    Image.fromarray(grey(32, 40)).save("day1/a.png")
    assert failed(pictures, "day1", out) == []


def test_the_same_image_elsewhere_is_there_already(pictures: Model, days: Path) -> None:
    assert failed(pictures, "day1", Path("masks")) == []
    shutil.copy("day1/a.png", "day2/a.png")
    assert run(pictures, found(["day2"], Path("masks")), Request(Path("masks"))).skipped == 1


def test_what_an_image_had_before_is_removed_unless_somebody_changed_it(pictures: Model, days: Path) -> None:
    out, inputs = Path("masks"), found(["day1"], Path("masks"))
    run(pictures, inputs, Request(out, ("mask", "overlay", "labels", "probability")))
    Image.fromarray(grey(32, 40)).save(out / "a_labels.png")  # by hand
    (out / "a_probability.png").unlink()
    request = Request(out, ("mask",), "tif", overwrite=True, options=Options(threshold=0.95))
    outcome = run(pictures, inputs, request)
    assert (outcome.failed, outcome.others) == ([], ["a_labels.png"])
    assert sorted(path.name for path in out.glob("a_*")) == ["a_labels.png", "a_mask.tif"]
    assert list(pd.read_csv(out / "predictions.csv")["outputs"]) == ["a_mask.tif"]
    assert run(pictures, inputs, request).others == ["a_labels.png"]  # whichever run is the next
    (out / "a_labels.png").unlink()
    assert run(pictures, inputs, request).others == []


@pytest.mark.parametrize(
    ("side", "pixels", "stated"),
    [
        ((3e-4, 1e-4, 1e-4), 100_000, "0.000000300000"),
        ((3e-4, 1e-4, 1e-4), 1, "0.00000000000300000"),
        ((2.0, 0.7, 0.7), 12_345, "12098.100000"),
        ((1e-3, 1e-3), 0, "0.000000"),
        ((5e-3, 2e-3), 77, "770.000000"),
    ],
)
def test_small_volumes_keep_their_digits(side: tuple[float, ...], pixels: int, stated: str) -> None:
    from multiresunet.inference.records import stated as written

    prediction = Prediction(np.zeros((1, *(2 for _ in side)), np.float32), None, 0.5, side)
    row = measured_of(0.5, pixels, 1, None, prediction)
    assert written(row["area"]) == stated
    assert row["area"] == pytest.approx(pixels * np.prod(side) * (1e6 if len(side) == 2 else 1), rel=1e-5)


def test_a_microscopes_volume_has_a_figure_in_the_table(volumes: Model, tmp_path: Path) -> None:
    path, out = tmp_path / "a.tif", tmp_path / "out"
    metadata = {"unit": "um", "spacing": 0.3, "axes": "ZYX"}
    tifffile.imwrite(path, grey(16, 16, 16), imagej=True, resolution=(10.0, 10.0), metadata=metadata)
    assert failed(volumes, str(path), out) == []
    row = pd.read_csv(out / "predictions.csv").iloc[0]
    voxels = np.count_nonzero(tifffile.imread(out / "a_mask.tif"))
    assert (row["area_unit"], voxels > 0) == ("mm³", True)
    assert row["area"] == pytest.approx(voxels * 3e-12, rel=1e-5)
