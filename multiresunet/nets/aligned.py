"""The same network with more channels, which are zero: what a GPU's matrix units can take.

They take channels by eights. The convolutions of a MultiRes block have 8, 17 and 26, and so can't use these units well.
A channel whose kernels, shift and statistics are zero stays zero: nothing reaches it, and no gradient does. So training
is that of the network itself, up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from multiresunet.nets.blocks import DoubleConv, MultiResBlock, ResPath, ResPathUnit
from multiresunet.nets.layers import ConvBias, ConvNorm
from multiresunet.nets.ushape import UShape


@dataclass(frozen=True)
class Layout:
    """Which channels of a tensor are the network's, of `width` that there are."""

    own: tuple[int, ...]
    width: int


@dataclass
class Alignment:
    """Where the network's numbers are among the zeros: for each tensor, and axis of it, the layout."""

    layouts: dict[str, dict[int, Layout]] = field(default_factory=dict)

    def own(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A state of the aligned network as that of the network itself."""
        found = dict(weights)
        for name, axes in self.layouts.items():
            for axis, layout in axes.items():
                found[name] = found[name].index_select(axis, torch.tensor(layout.own, device=found[name].device))
        return found


def align(network: UShape, channels: int, multiple: int) -> Alignment:
    """Put zeros between a network's channels, in place, so that all layers but the first and the last have multiples.

    Args:
        network: as `build_network` makes it.
        channels: of its images.
        multiple: of which the channels shall be.
    """
    aligner = _Aligner(network, multiple)
    x = _unchanged(channels)
    across = []
    for level in range(1, network.levels + 1):
        x = aligner.module(getattr(network, f"encoder{level}"), x)
        across.append(aligner.module(getattr(network, f"respath{level}"), x))
    x = aligner.module(network.bottleneck, x)
    for level in range(network.levels, 0, -1):
        x = aligner.module(getattr(network, f"up{level}"), x)
        x = aligner.module(getattr(network, f"decoder{level}"), _joined([x, across[level - 1]]))
    head = network.head
    assert isinstance(head, ConvNorm | ConvBias)
    aligner.layer(head, x, _unchanged(_outputs(head)))
    return aligner.found


class _Aligner:
    """Widens layers; what it gets is the layout of their input, what it gives is that of their output."""

    def __init__(self, network: nn.Module, multiple: int) -> None:
        self.found = Alignment()
        self._multiple = multiple
        self._names = {module: name for name, module in network.named_modules()}

    def module(self, module: nn.Module, x: Layout) -> Layout:
        match module:
            case MultiResBlock():
                a = self.layer(module.conv3x3, x)
                b = self.layer(module.conv5x5, a)
                c = self.layer(module.conv7x7, b)
                y = _joined([a, b, c])
                self.layer(module.shortcut, x, y)
                self._norm(module.concat_bn, y)
                self._norm(module.out_bn, y)
                return y
            case ResPath():
                for unit in module:
                    x = self.module(unit, x)
                return x
            case ResPathUnit():
                y = self.layer(module.conv, x)
                self.layer(module.shortcut, x, y)
                self._norm(module.out_bn, y)
                return y
            case DoubleConv():
                return self.module(module.conv2, self.module(module.conv1, x))
            case ConvNorm() | ConvBias():
                return self.layer(module, x)
            case nn.ConvTranspose2d() | nn.ConvTranspose3d():
                y = self._wide(module.out_channels)
                self._convolution(module, x, y)
                return y
            case nn.Identity():
                return x
        raise TypeError(f"{type(module).__name__}: not one of this package's layers")

    def layer(self, layer: ConvNorm | ConvBias, x: Layout, y: Layout | None = None) -> Layout:
        """Widen a convolution and its normalisation; `y`: the output's layout, if others say it."""
        y = y or self._wide(_outputs(layer))
        conv = layer.conv
        assert isinstance(conv, nn.Conv2d | nn.Conv3d)
        self._convolution(conv, x, y)
        if isinstance(layer, ConvNorm):
            self._norm(layer.bn, y)
        return y

    def _wide(self, channels: int) -> Layout:
        return Layout(tuple(range(channels)), -(-channels // self._multiple) * self._multiple)

    def _convolution(self, conv: nn.modules.conv._ConvNd, x: Layout, y: Layout) -> None:
        axes = {0: x, 1: y} if conv.transposed else {0: y, 1: x}
        self._widen(conv, "weight", axes)
        self._widen(conv, "bias", {0: y})
        conv.in_channels, conv.out_channels = x.width, y.width

    def _norm(self, bn: nn.Module, y: Layout) -> None:
        assert isinstance(bn, _BatchNorm)
        for name in ("weight", "bias", "running_mean", "running_var"):
            self._widen(bn, name, {0: y})
        bn.num_features = y.width

    def _widen(self, module: nn.Module, name: str, axes: dict[int, Layout]) -> None:
        axes = {axis: layout for axis, layout in axes.items() if len(layout.own) < layout.width}
        values = getattr(module, name)
        if values is None or not axes:
            return
        wide = values.detach()
        for axis, layout in axes.items():
            shape = [*wide.shape[:axis], layout.width, *wide.shape[axis + 1 :]]
            wide = wide.new_zeros(shape).index_copy(axis, torch.tensor(layout.own, device=wide.device), wide)
        parameter = isinstance(values, nn.Parameter)
        setattr(module, name, nn.Parameter(wide, requires_grad=values.requires_grad) if parameter else wide)
        self.found.layouts[f"{self._names[module]}.{name}"] = axes


def _outputs(layer: ConvNorm | ConvBias) -> int:
    conv = layer.conv
    assert isinstance(conv, nn.Conv2d | nn.Conv3d)
    return conv.out_channels


def _unchanged(channels: int) -> Layout:
    return Layout(tuple(range(channels)), channels)


def _joined(layouts: Sequence[Layout]) -> Layout:
    """That of tensors put one behind the other."""
    own, width = list[int](), 0
    for layout in layouts:
        own += [width + channel for channel in layout.own]
        width += layout.width
    return Layout(tuple(own), width)
