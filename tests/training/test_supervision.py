"""Deep supervision adds losses of coarser decoders to training, and nothing to what training leaves."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from multiresunet.config import DeepSupervision
from multiresunet.data.dataset import PreparedDataset
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.registries import NETWORKS
from multiresunet.training.fit import fit
from multiresunet.training.losses import loss_by_name
from multiresunet.training.result import Fit
from multiresunet.training.supervision import Supervised
from tests.training.making import LEAN, RECIPE, SPEC, job_of
from tests.training.test_classes import halves


def trained(data: PreparedDataset, weights: list[float] | None, spec: NetworkSpec = LEAN, epochs: int = 1) -> Fit:
    supervision = None if weights is None else DeepSupervision(weights=weights)
    return fit(
        job_of(data, spec=spec, recipe=RECIPE.model_copy(update={"deep_supervision": supervision}), epochs=epochs)
    )


def supervised(spec: NetworkSpec, weights: list[float]) -> Supervised:
    network = build_network(spec, torch.Generator().manual_seed(4))
    return Supervised(network, spec.classes, weights, torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", ["unet", "multiresunet"])
def test_with_weights_of_zero_training_is_what_it_is_without(name: str, disc_images: PreparedDataset) -> None:
    spec = replace(SPEC, name=name)
    without, zero, some = (trained(disc_images, weights, spec, epochs=1) for weights in (None, [0.0, 0.0, 0.0], [0.5]))
    assert zero.history == without.history
    assert list(zero.last) == list(without.last) == list(some.last)
    assert all(torch.equal(zero.last[key], without.last[key]) for key in without.last)
    assert some.history[-1].test_loss != without.history[-1].test_loss


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", list(NETWORKS))
def test_each_head_is_half_as_large_as_the_one_before(name: str, dims: int) -> None:
    learner = supervised(NetworkSpec(name, dims, 1, filters=4, classes=3), [1.0, 1.0, 1.0]).train()
    image = torch.rand((2, 1, *[32, 16, 16][:dims]), generator=torch.Generator().manual_seed(1))
    outputs = learner(image)
    levels = 3 if dims == 3 and "multires" not in name else 4
    assert [list(y.shape) for y in outputs] == [[2, 3, *(n // 2**k for n in image.shape[2:])] for k in range(levels)]
    torch.testing.assert_close(outputs[0], learner.network(image), rtol=0, atol=0)
    labels = (image > 0.5).float()
    own, whole = learner.losses(loss_by_name("dice_bce", 3), outputs, labels)
    own.backward(retain_graph=True)
    assert all(p.grad is None for p in learner.heads.parameters())
    whole.backward()
    assert all(p.grad is not None and p.grad.any() for p in learner.heads.parameters())


def test_the_losses_are_added_up_with_their_weights() -> None:
    """A logit of log 3 says 3/4: cross-entropy -log(3/4) where the label is 1; of -log 3, -log(1/4)."""
    learner = supervised(SPEC, [0.5, 0.25])
    outputs = [torch.full((1, 1, 16 // 2**k, 16 // 2**k), sign * math.log(3)) for k, sign in enumerate((1, -1, 1))]
    own, whole = learner.losses(loss_by_name("bce", 1), outputs, torch.ones(1, 1, 16, 16))
    assert own.item() == pytest.approx(-math.log(3 / 4), rel=1e-6)
    assert whole.item() == pytest.approx(-1.25 * math.log(3 / 4) - 0.5 * math.log(1 / 4), rel=1e-6)


@pytest.mark.parametrize("size", [(16, 32), (13, 17), (16, 16, 32)])
def test_coarser_labels_lie_where_the_pixels_lie(size: tuple[int, ...]) -> None:
    """Labels that are constant on blocks of 4 are seen as they are, at a half and a quarter of the size."""
    dims = len(size)
    whole = [-(-side // 16) * 16 for side in size]
    blocks = (torch.rand([1, 1, *(n // 4 for n in whole)], generator=torch.Generator().manual_seed(2)) > 0.5).float()
    if any(n % 16 for n in size):  # the image's border goes on behind it
        blocks = F.pad(blocks[..., :4, :5], (0, 3, 0, 0), mode="replicate")
    labels = blocks
    for axis in range(2, 2 + dims):
        labels = labels.repeat_interleave(4, axis)
    learner = supervised(replace(SPEC, dims=dims), [1.0, 1.0])
    half = blocks
    for axis in range(2, 2 + dims):
        half = half.repeat_interleave(2, axis)
    cut = labels[(..., *(slice(side) for side in size))]
    sure = [40 * (2 * y - 1) for y in (cut, half, blocks)]
    _, loss = learner.losses(loss_by_name("bce", 1), sure, cut)
    assert loss.item() < 1e-6


def test_it_learns_classes_too() -> None:
    history = trained(halves(2), [0.5, 0.25, 0.125], replace(LEAN, classes=3), epochs=8).history
    assert history[-1].test_jaccard > 0.7


def test_the_history_has_the_networks_own_loss(disc_images: PreparedDataset) -> None:
    assert trained(disc_images, [1000.0]).history[0].train_loss < 2
