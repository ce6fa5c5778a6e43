"""Cost is counted right."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from multiresunet.nets import NetworkSpec, build_network
from multiresunet.tuning.cost import cost_of


def test_the_papers_network_costs_what_is_known_of_it() -> None:
    """31.3 GFLOP at 256×256, that is, half as many multiply-adds; 7,262,750 parameters."""
    cost = cost_of(NetworkSpec("multiresunet", 2, 3), (256, 256))
    assert cost.multiply_adds == pytest.approx(31.3e9 / 2, rel=0.005)
    assert cost.parameters == 7_262_750


@pytest.mark.parametrize("spec", [NetworkSpec("unet_respath", 2, 1, 4), NetworkSpec("multiresunet", 3, 2, 4, 2.0)])
def test_pytorchs_counter_agrees_at_the_real_size(spec: NetworkSpec) -> None:
    size = (48, 32, 16)[: spec.dims]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        build_network(spec).eval()(torch.zeros(1, spec.in_channels, *size))
    assert cost_of(spec, size).multiply_adds == counter.get_total_flops() // 2


def test_a_convolution_by_hand() -> None:
    """One more input channel: 9 more weights for each of the first convolution's 2 filters, used at each pixel."""
    more, one = (cost_of(NetworkSpec("unet", 2, channels, 2), (32, 16)) for channels in (2, 1))
    assert more.multiply_adds - one.multiply_adds == 9 * 2 * 32 * 16
    assert more.parameters - one.parameters == 9 * 2
