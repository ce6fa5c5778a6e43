"""MultiResUNet (Ibtehaz & Rahman 2020, figure 5), and its ablation without ResPaths."""

from __future__ import annotations

from torch import nn

from multiresunet.nets.blocks import MultiResBlock, ResPath, respath_length
from multiresunet.nets.layers import ConvNorm, up
from multiresunet.nets.registry import NetworkSpec
from multiresunet.nets.ushape import Level, UShape
from multiresunet.paper import LEVELS
from multiresunet.registries import NETWORKS


@NETWORKS.register("unet_multires", takes=("alpha", "shares"))
def unet_multires(spec: NetworkSpec) -> UShape:
    """MultiRes blocks with plain skips: the other half of the ablation."""
    return _multiresunet(spec, respath=0)


@NETWORKS.register("multiresunet", takes=("alpha", "shares", "respath"))
def multiresunet(spec: NetworkSpec) -> UShape:
    """The paper's network: MultiRes blocks, and ResPaths as skips."""
    return _multiresunet(spec, respath=spec.respath)


def _multiresunet(spec: NetworkSpec, *, respath: int) -> UShape:
    """MultiRes blocks with U = filters, doubled at each level, and W = α·U.

    Args:
        spec: filters is U of the first level (32 in the paper), alpha is α (1.67).
        respath: units of the finest ResPath (4 in the paper, then 3, 2, 1); 0 for plain skips.
    """
    dims, filters, alpha, shares = spec.dims, spec.filters, spec.alpha, spec.shares
    assert alpha is not None  # `build_network` refuses it
    encoders: list[MultiResBlock] = []
    channels = spec.in_channels
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
    head = ConvNorm(dims, encoders[0].outputs, spec.classes, 1, relu=False)
    return UShape(dims, list(map(Level, encoders, skips, ups, decoders)), bottleneck, head)
