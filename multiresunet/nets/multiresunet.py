"""MultiResUNet (Ibtehaz & Rahman 2020, figure 5), and its ablation without ResPaths."""

from __future__ import annotations

from torch import nn

from multiresunet.nets.blocks import SHARES, MultiResBlock, ResPath, Shares, respath_length
from multiresunet.nets.layers import ConvNorm, up
from multiresunet.nets.ushape import UShape

LEVELS = 4


def multiresunet(
    dims: int,
    in_channels: int,
    out_channels: int,
    filters: int,
    alpha: float,
    shares: Shares = SHARES,
    *,
    respath: int,
) -> UShape:
    """MultiRes blocks with U = `filters`, doubled at each level, and W = `alpha`·U.

    Args:
        dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: logits per pixel.
        filters: U of the first level (32 in the paper).
        alpha: the paper's α (1.67).
        shares: of W, for the three convolutions of a MultiRes block.
        respath: units of the finest ResPath (4 in the paper, then 3, 2, 1); 0 for plain skips.
    """
    encoders: list[MultiResBlock] = []
    channels = in_channels
    for level in range(LEVELS):
        encoders.append(MultiResBlock(dims, channels, filters * 2**level, alpha, shares))
        channels = encoders[-1].outputs
    bottleneck = MultiResBlock(dims, channels, filters * 2**LEVELS, alpha, shares)

    skips: list[nn.Module] = []
    ups: list[nn.Module] = []
    decoders: list[nn.Module] = []
    for level, encoder in enumerate(encoders):
        width = filters * 2**level
        length = respath_length(respath, level)
        skips.append(ResPath(dims, encoder.outputs, width, length) if respath else nn.Identity())
        across = width if respath else encoder.outputs
        # A decoder has the same width as the encoder of its level.
        below = encoders[level + 1].outputs if level + 1 < LEVELS else bottleneck.outputs
        ups.append(up(dims, below, width))
        decoders.append(MultiResBlock(dims, width + across, width, alpha, shares))
    # The authors normalise the output too, before the sigmoid.
    head = ConvNorm(dims, encoders[0].outputs, out_channels, 1, relu=False)
    return UShape(dims, encoders=encoders, skips=skips, bottleneck=bottleneck, ups=ups, decoders=decoders, head=head)
