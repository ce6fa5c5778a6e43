"""What a file's axes are decides whether a model takes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiresunet.inference.batch import Request, run
from multiresunet.inference.inputs import Input
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model, Options
from multiresunet.serving.predictions import Predictions
from tests.inference.making import CPU, grey, trained
from tests.training.making import SPEC


@pytest.mark.parametrize("name", ["grey.png", "colours.jpg", "MAX_a.tif", "plane.tif", "rgb.tif", "a.npy"])
def test_a_model_of_volumes_takes_no_pictures(name: str, volumes: Model, tmp_path: Path) -> None:
    path = tmp_path / name
    shape = {"grey.png": "1×40×48", "MAX_a.tif": "2×40×48", "plane.tif": "1×40×48"}.get(name, "3×40×48")
    if name in ("grey.png", "colours.jpg"):
        Image.fromarray(grey(40, 48) if name == "grey.png" else grey(40, 48, 3)).save(path)
    elif name == "MAX_a.tif":
        tifffile.imwrite(path, grey(2, 40, 48), imagej=True, metadata={"axes": "CYX"})
    elif name == "a.npy":
        np.save(path, grey(40, 48, 3))
    else:
        tifffile.imwrite(path, grey(40, 48) if name == "plane.tif" else grey(40, 48, 3))
    outcome = run(volumes, [Input(path, "a")], Request(tmp_path / "out"))
    says = f"a picture of {shape} (channels, rows, columns), where the model takes volumes; choose another file"
    assert outcome.failed == [f"{path}: {says}"]


def test_a_stack_of_pages_is_a_volume(volumes: Model, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey(3, 40, 48), photometric="minisblack")
    assert run(volumes, [Input(path, "a")], Request(tmp_path / "out")).failed == []


@pytest.mark.parametrize("served", [False, True])
def test_pages_are_channels_where_they_were_in_training(served: bool, tmp_path: Path) -> None:
    data = {"channels": 2, "pages": "channels"}
    model = load_model(trained(tmp_path / "model", replace(SPEC, in_channels=2), **data), device=CPU)
    image = grey(2, 40, 48)
    tifffile.imwrite(tmp_path / "plain.tif", image, photometric="minisblack")
    tifffile.imwrite(tmp_path / "named.tif", image, imagej=True, metadata={"axes": "CYX"})
    if served:
        server = Predictions(model, Options(), tmp_path / "kept")
        masks = [server.predict(tmp_path / name).prediction.mask for name in ("plain.tif", "named.tif")]
    else:
        names = [Input(tmp_path / f"{name}.tif", name) for name in ("plain", "named")]
        outcome = run(model, names, Request(tmp_path / "out"))
        assert outcome.failed == []
        masks = [tifffile.imread(file) for file in sorted((tmp_path / "out").glob("*.tif*"))]
    assert len(masks) == 2
    assert masks[0].shape == (40, 48)
    assert np.array_equal(*masks)
