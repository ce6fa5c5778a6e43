"""A fused network is the same function."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from multiresunet.nets import NetworkSpec, UShape, build_network
from multiresunet.nets.fused import fused
from multiresunet.registries import NETWORKS

CPU = torch.device("cpu")


def lived_in(name: str, dims: int) -> tuple[UShape, Tensor]:
    """A network in whose normalisations every number matters, and an image of odd size."""
    generator = torch.Generator().manual_seed(5)
    network = build_network(NetworkSpec(name, dims, 2, filters=6, classes=2), generator)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.3, 2.0),
            ):
                if tensor is not module.weight or tensor.requires_grad:
                    nn.init.uniform_(tensor, low, high, generator=generator)
    size = (37, 50) if dims == 2 else (18, 32, 21)
    image = torch.rand(2, 2, *size, generator=generator)
    return network.eval(), image.to(memory_format=torch.channels_last if dims == 2 else torch.channels_last_3d)


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("onednn", [True, False])
def test_logits_agree(name: str, dims: int, onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiresunet.nets.fused.ONEDNN", onednn)
    network, image = lived_in(name, dims)
    with torch.no_grad():
        expected, found = network(image), fused(network, CPU)(image)
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        *((name, 2) for name in NETWORKS),
        *(pytest.param(name, 3, marks=pytest.mark.slow) for name in NETWORKS),
    ],
)
def test_in_bfloat16_logits_agree_to_its_three_digits(name: str, dims: int) -> None:
    network, image = lived_in(name, dims)
    with torch.no_grad():
        expected = network(image)
        with torch.autocast("cpu", torch.bfloat16):
            found, again = fused(network, CPU)(image), network(image)
    assert found.dtype == torch.float32
    assert (found - expected).abs().mean() < 0.03 * expected.abs().mean()
    assert (found - expected).abs().mean() < 2 * (again - expected).abs().mean()  # no worse than layer by layer


def test_the_network_itself_stays_as_it_is() -> None:
    network, image = lived_in("multiresunet", 2)
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learnt = [parameter.requires_grad for parameter in network.parameters()]
    other = fused(network, CPU)
    with torch.no_grad():
        other(image)
    assert not network.training
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [parameter.requires_grad for parameter in network.parameters()] == learnt


def test_a_network_from_elsewhere_is_left_alone() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    assert fused(network, CPU) is network
    assert not network.training
