"""What PyTorch's CPU library, oneDNN, gets wrong (2.13), and how to be without it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class SafeConv3d(nn.Conv3d):
    """A convolution of volumes on the CPU that is right in bfloat16, too.

    Where the depth is less than the kernel's, and not 1, the kernel's gradient in bfloat16 holds memory that nothing
    has written: other numbers each time, and sometimes no numbers. So such a layer computes in float32.
    """

    def forward(self, input: Tensor) -> Tensor:
        """N×inputs×D×H×W to N×outputs×…."""
        if not 1 < input.shape[2] < self.kernel_size[0] or not torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


def made_safe(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with its convolutions of volumes replaced, on the CPU; parameters and their names stay."""
    for module in network.modules():
        if device.type == "cpu" and type(module) is nn.Conv3d:
            cast(nn.Module, module).__class__ = SafeConv3d
    return network
