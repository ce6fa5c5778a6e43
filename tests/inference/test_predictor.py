"""Users and the predict stage get the same predictions, from one file or from all folds."""

from __future__ import annotations

import doctest
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.inference import predictor
from multiresunet.inference.predictor import cross_validated, load_model, predict, predict_samples
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training import checkpoint
from multiresunet.training.loader import Loader
from tests.training.test_job import SPEC

CPU = torch.device("cpu")


def saved(folder: Path, spec: NetworkSpec = SPEC, folds: int = 2) -> Path:
    """What `train` leaves, with random weights; the best epoch's differ from the last one's."""
    folder.mkdir(exist_ok=True)
    for fold in range(folds):
        for seed, which in ((fold, "last"), (fold + 50, "best")):
            weights = build_network(spec, torch.Generator().manual_seed(seed)).state_dict()
            checkpoint.save(folder / f"fold{fold}-{which}.safetensors", spec, weights)
    return folder


def test_the_examples_run() -> None:
    assert doctest.testmod(predictor) == (0, doctest.testmod(predictor).attempted)
    assert doctest.testmod(predictor).attempted > 5


@pytest.mark.parametrize("kind", ["disc_images", "disc_volumes"])
def test_one_file_predicts_what_cross_validation_predicts(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    data: PreparedDataset = request.getfixturevalue(kind)
    folder = saved(tmp_path, replace(SPEC, dims=data.dims, in_channels=data.channels), 3)
    expected = cross_validated(lambda fold: checkpoint.load(folder / f"fold{fold}-last.safetensors"), data, 8, CPU)
    for fold in range(2):
        _, test = data.split(fold)
        found = load_model(folder / f"fold{fold}-last.safetensors", CPU).predict(data.images[test])
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected[test])
        same = load_model(folder / f"fold{fold}-last.safetensors", CPU).predict(data.batch(test)[0])
        np.testing.assert_array_equal(found, same)


def test_a_folder_is_the_mean_over_its_folds_last_epochs(disc_images: PreparedDataset, tmp_path: Path) -> None:
    folder = saved(tmp_path, folds=11)  # fold10 stands before fold2 in the alphabet
    each = [load_model(folder / f"fold{fold}-last.safetensors", CPU).predict(disc_images.images) for fold in range(11)]
    model = load_model(str(folder), CPU)
    assert (model.spec, model.classes, len(model.networks)) == (SPEC, 1, 11)
    found = predict(model, disc_images.images)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert not np.allclose(found, each[0], atol=1e-3)


def test_any_size_and_number_of_images(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path), CPU)
    images = np.random.default_rng(0).random((5, 1, 37, 21), dtype=np.float32)
    whole = model.predict(images)
    assert whole.shape == (5, 37, 21)
    assert ((whole >= 0) & (whole <= 1)).all()
    np.testing.assert_allclose(model.predict(images, batch=2), whole, atol=1e-5)


def test_classes_are_counted_without_the_background(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path, replace(SPEC, classes=4)), CPU)
    assert model.classes == 3
    assert model.predict(np.zeros((1, 1, 16, 16), np.float32)).shape == (1, 16, 16)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (np.zeros((2, 3, 16, 16), np.float32), r"images of shape 2×3×16×16: the network needs N×C×H×W with C = 1"),
        (np.zeros((1, 16, 16), np.float32), "images of shape 1×16×16"),
        (np.zeros((0, 1, 16, 16), np.float32), "N > 0"),
        (np.zeros((1, 1, 16, 16)), r"images of type float64: must be float32 or uint8"),
    ],
)
def test_images_that_do_not_fit_are_refused(images: np.ndarray, says: str, tmp_path: Path) -> None:  # type: ignore[type-arg]
    with pytest.raises(UserError, match=says):
        load_model(saved(tmp_path), CPU).predict(images)


def test_weights_that_are_missing_or_do_not_belong_together_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no weights \(fold\*-last\.safetensors\) in this folder; run `dvc repro`"):
        load_model(tmp_path)
    with pytest.raises(UserError, match=r"x\.safetensors: these weights are missing"):
        load_model(tmp_path / "x.safetensors")
    spec = replace(SPEC, in_channels=2)
    checkpoint.save(saved(tmp_path) / "fold2-last.safetensors", spec, build_network(spec).state_dict())
    with pytest.raises(UserError, match="differ in dimensions, channels or classes"):
        load_model(tmp_path)


def test_cross_validation_asks_the_network_that_has_not_seen_the_image(disc_images: PreparedDataset) -> None:
    class Constant(torch.nn.Module):
        def __init__(self, fold: int) -> None:
            super().__init__()
            self.fold = fold

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full_like(x, float(self.fold))

    predicted = cross_validated(Constant, disc_images, 3, torch.device("cpu"))
    expected = 1 / (1 + np.exp(-disc_images.folds.astype(float)))
    np.testing.assert_allclose(predicted.mean(axis=(1, 2)), expected, rtol=1e-5)


def test_predict_does_not_depend_on_the_batch(disc_images: PreparedDataset) -> None:
    network = build_network(SPEC)
    indices = np.arange(7)
    one, other = (
        predict_samples(network, Loader(disc_images, torch.device("cpu")), indices, batch) for batch in (7, 2)
    )
    assert one.shape == (7, 32, 32)
    np.testing.assert_allclose(one, other, atol=1e-5)
