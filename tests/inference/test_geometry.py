"""What a file's axes are decides whether a model takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiresunet.inference.batch import Request, run
from multiresunet.inference.inputs import Input
from multiresunet.inference.model import Model
from tests.inference.making import grey


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
