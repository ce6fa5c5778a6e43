"""TIFF that is read and written in parts: what it is as a whole, in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from multiresunet.errors import UserError
from multiresunet.inference import large, streaming
from multiresunet.inference.batch import Request, run
from multiresunet.inference.inputs import Input, read
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model, Options
from multiresunet.inference.writing import tiff_geometry, tiff_spacing
from tests.inference.making import CPU, RNG, grey, trained
from tests.training.making import SPEC

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("tiled", [True, False])
def test_a_damaged_tiff_read_in_parts_is_a_line(
    tiled: bool, pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"tile": (32, 32), "compression": "zlib"} if tiled else {}
    for name in ("cut.tif", "whole.tif"):
        tifffile.imwrite(tmp_path / name, grey(96, 96), **words)  # type: ignore[arg-type]
    content = (tmp_path / "cut.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[: len(content) // 2])
    monkeypatch.setattr(streaming, "PART", 0.0)
    inputs = [Input(tmp_path / f"{name}.tif", name) for name in ("cut", "whole")]
    outcome = run(pictures, inputs, Request(tmp_path / "out", options=Options("tiles")))
    assert outcome.done == 1
    [line] = outcome.failed
    assert line.startswith(f"{tmp_path / 'cut.tif'}: damaged or not readable (")
    assert not list((tmp_path / "out").glob(".[sd][pr]*"))  # .spool- and .draft-


def test_values_and_colours_are_judged_in_parts_as_in_the_whole(
    pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", np.full((96, 96), 100, dtype=np.uint16))
    colours = np.full((96, 96, 3), 100, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "ycc.tif", colours, photometric="ycbcr", subsampling=(1, 1))

    def told() -> list[str]:
        inputs = [Input(tmp_path / f"{name}.tif", name) for name in ("deep", "ycc")]
        outcome = run(pictures, inputs, Request(tmp_path / "out", options=Options("tiles"), overwrite=True))
        return [*outcome.failed, *pd.read_csv(tmp_path / "out/predictions.csv")["warnings"]]

    whole = told()
    assert "ycc.tif: colours of kind YCBCR" in whole[0]
    assert whole[1].startswith("uint16 whose values end at 100, as those of 8 bits do")
    monkeypatch.setattr(streaming, "PART", 0.0)
    assert told() == whole


@pytest.mark.parametrize(
    ("shape", "words", "remedy"),
    [
        ((96, 96, 4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, "save it without alpha (RGB)"),
        ((96, 96, 2), {"photometric": "minisblack", "planarconfig": "contig"}, "save it without alpha (grey)"),
        ((96, 96), {"photometric": "miniswhite"}, "save it as grey, or as RGB where the model takes colours"),
        ((2, 96, 96), {"photometric": "minisblack"}, "save each page as a file"),
    ],
)
def test_a_kind_that_is_not_read_in_parts_has_its_own_remedy(
    shape: tuple[int, ...], words: dict[str, Any], remedy: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey(*shape), **words)
    with pytest.raises(UserError) as told:
        streaming.TiffRows(path)
    assert str(told.value) == f"{path}: too large to be read whole, and of a kind that isn't read in parts; {remedy}"


@pytest.mark.parametrize(
    ("value", "says"), [(np.nan, "NaN or infinite"), (200, "would be cut off at 0 and 1; save it")]
)
def test_values_that_no_network_takes_are_refused_in_parts_as_in_the_whole(
    value: float, says: str, pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.zeros((96, 96), np.float32)
    image[50, 60] = value
    tifffile.imwrite(tmp_path / "a.tif", image)

    def told() -> list[str]:
        request = Request(tmp_path / "out", options=Options("tiles"), overwrite=True)
        return run(pictures, [Input(tmp_path / "a.tif", "a")], request).failed

    [line] = whole = told()
    assert says in line
    monkeypatch.setattr(streaming, "PART", 0.0)
    assert told() == whole


SLOW = [pytest.param(layout, marks=pytest.mark.slow) for layout in ("strips", "contiguous", "big-endian")]


@pytest.mark.parametrize("layout", ["tiles", "colours", *SLOW])
def test_a_tiff_read_and_written_in_parts_is_what_it_is_as_a_whole(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours = layout == "colours"
    spec = replace(SPEC, in_channels=3 if colours else 1, filters=4)
    model = load_model(trained(tmp_path / "model", spec, scale=(1.5, 1.5), spacings=None), device=CPU)
    image = RNG.integers(0, 60000, (700, 530, 3) if colours else (700, 530)).astype(np.uint16)
    words = {
        "tiles": {"tile": (128, 160), "compression": "zlib"},
        "strips": {"rowsperstrip": 37, "compression": "zlib"},
        "contiguous": {},
        "colours": {"tile": (128, 128), "compression": "zlib", "photometric": "rgb", "planarconfig": "separate"},
        "big-endian": {"byteorder": ">"},
    }[layout]
    path = tmp_path / "a.tif"
    stored = np.moveaxis(image, -1, 0) if colours else image
    tifffile.imwrite(path, stored, resolution=(5000, 5000), resolutionunit="CENTIMETER", **words)
    monkeypatch.setattr(large, "SIDES", {2: (128,)})
    options = Options(how="tiles")
    save = ("mask", "probability", "uncertainty")
    assert run(model, [Input(path, "a")], Request(tmp_path / "whole", save, options=options)).failed == []
    monkeypatch.setattr(streaming, "PART", 0.0)
    assert run(model, [Input(path, "a")], Request(tmp_path / "parts", save, options=options)).failed == []
    for name in save:
        one, other = (tifffile.imread(tmp_path / folder / f"a_{name}.tif") for folder in ("whole", "parts"))
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one.astype(float), other.astype(float), atol=1e-6)
    with tifffile.TiffFile(tmp_path / "parts/a_mask.tif") as made:
        assert made.pages.first.is_tiled
        assert made.pages.first.resolution == (5000, 5000)
    one, other = (pd.read_csv(tmp_path / folder / "predictions.csv") for folder in ("whole", "parts"))
    for column in ("foreground_share", "disagreement"):
        np.testing.assert_allclose(one[column], other[column], atol=1e-6)
    assert other["area"][0] == (tifffile.imread(tmp_path / "parts/a_mask.tif") > 0).sum() * 4  # 2 µm a side
    outcome = run(model, [Input(path, "a")], Request(tmp_path / "labels", ("labels",), options=options))
    assert "--save labels needs the whole image in memory" in outcome.failed[0]


@pytest.mark.parametrize(
    "words",
    [
        {"imagej": True, "metadata": {"unit": "um", "spacing": 2.5}},
        {"imagej": True, "metadata": {"unit": "\\u00e5l"}},
        {"imagej": True},
        {"resolutionunit": "CENTIMETER"},
    ],
)
def test_a_mask_has_its_pictures_unit_in_parts_as_in_the_whole(
    words: dict[str, Any], pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey(48, 40), resolution=(100, 300), **words)
    request = Request(tmp_path / "whole", ("mask", "probability"), options=Options("tiles"))
    assert run(pictures, [Input(path, "a")], request).failed == []
    monkeypatch.setattr(streaming, "PART", 0.0)
    assert run(pictures, [Input(path, "a")], replace(request, out=tmp_path / "parts")).failed == []
    for file in ("whole/a_mask.tif", "parts/a_mask.tif", "parts/a_probability.tif"):
        assert tiff_geometry(tmp_path / file) == tiff_geometry(path)
        assert tiff_spacing(tmp_path / file, 2) == tiff_spacing(path, 2)
        assert read(tmp_path / file).spacing == tiff_spacing(path, 2)


@pytest.mark.parametrize("shape", [(48, 40), (40, 48), (500, 40)])
def test_a_picture_read_in_parts_may_be_smaller_than_a_window(
    shape: tuple[int, int], pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey(*shape), rowsperstrip=7)
    request = Request(tmp_path / "whole", ("probability",), options=Options("tiles"))
    assert run(pictures, [Input(path, "a")], request).failed == []
    monkeypatch.setattr(streaming, "PART", 0.0)
    assert run(pictures, [Input(path, "a")], replace(request, out=tmp_path / "parts")).failed == []
    one, other = (tifffile.imread(tmp_path / folder / "a_probability.tif") for folder in ("whole", "parts"))
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("turn", [3, 6])
def test_a_turned_tiff_is_not_read_in_parts(
    turn: int, pictures: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey(64, 48), extratags=[(274, "H", 1, turn, True)])
    request = Request(tmp_path / "whole", ("mask", "probability"), options=Options("tiles"))
    assert run(pictures, [Input(path, "a")], request).failed == []
    monkeypatch.setattr(streaming, "PART", 0.0)
    assert run(pictures, [Input(path, "a")], replace(request, out=tmp_path / "parts")).failed == []
    for name in ("a_mask.tif", "a_probability.tif"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_a_tiff_of_16384_pixels_a_side_takes_less_than_2_gib(tmp_path: Path) -> None:
    model = trained(tmp_path / "model", replace(SPEC, name="unet", alpha=None, filters=2), folds=1)
    side = 16384
    tile = grey(512, 512)
    tifffile.imwrite(
        tmp_path / "a.tif",
        (tile for _ in range((side // 512) ** 2)),
        shape=(side, side),
        dtype=np.uint8,
        tile=(512, 512),
        compression="zlib",
    )
    words = [str(model), str(tmp_path / "a.tif"), "--out", str(tmp_path / "out"), "--how", "tiles", "--memory", "2G"]
    code = (
        "import resource, sys; from multiresunet.cli import app\n"
        f"app({['predict', *words, '--threads', '1']!r}, standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.split()[-1]) * 1024
    print(f"peak {peak / 2**20:.0f} MiB")
    assert peak < 2 * 2**30
    with tifffile.TiffFile(tmp_path / "out/a_mask.tif") as made:
        assert made.pages.first.shape == (side, side)
