"""A BioImage.IO package is what the specification says, and other programs get from it what `predict` gives."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import tifffile
import yaml
from bioimageio.spec import load_description
from bioimageio.spec.model.v0_5 import ModelDescr
from PIL import Image

from multiresunet.data.dataset import as_floats
from multiresunet.data.preprocessing import fit_image
from multiresunet.errors import UserError
from multiresunet.inference.model import Model, Options
from multiresunet.inference.packages import bioimageio, sample
from multiresunet.inference.packages.exporting import export
from multiresunet.nets import NetworkSpec
from tests.inference.making import described
from tests.inference.packages.making import model_of
from tests.training.making import SPEC

CARD = {
    "title": "Discs",
    "modality": "drawn",
    "about": "Drawn for tests.",
    "mask": "255",
    "citation": "A. Author. Discs (2026).",
    "terms": "research only",
    "homepage": "https://example.org/discs",
}
VOLUMES = NetworkSpec("unet", 3, 2, filters=2, classes=3)
CASES: list[tuple[NetworkSpec, dict[str, Any]]] = [
    (SPEC, {"card": CARD}),
    (VOLUMES, {"normalisation": "zscore", "fit": "spacing", "spacing": (1.0, 0.5, 0.5)}),
]
ENVIRONMENT = "MULTIRESUNET_BIOIMAGEIO"
"""Names an environment with bioimageio.core, torch and onnxruntime: its pins are others than this project's."""


@pytest.mark.parametrize(("spec", "data"), CASES, ids=["image", "volume"])
def test_it_is_what_the_specification_says(spec: NetworkSpec, data: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    said = export(model_of(tmp_path / "model", spec, **data), "bioimageio", path)
    assert "TorchScript within" in said and "ONNX within" in said
    found = load_description(path)
    assert isinstance(found, ModelDescr), found.validation_summary.format()
    assert found.license == "MIT" and [one.name for one in found.authors] == ["The maintainers of this project"]
    with ZipFile(path) as archive:
        tree = yaml.safe_load(archive.read("rdf.yaml"))
        with archive.open("cover.png") as file, Image.open(file) as cover:
            assert cover.size == (512, 256)
        assert archive.read("README.md").startswith(b"# discs-multiresunet\n")
        assert archive.getinfo("cover.png").file_size < 500_000
    assert (tree["format_version"], tree["covers"]) == ("0.5.7", ["cover.png"])
    assert tree["weights"]["onnx"]["opset_version"] == 17
    assert [one["text"] for one in tree["cite"]][1:] == (
        ["A. Author. Discs (2026). Terms: research only"] if "card" in data else []
    )
    steps = [step["id"] for step in tree["inputs"][0]["preprocessing"]]
    assert steps == ["ensure_dtype", "zero_mean_unit_variance" if spec.dims == 3 else "scale_linear"]


@pytest.mark.parametrize(("highest", "factor"), [(1, 1.0), (200, 1 / 255), (256, 1 / 65535), (65535, 1 / 65535)])
def test_values_are_scaled_by_what_their_type_holds(highest: float, factor: float) -> None:
    assert bioimageio.factor_of(described(SPEC, intensity={"minimum": (0, 0), "maximum": (0, highest)})) == factor


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "float32"])
def test_the_package_scales_as_predict_does(kind: str) -> None:
    image = np.ones((1, 32, 32), dtype=kind)  # the values alone don't tell the type
    data = described(SPEC, types=(kind,), intensity={"minimum": (0, 0), "maximum": (0, 1)})
    seen = as_floats(fit_image(image, "rescale", (32, 32), "x"))
    np.testing.assert_allclose(image * bioimageio.factor_of(data), seen, rtol=1e-6)


def test_images_of_several_types_are_not_scaled_alike() -> None:
    data = described(SPEC, types=("int16", "uint16"), intensity={"minimum": (0, 0), "maximum": (0, 4095)})
    with pytest.raises(UserError, match="discs: its images are of int16 and uint16, each divided by what its type"):
        bioimageio.factor_of(data)


def test_where_images_are_resampled_it_says_to_what(tmp_path: Path) -> None:
    data = {"normalisation": "zscore", "fit": "spacing", "spacing": (1.0, 0.5, 0.5), "scale": (0.2, 1.0, 1.0)}
    export(model_of(tmp_path / "model", VOLUMES, **data), "bioimageio", tmp_path / "x.zip")
    with ZipFile(tmp_path / "x.zip") as archive:
        assert "spans 0.2×1×1 pixels of the images that it learnt from (1×0.5×0.5 mm)" in " ".join(
            yaml.safe_load(archive.read("rdf.yaml"))["description"].split()
        )
        card = archive.read("README.md").decode()
    assert "spans 0.2×1.0×1.0 of the files' pixels (the median), 1.0×0.5×0.5 mm." in card


def test_values_that_no_known_type_holds_are_not_scaled_in_silence() -> None:
    data = described(SPEC, intensity={"minimum": (0, 0), "maximum": (0, 65536)})
    with pytest.raises(UserError, match="discs: values up to 65536 are more than 16 bits hold"):
        bioimageio.factor_of(data)


def test_the_drawn_image_lies_in_the_range_of_training() -> None:
    data = described(VOLUMES, intensity={"minimum": (-50, 0), "maximum": (10, 900)})
    image = sample.image(data)
    assert image.shape == (1, 2, 16, 16, 16)
    assert -50 <= image.min() < 300 and 500 < image.max() <= 900
    np.testing.assert_array_equal(image, sample.image(data))


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "data"), CASES, ids=["image", "volume"])
def test_its_own_program_accepts_it_offline(spec: NetworkSpec, data: dict[str, Any], tmp_path: Path) -> None:
    model = model_of(tmp_path / "model", replace(spec), **data)
    export(model, "bioimageio", tmp_path / "x.zip")
    for weights in ("torchscript", "onnx"):
        run(tmp_path, "test", "x.zip", "--weight-format", weights)
    if spec.dims == 2:
        agrees(model, tmp_path)


def agrees(model: Model, folder: Path) -> None:
    """`bioimageio predict` on a picture gives what `predict` gives."""
    picture = np.random.default_rng(4).integers(0, 256, (50, 70)).astype(np.uint8)
    Image.fromarray(picture).save(folder / "cells.png")
    expected = model.predict(picture, options=Options(how="tiles")).foreground
    for weights in ("torchscript", "onnx"):
        out = f"{weights}.tif"
        run(folder, "predict", "x.zip", "--inputs", "cells.png", "--outputs", out, "--weight-format", weights)
        found = tifffile.imread(folder / out).squeeze()
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def run(folder: Path, *words: str) -> None:
    place = os.environ.get(ENVIRONMENT)
    if not place:
        pytest.skip(
            f"{ENVIRONMENT} names no environment with bioimageio.core 0.11, pydantic 2.13, torch and onnxruntime"
        )
    command = [str(Path(place).absolute() / "bin/bioimageio"), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
