"""MultiResUNet (Ibtehaz & Rahman 2020, figure 5), and its ablation without ResPaths."""

from __future__ import annotations

from torch import nn

from multiresunet.nets.blocks import MultiResBlock, ResPath
from multiresunet.nets.layers import ConvNorm, up
from multiresunet.nets.ushape import UShape

LEVELS = 4


def multiresunet(
    dims: int, in_channels: int, out_channels: int, filters: int, alpha: float, *, respath: bool
) -> UShape:
    """MultiRes blocks with U = `filters`, doubled at each level, and W = `alpha`·U.

    Args:
        dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: logits per pixel.
        filters: U of the first level (32 in the paper).
        alpha: the paper's α (1.67).
        respath: ResPaths of 4, 3, 2, 1 units; plain skips otherwise.
    """
    encoders: list[MultiResBlock] = []
    channels = in_channels
    for level in range(LEVELS):
        encoders.append(MultiResBlock(dims, channels, filters * 2**level, alpha))
        channels = encoders[-1].outputs
    bottleneck = MultiResBlock(dims, channels, filters * 2**LEVELS, alpha)

    skips: list[nn.Module] = []
    ups: list[nn.Module] = []
    decoders: list[nn.Module] = []
    for level, encoder in enumerate(encoders):
        width = filters * 2**level
        skips.append(ResPath(dims, encoder.outputs, width, LEVELS - level) if respath else nn.Identity())
        across = width if respath else encoder.outputs
        # A decoder has the same width as the encoder of its level.
        below = encoders[level + 1].outputs if level + 1 < LEVELS else bottleneck.outputs
        ups.append(up(dims, below, width))
        decoders.append(MultiResBlock(dims, width + across, width, alpha))
    # The authors normalise the output too, before the sigmoid.
    head = ConvNorm(dims, encoders[0].outputs, out_channels, 1, relu=False)
    return UShape(dims, encoders=encoders, skips=skips, bottleneck=bottleneck, ups=ups, decoders=decoders, head=head)
