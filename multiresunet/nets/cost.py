"""What a network costs, counted, not timed: no two runs agree on times, and tables are equal bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


MULTIPLY_ADDS_PER_VALUE = 180
"""How many multiply-adds take as long as writing one value: fitted to the processor time of training steps of five
networks (benchmarks/work.py), in which normalisation and activations move much memory and compute little."""


@dataclass(frozen=True)
class Cost:
    """What one forward pass of one image takes.

    multiply_adds: of the convolutions. values: how many numbers the layers write.
    """

    multiply_adds: int
    values: int

    @property
    def work(self) -> int:
        """Multiply-adds, and the values in as many as take their time: an estimate of processor time."""
        return self.multiply_adds + MULTIPLY_ADDS_PER_VALUE * self.values


def cost(network: nn.Module, channels: int, size: tuple[int, ...]) -> Cost:
    """Count one forward pass of one image, channels×size.

    The multiply-adds are half of what torch's FlopCounterMode counts, whose import alone would take as long as
    predicting a small data set.
    """
    multiply_adds = values = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal multiply_adds, values
        values += output.numel()
        if isinstance(layer, CONVOLUTIONS):
            # Each weight is used once at each place of the smaller of the two grids that the layer goes between.
            grid = inputs[0] if isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d) else output
            weight: Any = layer.weight
            multiply_adds += weight.numel() * grid[0, 0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if not any(m.children())]
    try:
        network.eval()
        with torch.no_grad():
            network(torch.zeros(1, channels, *size, device=next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(multiply_adds, values)


def multiply_adds(network: nn.Module, channels: int, size: tuple[int, ...]) -> int:
    """Multiply-adds of the convolutions in one forward pass of one image, channels×size."""
    return cost(network, channels, size).multiply_adds
