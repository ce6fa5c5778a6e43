"""A network with zeros between its channels is the same function, and stays it while it is trained."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from multiresunet.nets import NetworkSpec, UShape, build_network
from multiresunet.nets.aligned import Alignment, align
from multiresunet.nets.fused import fused
from multiresunet.registries import NETWORKS
from multiresunet.training import trainer
from multiresunet.training.fit import fit
from multiresunet.training.optimisers import optimiser_of
from multiresunet.training.trainer import Trainer
from tests.discs import discs
from tests.nets.test_fused import lived_in
from tests.training.making import RECIPE, job_of

CONVOLUTIONS = nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("dims", [2, 3])
def test_it_is_the_same_function(name: str, dims: int) -> None:
    network, image = lived_in(name, dims)
    before = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        wanted = network(image)
        alignment = align(network, 2, 8)
        torch.testing.assert_close(network(image), wanted, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(fused(network, torch.device("cpu"))(image), wanted, rtol=1e-4, atol=1e-4)
    after = alignment.own(network.state_dict())
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize("name", ["multiresunet", "unet_bn_respath"])
def test_all_layers_but_the_first_and_the_last_have_multiples(name: str) -> None:
    network = build_network(NetworkSpec(name, 2, 3, filters=6))
    assert isinstance(network, UShape)
    align(network, 3, 4)
    channels = [(m.in_channels, m.out_channels) for m in network.modules() if isinstance(m, CONVOLUTIONS)]
    assert {inputs for inputs, _ in channels if inputs % 4} == {3}
    assert {outputs for _, outputs in channels if outputs % 4} == {1}
    shapes = [m.weight.shape[:2] for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [(m.out_channels, m.in_channels) for m in network.modules() if isinstance(m, nn.Conv2d)]


def zeros_of(network: nn.Module, alignment: Alignment) -> Tensor:
    """What is between the network's own numbers."""
    state, found = network.state_dict(), []
    for name, axes in alignment.layouts.items():
        for axis, layout in axes.items():
            between = sorted(set(range(layout.width)) - set(layout.own))
            found.append(state[name].index_select(axis, torch.tensor(between)).flatten())
    return torch.cat(found)


def test_a_module_that_it_does_not_know_is_refused() -> None:
    network = build_network(NetworkSpec("unet", 2, 1, filters=4))
    assert isinstance(network, UShape)
    network.bottleneck = nn.Sequential()
    with pytest.raises(TypeError, match="Sequential"):
        align(network, 1, 4)


@pytest.mark.parametrize("weight_decay", [None, 0.1])
def test_it_learns_the_same(weight_decay: float | None) -> None:
    settings = RECIPE.optimiser
    if weight_decay is not None:
        settings = settings.model_copy(update={"name": "adamw", "weight_decay": weight_decay})
    spec = NetworkSpec("multiresunet", 2, 1, filters=4)
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(2, 1, 32, 32, generator=generator, dtype=torch.float64)
    labels = (images > 0.5).double()

    def learnt(*, wide: bool) -> tuple[dict[str, Tensor], Alignment, nn.Module]:
        network = build_network(spec, torch.Generator().manual_seed(1)).double()  # so that rounding counts for nothing
        assert isinstance(network, UShape)
        alignment = align(network, 1, 8) if wide else Alignment()
        optimiser = optimiser_of(network, settings)
        for _ in range(4):
            optimiser.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(images), labels).backward()
            optimiser.step()
        return alignment.own(network.state_dict()), alignment, network

    (one, *_), (other, alignment, network) = learnt(wide=False), learnt(wide=True)
    for name, values in one.items():
        torch.testing.assert_close(other[name], values, rtol=1e-6, atol=1e-8)
    between = zeros_of(network, alignment)
    assert len(between) > 1000
    assert not between.any()


@pytest.mark.parametrize("ema", [None, 0.9])
def test_a_training_ends_with_the_networks_own_weights(ema: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of(discs(9, (32, 32), 1, 3), recipe=RECIPE.model_copy(update={"ema": ema}), epochs=2)
    as_it_is = fit(job)
    monkeypatch.setattr(trainer, "ALIGNED", ("cpu",))
    wide = Trainer(job)
    for _ in range(2):
        list(wide.steps())
        wide.end_epoch()
    assert not zeros_of(wide.validated, wide.alignment).any()
    for one, other in ((as_it_is.last, wide.result.last), (as_it_is.best, wide.result.best)):
        assert {name: values.shape for name, values in one.items()} == {n: values.shape for n, values in other.items()}
    for before, after in zip(as_it_is.history, wide.result.history, strict=True):
        assert before.train_loss == pytest.approx(after.train_loss, abs=0.01)  # rounding has grown


def test_a_wide_training_is_resumed_at_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "ALIGNED", ("cpu",))
    job = job_of(discs(9, (32, 32), 1, 3), epochs=2)
    whole = fit(job)
    first, second = Trainer(job), Trainer(job)
    list(first.steps())
    first.end_epoch()
    second.resume(copy.deepcopy(first.state()))
    list(second.steps())
    second.end_epoch()
    assert second.result.history == whole.history
    assert all(torch.equal(second.result.last[name], values) for name, values in whole.last.items())


def test_heads_of_deep_supervision_need_the_network_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "ALIGNED", ("cpu",))
    spec = NetworkSpec("multiresunet", 2, 1, filters=4)
    deep = RECIPE.model_validate(RECIPE.model_dump() | {"deep_supervision": {"weights": [0.5]}})
    network = build_network(spec)
    assert not trainer.aligned(network, spec, deep, torch.device("cpu")).layouts
    assert trainer.aligned(network, spec, RECIPE, torch.device("cpu")).layouts
