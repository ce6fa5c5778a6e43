"""Multiply-adds: torch's own counter agrees."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from multiresunet.nets import NetworkSpec, build_network, cost


@pytest.mark.parametrize("name", ["unet", "multiresunet"])
@pytest.mark.parametrize("size", [(32, 48), (16, 16, 32)])
def test_torch_counts_twice_as_many_operations(name: str, size: tuple[int, ...]) -> None:
    network = build_network(NetworkSpec(name, len(size), 2, filters=6)).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 2, *size))
    assert cost.multiply_adds(network, 2, size) * 2 == counter.get_total_flops()
    assert not any(module._forward_hooks for module in network.modules())
