"""What a network costs in multiply-adds, counted, not timed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def multiply_adds(network: nn.Module, channels: int, size: tuple[int, ...]) -> int:
    """Multiply-adds of the convolutions in one forward pass of one image, channels×size.

    Half of what torch's FlopCounterMode counts, whose import alone would take as long as predicting a small data set.
    """
    total = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        # Each weight is used once at each place of the smaller of the two grids that the layer goes between.
        grid = inputs[0] if isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d) else output
        weight: Any = layer.weight
        total += weight.numel() * grid[0, 0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, CONVOLUTIONS)]
    try:
        network.eval()
        with torch.no_grad():
            network(torch.zeros(1, channels, *size, device=next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return total
