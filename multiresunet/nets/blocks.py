"""The paper's two ideas: the MultiRes block and the ResPath (Ibtehaz & Rahman 2020, sections 4.1 and 4.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from multiresunet.nets.layers import ConvBias, ConvNorm, norm
from multiresunet.paper import SHARES, Shares, multires_widths


class MultiResBlock(nn.Module):
    """Three 3×3 convolutions in a row, all three outputs concatenated, and a 1×1 shortcut added."""

    def __init__(self, dims: int, inputs: int, filters: int, alpha: float, shares: Shares = SHARES) -> None:
        super().__init__()
        widths = multires_widths(filters, alpha, shares)
        self.outputs = sum(widths)
        self.shortcut = ConvNorm(dims, inputs, self.outputs, 1, relu=False)
        self.conv3x3 = ConvNorm(dims, inputs, widths[0], 3)
        self.conv5x5 = ConvNorm(dims, widths[0], widths[1], 3)
        self.conv7x7 = ConvNorm(dims, widths[1], widths[2], 3)
        self.concat_bn = norm(dims, self.outputs, scale=True)
        self.out_bn = norm(dims, self.outputs, scale=True)

    def forward(self, x: Tensor) -> Tensor:
        """N×inputs×… to N×outputs×…."""
        a = self.conv3x3(x)
        b = self.conv5x5(a)
        c = self.conv7x7(b)
        joined = self.concat_bn(torch.cat([a, b, c], dim=1))
        y: Tensor = self.out_bn(torch.relu(joined + self.shortcut(x)))
        return y


class ResPathUnit(nn.Module):
    """A 3×3 convolution with a 1×1 shortcut: ReLU of the sum, then normalised."""

    def __init__(self, dims: int, inputs: int, filters: int) -> None:
        super().__init__()
        self.shortcut = ConvNorm(dims, inputs, filters, 1, relu=False)
        self.conv = ConvNorm(dims, inputs, filters, 3)
        self.out_bn = norm(dims, filters, scale=True)

    def forward(self, x: Tensor) -> Tensor:
        """N×inputs×… to N×filters×…."""
        y: Tensor = self.out_bn(torch.relu(self.conv(x) + self.shortcut(x)))
        return y


class ResPath(nn.Sequential):
    """`length` units in a row on a skip connection; they count from 1."""

    def __init__(self, dims: int, inputs: int, filters: int, length: int) -> None:
        super().__init__()
        for unit in range(1, length + 1):
            self.add_module(str(unit), ResPathUnit(dims, inputs if unit == 1 else filters, filters))
        self.outputs = filters


def respath_length(finest: int, level: int) -> int:
    """Units of the ResPath at `level` (0 is the finest): one fewer at each level down, at least one."""
    return max(1, finest - level)


class DoubleConv(nn.Module):
    """U-Net's two 3×3 convolutions, each normalised if `normalised` (then its bias is kept, as in Çiçek 2016)."""

    def __init__(self, dims: int, inputs: int, middle: int, outputs: int, normalised: bool) -> None:
        super().__init__()

        def layer(i: int, o: int) -> nn.Module:
            return ConvNorm(dims, i, o, 3, bias=True) if normalised else ConvBias(dims, i, o, 3)

        self.conv1 = layer(inputs, middle)
        self.conv2 = layer(middle, outputs)
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        """N×inputs×… to N×outputs×…."""
        y: Tensor = self.conv2(self.conv1(x))
        return y
