"""Training learns, repeats itself, and keeps last and best epoch apart."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training.fit import fit
from multiresunet.training.loader import Loader, batches
from multiresunet.training.losses import loss_by_name
from multiresunet.training.result import Epoch, Fit
from multiresunet.training.validation import validate
from tests.discs import discs
from tests.training.making import LEAN, job_of


def trained(data: PreparedDataset, spec: NetworkSpec = LEAN, **changes: Any) -> Fit:
    return fit(job_of(data, spec=spec, **changes))


@pytest.fixture(scope="module")
def fitted() -> Fit:
    """Eight epochs on discs."""
    return trained(discs(12, (32, 32), 1, 3))


def test_it_learns_discs_in_a_few_epochs(fitted: Fit) -> None:
    history = fitted.history
    assert [line.epoch for line in history] == list(range(1, 9))
    assert history[-1].train_loss < 0.6 * history[0].train_loss
    assert history[-1].test_jaccard > 0.7


def test_it_learns_volumes(disc_volumes: PreparedDataset) -> None:
    history = trained(disc_volumes, replace(LEAN, dims=3, in_channels=2), epochs=8).history
    assert history[-1].test_jaccard > 0.7


def test_the_same_names_give_the_same_bytes_whatever_runs_before(disc_images: PreparedDataset, fitted: Fit) -> None:
    torch.manual_seed(99)
    torch.rand(5)
    np.random.seed(3)  # noqa: NPY002  (that global state plays no part is what is tested)
    again = trained(disc_images)
    assert again.history == fitted.history
    assert all(torch.equal(again.last[key], fitted.last[key]) for key in fitted.last)
    assert trained(disc_images, seed=2, epochs=1).history[0] != fitted.history[0]


def test_test_images_choose_nothing_but_the_best_epoch(disc_images: PreparedDataset, fitted: Fit) -> None:
    _, test = disc_images.split(0)
    other = trained(disc_images, test=test[:2])
    assert [line.train_loss for line in fitted.history] == [line.train_loss for line in other.history]
    assert all(torch.equal(fitted.last[key], other.last[key]) for key in fitted.last)


def test_best_and_last_weights_give_the_jaccard_of_their_epochs(disc_images: PreparedDataset) -> None:
    fitted = trained(disc_images, epochs=3, seed=13)  # of which the second is the best
    assert fitted.best_jaccard > fitted.history[-1].test_jaccard  # or else there is nothing to be kept apart
    _, test = disc_images.split(0)
    device = torch.device("cpu")
    for weights, expected in (
        (fitted.last, fitted.history[-1].test_jaccard),
        (fitted.best, fitted.best_jaccard),
    ):
        network = build_network(LEAN)
        network.load_state_dict(weights)
        _, jaccard, _ = validate(network, Loader(disc_images, device), test, 3, 0.5, loss_by_name("bce", 1))
        assert jaccard.mean() == pytest.approx(expected, abs=1e-12)


def test_without_a_curve_the_last_epoch_alone_is_validated_and_the_same_is_learnt(disc_images: PreparedDataset) -> None:
    whole, bare = trained(disc_images, epochs=3), trained(disc_images, epochs=3, curve=False)
    assert [isnan(line.test_jaccard) for line in bare.history] == [True, True, False]
    assert bare.history[-1] == whole.history[-1]
    assert all(torch.equal(bare.last[key], whole.last[key]) for key in whole.last)
    assert all(torch.equal(bare.best[key], bare.last[key]) for key in bare.last)
    assert bare.best_jaccard == bare.history[-1].test_jaccard


def test_a_mask_of_infinities_that_is_not_saved_is_no_divergence(
    disc_images: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def masked(*words: Any) -> nn.Module:
        network = build_network(*words)
        network.register_buffer("mask", torch.tensor([-torch.inf, 0.0]), persistent=False)
        return network

    plain = trained(disc_images, epochs=1)
    monkeypatch.setattr("multiresunet.training.trainer.build_network", masked)
    assert trained(disc_images, epochs=1).history == plain.history


def test_the_first_of_equally_good_epochs_is_the_best() -> None:
    fitted = Fit(history=[Epoch(1, 1, 1, 0.5, 3), Epoch(2, 1, 1, 0.7, 6), Epoch(3, 1, 1, 0.7, 9)])
    assert fitted.best_jaccard == 0.7


@given(st.integers(2, 60), st.integers(2, 12))
def test_batches_hold_every_image_once_and_never_one_alone(count: int, size: int) -> None:
    cut = batches(np.arange(count), size)
    np.testing.assert_array_equal(np.concatenate(cut), np.arange(count))
    assert all(2 <= len(batch) <= size + 1 for batch in cut)
    assert all(len(batch) == size for batch in cut[:-2])


def test_one_image_is_too_few_to_train_on() -> None:
    with pytest.raises(UserError, match="at least two images, there is 1"):
        batches(np.arange(1), 4)


def elsewhere(dropout: float = 0.0) -> NetworkSpec:
    arguments = {
        "spatial_dims": "$dims",
        "in_channels": "$channels",
        "out_channels": "$classes",
        "channels": [8, 16],
        "strides": [2],
        "dropout": dropout,
    }
    return NetworkSpec("monai.networks.nets.AttentionUnet", 2, 1, arguments=arguments)


def test_a_network_from_elsewhere_learns(disc_images: PreparedDataset) -> None:
    assert trained(disc_images, elsewhere(), epochs=6).history[-1].test_jaccard > 0.7


def test_what_a_network_drops_out_depends_on_the_names_alone(disc_images: PreparedDataset) -> None:
    one = trained(disc_images, elsewhere(0.2), epochs=1)
    torch.manual_seed(99)
    assert trained(disc_images, elsewhere(0.2), epochs=1).history == one.history
    assert trained(disc_images, elsewhere(), epochs=1).history != one.history
