"""U-Net, without and with ResPaths: Ronneberger 2015 in 2-D, Çiçek 2016 in 3-D, as the authors configure them."""

from __future__ import annotations

from torch import nn

from multiresunet.nets.blocks import DoubleConv, ResPath, respath_length
from multiresunet.nets.layers import ConvBias, up
from multiresunet.nets.registry import NetworkSpec
from multiresunet.nets.ushape import Level, UShape
from multiresunet.registries import NETWORKS


@NETWORKS.register("unet", takes=(), of_volumes="unet_bn")
def unet(spec: NetworkSpec) -> UShape:
    """U-Net of the paper's comparison."""
    return _unet(spec, normalised=False, respath=0)


@NETWORKS.register("unet_bn", takes=())
def unet_bn(spec: NetworkSpec) -> UShape:
    """U-Net with batch normalisation in 2-D, too: what the normalisation alone does for MultiResUNet."""
    return _unet(spec, normalised=True, respath=0)


@NETWORKS.register("unet_respath", takes=("respath",), of_volumes="unet_bn_respath")
def unet_respath(spec: NetworkSpec) -> UShape:
    """U-Net whose skips are ResPaths, which add normalisation to its skips: the paper's ablation."""
    return _unet(spec, normalised=False, respath=spec.respath)


@NETWORKS.register("unet_bn_respath", takes=("respath",))
def unet_bn_respath(spec: NetworkSpec) -> UShape:
    """U-Net with batch normalisation and ResPaths: beside `unet_bn` it says what ResPaths alone do."""
    return _unet(spec, normalised=True, respath=spec.respath)


def _unet(spec: NetworkSpec, *, normalised: bool, respath: int) -> UShape:
    """2-D: five levels of U, 2U, … with two convolutions each (Ronneberger 2015, figure 1, with U = 32).

    3-D: four levels, whose second convolution doubles the first's filters, and transposed convolutions that keep
    their channels (Çiçek 2016, figure 2); always normalised.

    Args:
        spec: filters is U, of the first convolution (32 in the paper).
        normalised: batch normalisation in 2-D.
        respath: units of the finest ResPath (4, then 3, 2, 1 in the paper); 0 for plain skips.
    """
    dims, filters = spec.dims, spec.filters
    if dims == 3:
        down = [(filters * 2**k, filters * 2 ** (k + 1)) for k in range(4)]
        normalised = True
    else:
        down = [(filters * 2**k, filters * 2**k) for k in range(5)]
    *levels, deepest = down

    encoders: list[DoubleConv] = []
    channels = spec.in_channels
    for middle, outputs in levels:
        encoders.append(DoubleConv(dims, channels, middle, outputs, normalised))
        channels = outputs
    bottleneck = DoubleConv(dims, channels, *deepest, normalised)

    skips: list[nn.Module] = []
    ups: list[nn.Module] = []
    decoders: list[nn.Module] = []
    for level, (_, outputs) in enumerate(levels):
        length = respath_length(respath, level)
        skips.append(ResPath(dims, outputs, outputs, length) if respath else nn.Identity())
        below = down[level + 1][1]
        raised = below if dims == 3 else outputs
        ups.append(up(dims, below, raised))
        decoders.append(DoubleConv(dims, raised + outputs, outputs, outputs, normalised))
    head = ConvBias(dims, levels[0][1], spec.classes, 1, relu=False)
    return UShape(dims, list(map(Level, encoders, skips, ups, decoders)), bottleneck, head)
