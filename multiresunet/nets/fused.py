"""The same function with fewer passes over memory: a network for prediction alone.

In inference mode a normalisation is an affine map with fixed numbers. Behind a convolution it becomes part of the
convolution's kernel and bias; where it can't (behind a ReLU), it is one multiply-add in place. On the CPU, oneDNN
adds bias, shortcut and ReLU while a convolution's output is still in the cache.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from multiresunet.nets.blocks import MultiResBlock, ResPathUnit
from multiresunet.nets.layers import ConvBias, ConvNorm
from multiresunet.nets.ushape import UShape

Affine = tuple[Tensor, Tensor]
ONEDNN = torch.backends.mkldnn.is_available()
ONEDNN_BFLOAT16 = ONEDNN and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # needs AVX-512 or its like


def fused(network: nn.Module, device: torch.device) -> nn.Module:
    """`network` in inference mode, equal to it up to rounding but faster; later changes of its weights don't reach it.

    Under autocast on `device` weights and images are converted once, and not in every layer.
    A network from elsewhere comes back as it is, in inference mode.
    """
    network.eval()
    if not isinstance(network, UShape):
        return network
    mixed = torch.is_autocast_enabled(device.type)
    return _Fused(network, torch.get_autocast_dtype(device.type) if mixed else torch.float32)


class _Fused(nn.Module):
    """N×C×(D×)H×W to float32 logits N×classes×(D×)H×W."""

    def __init__(self, network: UShape, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        replaced = _replaced(network).requires_grad_(False)
        self.network = replaced if dtype == torch.float32 else replaced.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            y: Tensor = self.network(x.to(self.dtype)).float()
        return y


def _replaced(module: nn.Module) -> nn.Module:
    """The module made anew, with weights of its own; small networks notice that nothing else is copied."""
    match module:
        case MultiResBlock():
            return _MultiRes(module)
        case ResPathUnit():
            return _ResPathUnit(module)
        case ConvNorm() | ConvBias():
            return _Conv(module)
    children = dict(module.named_children())
    if not children:
        return copy.deepcopy(module)
    shell = copy.copy(module)
    assert not list(shell.parameters(recurse=False))
    shell._modules = {name: _replaced(child) for name, child in children.items()}
    return shell


class _Conv(nn.Module):
    """Convolution with bias, and what is done to each of its output's values."""

    def __init__(self, layer: ConvNorm | ConvBias, shift: Tensor | None = None) -> None:
        super().__init__()
        conv = layer.conv
        assert isinstance(conv, nn.Conv2d | nn.Conv3d)
        weight, bias = conv.weight, conv.bias
        if isinstance(layer, ConvNorm):
            bn = layer.bn
            assert isinstance(bn, nn.modules.batchnorm._BatchNorm)
            assert bn.running_mean is not None
            assert bn.running_var is not None
            weight, bias = fuse_conv_bn_weights(
                weight, bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
            )
        assert bias is not None
        layout = torch.channels_last if weight.dim() == 4 else torch.channels_last_3d
        self.weight = nn.Parameter(weight.detach().contiguous(memory_format=layout).clone())
        self.bias = nn.Parameter(bias.detach().clone() if shift is None else bias.detach() + shift)
        self.padding = [side // 2 for side in conv.kernel_size]
        self.relu = layer.relu

    def forward(self, x: Tensor, addend: Tensor | None = None) -> Tensor:
        """Convolve, add `addend`, and then apply ReLU (always if there is an addend)."""
        ones = [1] * (x.dim() - 2)
        y: Tensor
        if x.device.type == "cpu" and (ONEDNN_BFLOAT16 if x.dtype == torch.bfloat16 else ONEDNN):
            settings = self.padding, ones, ones, 1
            if addend is None:
                op = torch.ops.mkldnn._convolution_pointwise.default
                y = op(x, self.weight, self.bias, *settings, "relu" if self.relu else "none", [], "")
                return y
            # For volumes in bfloat16 oneDNN can't.
            if x.dim() == 4 or x.dtype == torch.float32:
                op = torch.ops.mkldnn._convolution_pointwise_.binary
                y = op(addend, x, self.weight, self.bias, *settings, "add", 1.0, "relu", [], "")
                return y
        y = torch.convolution(x, self.weight, self.bias, ones, self.padding, ones, False, [0] * len(ones), 1)
        if addend is not None:
            y += addend
        return y.relu_() if self.relu or addend is not None else y


def _affine(bn: nn.Module) -> Affine:
    """Scale and shift of a normalisation in inference mode, to be broadcast over N×C×…."""
    assert isinstance(bn, nn.modules.batchnorm._BatchNorm)
    assert bn.running_mean is not None
    assert bn.running_var is not None
    scale = bn.weight.detach() * torch.rsqrt(bn.running_var + bn.eps)
    shift = bn.bias.detach() - bn.running_mean * scale
    return scale, shift


class _MultiRes(nn.Module):
    def __init__(self, block: MultiResBlock) -> None:
        super().__init__()
        self.conv3x3, self.conv5x5, self.conv7x7 = _Conv(block.conv3x3), _Conv(block.conv5x5), _Conv(block.conv7x7)
        scale, shift = _affine(block.concat_bn)
        self.shortcut = _Conv(block.shortcut, shift)
        self.scale = nn.Parameter(_spread(scale, self.shortcut))
        self.out_bn = _Scale(block.out_bn, self.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        a = self.conv3x3(x)
        b = self.conv5x5(a)
        c = self.conv7x7(b)
        joined = torch.cat([a, b, c], dim=1).mul_(self.scale)
        y: Tensor = self.out_bn(self.shortcut(x, joined))
        return y


class _ResPathUnit(nn.Module):
    def __init__(self, unit: ResPathUnit) -> None:
        super().__init__()
        self.conv, self.shortcut = _Conv(unit.conv), _Conv(unit.shortcut)
        self.out_bn = _Scale(unit.out_bn, self.conv)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out_bn(self.shortcut(x, self.conv(x)))
        return y


class _Scale(nn.Module):
    """A normalisation that no convolution can take in: y·scale + shift, in place."""

    def __init__(self, bn: nn.Module, conv: _Conv) -> None:
        super().__init__()
        scale, shift = _affine(bn)
        self.scale, self.shift = nn.Parameter(_spread(scale, conv)), nn.Parameter(_spread(shift, conv))

    def forward(self, y: Tensor) -> Tensor:
        return torch.addcmul(self.shift, y, self.scale, out=y)


def _spread(values: Tensor, conv: _Conv) -> Tensor:
    return values.view(1, -1, *[1] * (conv.weight.dim() - 2))
