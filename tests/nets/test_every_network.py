"""What every network must do, our own and those from elsewhere, on images and on volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from multiresunet.errors import UserError
from multiresunet.nets import External, NetworkSpec, build_network
from multiresunet.nets.fused import fused
from multiresunet.registries import NETWORKS
from multiresunet.training import checkpoint

ATTENTION = {
    "spatial_dims": "$dims",
    "in_channels": "$channels",
    "out_channels": "$classes",
    "channels": [4, 8, 8],
    "strides": [2, 2],
}
SPECS = [
    *(NetworkSpec(name, dims, 1, filters=4, alpha=1.67) for name in NETWORKS for dims in (2, 3)),
    *(NetworkSpec("monai.networks.nets.AttentionUnet", dims, 1, arguments=ATTENTION) for dims in (2, 3)),
]


def of_networks(few: Callable[[NetworkSpec], bool] = lambda _: True) -> pytest.MarkDecorator:
    """A test for each network; slow but for a few."""
    cases = [pytest.param(spec, marks=[] if few(spec) else pytest.mark.slow) for spec in SPECS]
    return pytest.mark.parametrize("spec", cases, ids=[f"{spec.name}-{spec.dims}d" for spec in SPECS])


every_network = of_networks()


def drawn(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@every_network
@pytest.mark.parametrize(("channels", "classes"), [(1, 1), (2, 3), (3, 1), (4, 4), (5, 1)])
def test_logits_have_the_shape_of_the_image(spec: NetworkSpec, channels: int, classes: int) -> None:
    network = build_network(replace(spec, in_channels=channels, classes=classes)).eval()
    space = [16] * spec.dims
    with torch.no_grad():
        assert network(drawn(2, channels, *space)).shape == (2, classes, *space)


@every_network
def test_odd_sizes_agree_with_padding_by_hand(spec: NetworkSpec) -> None:
    network = build_network(spec).eval()
    step = 2**network.levels if hasattr(network, "levels") else 16
    size = (19, 33, 17)[: spec.dims]
    image = drawn(1, 1, *size)
    padded = image
    for axis, side in enumerate(size, start=2):
        last = padded.narrow(axis, side - 1, 1)
        padded = torch.cat([padded, *[last] * (-side % step)], dim=axis)
    with torch.no_grad():
        logits = network(image)
        expected = network(padded)[(..., *(slice(side) for side in size))]
    assert logits.shape == image.shape
    torch.testing.assert_close(logits, expected)


@every_network
def test_every_parameter_gets_a_gradient(spec: NetworkSpec) -> None:
    network = build_network(spec, torch.Generator().manual_seed(4))
    logits = network(drawn(2, 1, *[32, 16, 16][: spec.dims]))
    (logits * drawn(*logits.shape)).sum().backward()
    without = [n for n, p in network.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    # A bias in front of a normalisation has none by construction, and in float32 the rest is rounding.
    assert not without


@of_networks(lambda spec: spec.dims == 2 or not spec.name.startswith("unet") or spec.name == "unet_multires")
def test_the_gradient_is_the_slope(spec: NetworkSpec) -> None:
    """In float64, along a random direction in which every parameter changes."""
    generator = torch.Generator().manual_seed(4)
    network = build_network(spec, generator).double()
    weights = {name: p for name, p in network.named_parameters() if p.requires_grad}
    direction = {name: torch.randn(p.shape, generator=generator, dtype=p.dtype) * 0.01 for name, p in weights.items()}
    image = drawn(2, 1, *[32, 16, 16][: spec.dims]).double()

    def loss(way: Tensor) -> Tensor:
        moved = {name: p.detach() + way * direction[name] for name, p in weights.items()}
        return functional_call(network, moved, (image,)).square().mean()

    assert torch.autograd.gradcheck(loss, torch.zeros((), dtype=torch.float64, requires_grad=True), atol=1e-7)


@every_network
def test_the_seed_decides_the_weights_and_nothing_else_does(spec: NetworkSpec) -> None:
    def made(seed: int) -> dict[str, Tensor]:
        torch.rand(seed)
        return build_network(spec, torch.Generator().manual_seed(seed)).state_dict()

    one, same, other = made(1), made(1), made(2)
    assert all(torch.equal(one[key], same[key]) for key in one)
    kernels = [key for key in one if one[key].dim() > 2 and one[key].numel() > 1]
    assert kernels
    assert not any(torch.equal(one[key], other[key]) for key in kernels)


@every_network
def test_a_network_survives_saving(spec: NetworkSpec, tmp_path: Path) -> None:
    network = build_network(spec, torch.Generator().manual_seed(3)).eval()
    checkpoint.save(tmp_path / "w.safetensors", spec, network.state_dict())
    again = checkpoint.load(tmp_path / "w.safetensors").eval()
    image = drawn(1, 1, *[16] * spec.dims)
    with torch.no_grad():
        assert torch.equal(network(image), again(image))


@every_network
def test_the_same_steps_give_the_same_weights(spec: NetworkSpec) -> None:
    def after_two_steps() -> dict[str, Tensor]:
        network = build_network(spec).train()
        optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad])
        for _ in range(2):
            optimiser.zero_grad()
            network(drawn(2, 1, *[32, 16, 16][: spec.dims])).square().mean().backward()
            optimiser.step()
        return network.state_dict()

    one, two = after_two_steps(), after_two_steps()
    assert all(torch.equal(one[key], two[key]) for key in one)


@of_networks(lambda spec: spec.dims == 2 and spec.name in ("unet", "multiresunet", "monai.networks.nets.AttentionUnet"))
def test_it_can_be_exported(spec: NetworkSpec) -> None:
    network = build_network(spec).eval()
    images = {count: drawn(count, 1, *[16] * spec.dims) for count in (2, 3)}
    any_number = ({0: torch.export.Dim("images")},)
    exported = torch.export.export(network, (images[2],), dynamic_shapes=any_number).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(images[3]), network(images[3]))


@every_network
def test_prediction_is_the_same_function(spec: NetworkSpec) -> None:
    network = build_network(spec)
    image = drawn(2, 1, *[32] * spec.dims)
    with torch.no_grad():
        network.train()(image)
        expected, found = network.eval()(image), fused(network, torch.device("cpu"))(image)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


class Halved(nn.Module):
    """Gives logits of half the size."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 1, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


