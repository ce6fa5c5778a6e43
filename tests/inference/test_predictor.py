"""Users and the predict stage get the same predictions, from one file or from all folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.inference.loading import load_model
from multiresunet.inference.predictor import Predictor
from multiresunet.inference.samples import cross_validated, predict_samples
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training import checkpoint
from multiresunet.training.loader import Loader
from tests.inference.making import trained
from tests.training.making import SPEC

CPU = torch.device("cpu")


def alone(spec: NetworkSpec = SPEC, seed: int = 0) -> Predictor:
    """A network with random weights."""
    return Predictor(spec, [build_network(spec, torch.Generator().manual_seed(seed)).eval()], CPU)


@pytest.mark.parametrize("kind", ["disc_images", "disc_volumes"])
def test_one_file_predicts_what_cross_validation_predicts(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    data: PreparedDataset = request.getfixturevalue(kind)
    folder = trained(tmp_path, replace(SPEC, dims=data.dims, in_channels=data.channels), 3)
    expected = cross_validated(lambda fold: checkpoint.load(folder / f"fold{fold}-last.safetensors"), data, 8, CPU)
    for fold in range(2):
        _, test = data.split(fold)
        predictor = load_model(folder, str(fold), CPU).predictor
        found = predictor.foreground(data.images[test])
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected[test])
        np.testing.assert_array_equal(predictor.foreground(data.batch(test)[0]), expected[test])


def test_several_networks_are_averaged(disc_images: PreparedDataset) -> None:
    each = [alone(seed=seed) for seed in range(3)]
    both = Predictor(SPEC, [network for one in each for network in one.networks], CPU)
    found, apart = both.foreground(disc_images.images), [one.foreground(disc_images.images) for one in each]
    np.testing.assert_allclose(found, np.mean(apart, axis=0), atol=1e-6)
    assert not np.allclose(found, apart[0], atol=1e-3)


def test_any_size_and_number_of_images() -> None:
    images = np.random.default_rng(0).random((5, 1, 37, 21), dtype=np.float32)
    whole = alone().foreground(images)
    assert whole.shape == (5, 37, 21)
    assert ((whole >= 0) & (whole <= 1)).all()
    np.testing.assert_allclose(alone().foreground(images, batch=2), whole, atol=1e-5)


def test_classes_have_a_probability_each_and_the_background_too() -> None:
    images = np.random.default_rng(0).random((2, 1, 16, 16), dtype=np.float32)
    predictor = alone(replace(SPEC, classes=4))
    found = predictor.probabilities(images)
    assert found.shape == (2, 4, 16, 16)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(predictor.foreground(images), 1 - found[:, 0], atol=1e-6)
    np.testing.assert_array_equal(alone().probabilities(images)[:, 0], alone().foreground(images))


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (np.zeros((2, 3, 16, 16), np.float32), r"images of shape 2×3×16×16: the network needs N×C×H×W with C = 1"),
        (np.zeros((1, 16, 16), np.float32), "images of shape 1×16×16"),
        (np.zeros((0, 1, 16, 16), np.float32), "N > 0"),
        (np.zeros((1, 1, 16, 16)), r"images of type float64: must be float32 or uint8"),
    ],
)
def test_images_that_do_not_fit_are_refused(images: np.ndarray, says: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(UserError, match=says):
        alone().foreground(images)


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
