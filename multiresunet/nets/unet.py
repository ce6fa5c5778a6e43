"""U-Net, without and with ResPaths: Ronneberger 2015 in 2-D, Çiçek 2016 in 3-D, as the authors configure them."""

from __future__ import annotations

from torch import nn

from multiresunet.nets.blocks import DoubleConv, ResPath, respath_length
from multiresunet.nets.layers import ConvBias, up
from multiresunet.nets.ushape import UShape


def unet(dims: int, in_channels: int, out_channels: int, filters: int, *, normalised: bool, respath: int) -> UShape:
    """U-Net of the paper's comparison.

    2-D: five levels of `filters`, 2·`filters`, … with two convolutions each; no normalisation in the paper.
    3-D: four levels, whose second convolution doubles the first's filters; transposed convolutions keep their
    channels; always normalised.

    Args:
        dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: logits per pixel.
        filters: of the first convolution (32 in the paper).
        normalised: batch normalisation in 2-D.
        respath: units of the finest ResPath (4, then 3, 2, 1: the paper's ablation); 0 for plain skips.
    """
    if dims == 3:
        down = [(filters * 2**k, filters * 2 ** (k + 1)) for k in range(4)]
        normalised = True
    else:
        down = [(filters * 2**k, filters * 2**k) for k in range(5)]
    *levels, deepest = down

    encoders: list[DoubleConv] = []
    channels = in_channels
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
    head = ConvBias(dims, levels[0][1], out_channels, 1, relu=False)
    return UShape(dims, encoders=encoders, skips=skips, bottleneck=bottleneck, ups=ups, decoders=decoders, head=head)
