"""What is particular about our own networks."""

from __future__ import annotations

import pytest
import torch

from multiresunet.errors import UserError
from multiresunet.nets import NetworkSpec, build_network, keras_parameters, set_normalisation_momentum
from multiresunet.nets.layers import pooled_in_planes
from multiresunet.paper import multires_widths
from multiresunet.registries import NETWORKS


def small(name: str, dims: int, channels: int = 1) -> NetworkSpec:
    return NetworkSpec(name, dims, channels, filters=4, alpha=1.67)


def test_a_networks_words_say_what_it_is_and_nothing_else() -> None:
    words = {NetworkSpec(name, 2, 1, filters=4, alpha=2.0, respath=3).in_words for name in NETWORKS}
    assert len(words) == len(list(NETWORKS))
    assert NetworkSpec("unet", 2, 1, alpha=1.0).in_words == NetworkSpec("unet", 2, 1, alpha=2.0).in_words
    assert small("multiresunet", 2).in_words != NetworkSpec("multiresunet", 2, 1, filters=4, alpha=1.68).in_words


@pytest.mark.parametrize(("plain", "normalised"), [("unet", "unet_bn"), ("unet_respath", "unet_bn_respath")])
def test_of_volumes_a_u_net_is_always_normalised(plain: str, normalised: str) -> None:
    one, other = (build_network(small(name, 3)).state_dict() for name in (plain, normalised))
    assert all(torch.equal(one[key], other[key]) for key in one.keys() | other.keys())
    assert small(plain, 3).in_words == small(normalised, 3).in_words
    assert small(plain, 2).in_words != small(normalised, 2).in_words
    assert build_network(small(plain, 2)).state_dict().keys() != build_network(small(normalised, 2)).state_dict().keys()


def test_kernels_are_glorot_uniform() -> None:
    kernel = build_network(NetworkSpec("unet", 2, 1)).get_parameter("encoder2.conv2.conv.weight")
    limit = (6 / (64 * 9 + 64 * 9)) ** 0.5
    assert kernel.abs().max() <= limit
    assert kernel.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)


def test_the_fair_control_differs_from_the_unet_by_normalisation_alone() -> None:
    plain, control = build_network(NetworkSpec("unet", 2, 1)), build_network(NetworkSpec("unet_bn", 2, 1))
    channels = [filters for level in (32, 64, 128, 256) for filters in [level] * 4] + [512] * 2
    assert keras_parameters(control) - keras_parameters(plain) == 3 * sum(channels)


def test_the_ablations_lie_between() -> None:
    """Counted by hand: ResPaths on plain skips, and MultiRes blocks whose skips have no ResPath."""
    unet, respath, multires, both = (
        {name for name, _ in build_network(small(name, 2)).named_modules()}
        for name in ("unet", "unet_respath", "unet_multires", "multiresunet")
    )
    for level, length in enumerate((4, 3, 2, 1), start=1):
        units = {f"respath{level}.{unit}" for unit in range(1, length + 1)}
        assert units <= respath
        assert units <= both
        assert f"respath{level}.{length + 1}" not in both
        assert not units & (unet | multires)
    assert "encoder1.conv7x7" in multires
    assert "encoder1.conv7x7" not in respath


def test_widths_are_the_papers() -> None:
    assert [sum(multires_widths(32 * 2**k, 1.67)) for k in range(5)] == [51, 105, 212, 426, 853]


def test_shares_divide_the_filters_of_every_block() -> None:
    network = build_network(NetworkSpec("multiresunet", 2, 1, filters=8, alpha=2.0, shares=(0.25, 0.25, 0.4)))
    assert [network.get_parameter(f"decoder1.conv{k}.conv.weight").shape[0] for k in ("3x3", "5x5", "7x7")] == [4, 4, 6]
    assert network.get_parameter("bottleneck.conv7x7.conv.weight").shape[0] == int(0.4 * 2 * 8 * 16)


@pytest.mark.parametrize(("finest", "lengths"), [(1, [1, 1, 1, 1]), (2, [2, 1, 1, 1]), (6, [6, 5, 4, 3])])
def test_respaths_begin_with_the_length_asked_for(finest: int, lengths: list[int]) -> None:
    for name in ("multiresunet", "unet_respath", "unet_bn_respath"):
        network = build_network(NetworkSpec(name, 2, 1, filters=6, respath=finest))
        assert [len(network.get_submodule(f"respath{level}")._modules) for level in (1, 2, 3, 4)] == lengths


def momenta(network: torch.nn.Module) -> set[object]:
    return {module.momentum for module in network.modules() if hasattr(module, "momentum")}


def test_momentum_reaches_every_normalisation() -> None:
    network = build_network(small("multiresunet", 2))
    assert momenta(network) == {0.01}
    set_normalisation_momentum(network, 0.1)
    assert momenta(network) == {0.1}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            NetworkSpec("wnet", 2, 1),
            "'wnet' is unknown (did you mean unet?); there is unet, unet_bn, unet_respath, unet_bn_respath",
        ),
        (NetworkSpec("unet", 4, 1), "dims = 4: must be 2 or 3"),
        (NetworkSpec("unet", 2, 0), "must be positive"),
        (NetworkSpec("multiresunet", 2, 1, respath=0), "respath must be positive"),
        (NetworkSpec("multiresunet", 2, 1, shares=(0.3, 0.3, 0.5)), "shares = (0.3, 0.3, 0.5): must be positive"),
        (NetworkSpec("multiresunet", 2, 1, shares=(0.0, 0.3, 0.5)), "shares = (0.0, 0.3, 0.5): must be positive"),
        (NetworkSpec("multiresunet", 2, 1, alpha=0.0), "alpha = 0.0: must be a positive number"),
        (
            NetworkSpec("multiresunet", 2, 1, filters=4, alpha=1.0),
            "a convolution without filters; raise filters",
        ),
    ],
)
def test_impossible_networks_are_refused(spec: NetworkSpec, says: str) -> None:
    with pytest.raises(UserError, match=r"^network ") as raised:
        build_network(spec)
    assert says in str(raised.value)


def test_pooling_in_planes_is_pooling() -> None:
    # Of whole numbers many are equal: which of them gets the gradient is what training's bytes depend on.
    generator = torch.Generator().manual_seed(1)
    volumes = torch.randint(0, 3, (2, 3, 4, 6, 8), generator=generator).float().requires_grad_()
    weights = torch.rand((2, 3, 2, 3, 4), generator=generator)
    gradients = []
    for pooled in (pooled_in_planes(volumes), torch.nn.functional.max_pool3d(volumes, 2)):
        gradients.append(torch.autograd.grad((pooled * weights).sum(), volumes)[0])
        assert pooled.shape == weights.shape
    torch.testing.assert_close(*gradients, rtol=0, atol=0)
    torch.testing.assert_close(pooled_in_planes(volumes), pooled, rtol=0, atol=0)


def test_an_image_of_the_wrong_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="expected N×C and 2 axes of space"):
        build_network(small("unet", 2))(torch.rand(1, 1, 16, 16, 16))