def test_a_network_of_another_size_is_refused() -> None:
    network = build_network(NetworkSpec(f"{__name__}.Halved", 2, 3, arguments={"inputs": "$channels"}))
    assert isinstance(network, External)
    with pytest.raises(UserError, match=r"Halved: gives \[1, 1, 8, 8\] where logits \[1, 1, 16, 16\] are wanted"):
        network(drawn(1, 3, 16, 16))


def test_a_network_that_fails_on_an_image_is_one_line() -> None:
    deep = ATTENTION | {"channels": [4] * 7, "strides": [2] * 6}
    network = build_network(NetworkSpec("monai.networks.nets.AttentionUnet", 2, 1, arguments=deep))
    with pytest.raises(UserError, match=r"AttentionUnet: fails on images \[1, 1, 16, 16\]: .*; fix its arguments"):
        network(drawn(1, 1, 16, 16))


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("torch.nn.Identity", {}, "torch.nn.Identity: has no weights, so it can't learn"),
        ("monai.networks.nets.Attention", ATTENTION, "monai.networks.nets.Attention: can't be imported"),
        ("nowhere.Net", {}, "nowhere.Net: can't be imported"),
        ("subprocess.Popen", {"args": "true"}, "subprocess.Popen: is no torch.nn.Module"),
        ("monai.networks.nets.AttentionUnet", ATTENTION | {"depth": 3}, "arguments.depth is unknown; allowed: spatial"),
        ("monai.networks.nets.AttentionUnet", {"spatial_dims": 2}, "arguments.in_channels is missing; add it"),
        ("monai.networks.nets.AttentionUnet", ATTENTION | {"strides": ["$depth"]}, "$depth is unknown; allowed: $dims"),
        ("torch.nn.Conv2d", {"in_channels": 0, "out_channels": 1, "kernel_size": "x"}, "arguments: "),
    ],
)
def test_impossible_networks_from_elsewhere_are_refused(name: str, arguments: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=r"^network ") as raised:
        build_network(NetworkSpec(name, 2, 1, arguments=arguments))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
