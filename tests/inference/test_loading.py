"""A model is found by folder, by one of its files, and by name and version; what isn't whole is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.inference.description import ModelDescription
from multiresunet.inference.loading import load_model
from multiresunet.nets import build_network
from multiresunet.review.artifacts import commit_of
from multiresunet.training import checkpoint
from tests import small
from tests.inference.making import trained
from tests.training.making import SPEC

CPU = torch.device("cpu")


def test_a_folder_is_the_mean_over_its_folds(disc_images: PreparedDataset, tmp_path: Path) -> None:
    folder = trained(tmp_path, folds=11, final=True)  # fold10 stands before fold2 in the alphabet
    model = load_model(str(folder), device=CPU)
    assert (model.predictor.spec, model.classes, len(model.predictor.networks)) == (SPEC, (), 11)
    assert model.description.folds == [str(fold) for fold in range(11)]
    each = [load_model(folder, str(fold), CPU).predictor.foreground(disc_images.images) for fold in range(11)]
    found = model.predictor.foreground(disc_images.images)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
    final = load_model(folder, "final", CPU).predictor.foreground(disc_images.images)
    assert all(not np.allclose(final, one, atol=1e-3) for one in each)
    same = load_model(folder / "final-last.safetensors", device=CPU).predictor.foreground(disc_images.images)
    np.testing.assert_array_equal(same, final)
    assert load_model(folder / "fold3-last.safetensors", "3", CPU).names == ("3",)
    with pytest.raises(UserError, match=r"fold3-last\.safetensors: is the network '3', not '1'; leave folds out"):
        load_model(folder / "fold3-last.safetensors", "1")


def test_the_folder_above_stands_for_its_only_seed(tmp_path: Path) -> None:
    trained(tmp_path / "unet/1", folds=1)
    assert load_model(tmp_path / "unet", device=CPU).folder == tmp_path / "unet/1"
    trained(tmp_path / "unet/2", folds=1)
    with pytest.raises(UserError, match=r"unet: holds 2 models \(1, 2\); name one of them"):
        load_model(tmp_path / "unet")
    with pytest.raises(UserError, match=r": holds 2 models \(unet/1, unet/2\); name one of them"):
        load_model(tmp_path)
    for number in range(4):
        trained(tmp_path / f"nuclei/multiresunet/{number}", folds=1)
    (tmp_path / "unet/1").rename(tmp_path / "unet/.1.draft")
    listed = r"nuclei/multiresunet/0, .*, nuclei/multiresunet/3, unet/2"
    with pytest.raises(UserError, match=rf": holds 5 models \({listed}\); name one of them"):
        load_model(tmp_path)


def test_what_is_missing_or_is_not_what_it_was_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trained model \(model\.json\) in this folder; run `dvc repro`"):
        load_model(tmp_path)
    with pytest.raises(UserError, match=r"x: no such folder; a model is a folder as"):
        load_model(tmp_path / "x")
    folder = trained(tmp_path / "m")
    with pytest.raises(UserError, match=r"has no network '7', there is all, 0, 1$"):
        load_model(folder, "7")
    with pytest.raises(UserError, match=r"has no network 'final', .*; set final: true"):
        load_model(folder, "final")
    other = folder / "other.safetensors"
    other.write_bytes((folder / "fold0-last.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"other\.safetensors: model\.json knows no such weights"):
        load_model(other)
    checkpoint.save(folder / "fold0-last.safetensors", SPEC, build_network(SPEC).state_dict())
    load_model(folder, "0")  # the same weights again
    checkpoint.save(
        folder / "fold0-last.safetensors", SPEC, build_network(SPEC, torch.Generator().manual_seed(9)).state_dict()
    )
    with pytest.raises(UserError, match=r"fold0-last\.safetensors: not the weights that model\.json names"):
        load_model(folder)
    (folder / "fold1-last.safetensors").unlink()
    with pytest.raises(UserError, match=r"fold1-last\.safetensors: these weights are missing"):
        load_model(folder, "1")


def test_a_description_that_is_damaged_or_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = trained(tmp_path) / "model.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps(tree | {"format": 2}))
    with pytest.raises(UserError, match=r"model\.json: of format 2, this version reads 1; update multiresunet"):
        load_model(tmp_path)
    path.write_text(json.dumps(tree | {"threshold": "high"}))
    with pytest.raises(UserError, match=r"model\.json: threshold: input should be a valid number.*; train again"):
        load_model(tmp_path)
    path.write_text("{")
    with pytest.raises(UserError, match=r"model\.json: damaged"):
        load_model(tmp_path)


def test_a_description_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = trained(tmp_path, replace(SPEC, classes=3))
    description = ModelDescription.open(folder)
    assert description.data.classes == ("c1", "c2")
    before = (folder / "model.json").read_bytes()
    description.write(folder)
    assert (folder / "model.json").read_bytes() == before


def test_a_fold_and_a_device_can_be_named_in_pythons_own_types(
    disc_images: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(tmp_path)
    by_text, plain = load_model(folder, "1", CPU), load_model(folder, 1, "cpu")
    image = disc_images.images[0]
    np.testing.assert_array_equal(plain.predict(image).foreground, by_text.predict(image).foreground)
    for count, known in ((0, "cpu"), (2, "cpu, cuda, cuda:0, cuda:1")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        for device in ("cuda:7", "cudax"):
            with pytest.raises(UserError, match=f"^device {device}: this machine has none of that name; use {known}$"):
                load_model(folder, device=device)


@pytest.mark.slow
def test_a_name_and_version_is_fetched_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, environment = tmp_path / "project", small.settings(tmp_path)
    place.mkdir()
    trained(place / "data/trained/mine/unet")
    (place / "params.yaml").write_text("{}")
    (place / "dvc.yaml").write_text(
        "stages: {train: {cmd: 'true', outs: [data/trained/mine/unet]}}\n"
        "artifacts: {mine-unet: {path: data/trained/mine/unet, type: model}}\n"
    )
    for words in (
        ["git", "init", "-q", "-b", "main"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        [sys.executable, "-m", "dvc", "commit", "-q", "-f"],
        ["git", "add", "-A"],
        ["git", "commit", "-qm", "all"],
        ["git", "tag", "-a", "-m", "as GTO does", "mine-unet@v1.0.0"],
    ):
        subprocess.run(words, cwd=place, env=environment, check=True)
    weights = {file.name: file.read_bytes() for file in (place / "data/trained/mine/unet").iterdir()}
    trained(place / "data/trained/mine/unet", folds=3)  # what lies there now is another model
    monkeypatch.chdir(place)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    model = load_model("mine-unet@v1.0.0", device=CPU)
    assert {file.name: file.read_bytes() for file in model.folder.iterdir()} == weights
    tagged = subprocess.check_output(["git", "rev-parse", "mine-unet@v1.0.0^{commit}"], text=True).strip()
    assert commit_of(model.folder) == tagged
    with pytest.raises(UserError, match=r"no such version of a model; there is mine-unet@v1\.0\.0, or fetch the tags"):
        load_model("mine-unet@v2.0.0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="looked up in the project's repository"):
        load_model("mine-unet@v1.0.0")
