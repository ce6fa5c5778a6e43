"""`multiresunet predict` on a data set's own files says what the stage `predict` says of its folds."""

from __future__ import annotations

import contextlib
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import yaml
from PIL import Image

from multiresunet.cli import app
from multiresunet.evaluation import predictions
from multiresunet.inference.samples import cross_validated
from multiresunet.nets import build_network
from multiresunet.training import checkpoint
from stages.predict import network_from, predict
from tests.cli.test_data import call
from tests.discs import discs
from tests.inference.making import describe_weights, described, trained
from tests.training.making import SPEC


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose images are PNGs, prepared as they are, with a network for each of three folds."""
    root = Path(__file__).parents[2]
    tree = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    tree["run"] |= {"datasets": ["nuclei"], "models": ["multiresunet"], "recipe": "quick", "seeds": [1]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    data = discs(9, (32, 32), 1, 3)
    prepared, trained = tmp_path / "data/prepared/nuclei", tmp_path / "data/trained/nuclei/multiresunet/1"
    for folder in (prepared, trained, tmp_path / "images"):
        folder.mkdir(parents=True)
    np.save(prepared / "images.npy", data.images)
    np.save(prepared / "masks.npy", data.masks)
    data.table.to_csv(prepared / "samples.csv", index=False)
    for name, image in zip(data.table["sample"], data.images, strict=True):
        Image.fromarray(image[0]).save(tmp_path / f"images/{name}.png")
    for fold in range(3):
        for number, which in enumerate(("best", "last")):
            weights = build_network(SPEC, torch.Generator().manual_seed(2 * fold + number)).state_dict()
            checkpoint.save(trained / f"fold{fold}-{which}.safetensors", SPEC, weights)
    describe_weights(trained, described(SPEC))
    lines = [{"fold": fold, "epoch": 1, "test_jaccard": 0.5, "updates": 6} for fold in range(3)]
    pd.DataFrame(lines).to_csv(trained / "history.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "a.png"], "error: a.png: is a file; name a folder with --out"),
        (["--out", "out", "--save", ","], "error: --save ',' names no output; there is "),
    ],
)
def test_without_a_place_or_an_output_nothing_is_predicted(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((32, 32), np.uint8)).save("a.png")
    trained(Path("model"))
    assert str(call(monkeypatch, "predict", "model", "a.png", *words)).startswith(says)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.png", "model"]


def test_a_folder_that_a_pattern_leaves_out_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in/sub").mkdir(parents=True)
    for name in ("in/a.png", "in/sub/b.png"):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(name)
    trained(Path("model"))
    app(["predict", "model", "in/*", "--out", "out", "--device", "cpu"], standalone_mode=False)
    assert capsys.readouterr().out.splitlines() == [
        "1 folder left out: in/sub; name a folder without a pattern (links in a circle aren't followed)",
        "1 of 1 images predicted into out",
    ]


def test_a_folds_test_images_are_predicted_as_the_stage_predicts_them(project: Path) -> None:
    data = discs(9, (32, 32), 1, 3)
    with contextlib.chdir(project):
        trained = Path("data/trained/nuclei/multiresunet/1")
        predict("nuclei", "multiresunet")
        stage = predictions.load(Path("data/predicted/nuclei/multiresunet/1/predictions.npz"))
        last = cache(partial(network_from, trained, "last"))
        expected = cross_validated(last, data, 4, torch.device("cpu"))
        for fold in range(3):
            tests = [f"images/{name}.png" for name in data.table["sample"][data.folds == fold]]
            words = ["--folds", str(fold), "--save", "mask,probability", "--format", "tif", "--device", "cpu"]
            app(["predict", str(trained), *tests, "--out", f"out{fold}", *words], standalone_mode=False)
        for index, row in data.table.iterrows():
            name = f"out{row['fold']}/{row['sample']}"
            probability = tifffile.imread(f"{name}_probability.tif")
            np.testing.assert_allclose(probability, expected[index], atol=1e-5)
            near = np.abs(probability - 0.5) < 1e-5
            np.testing.assert_array_equal((tifffile.imread(f"{name}_mask.tif") > 0) | near, stage[index] | near)
        other = tifffile.imread(f"out{data.folds[0]}/{data.table['sample'][0]}_probability.tif")
        assert np.abs(other - expected[1]).max() > 1e-3  # so that the test can fail
