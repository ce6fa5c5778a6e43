"""The shape that all networks share: down, across, up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multiresunet.nets.layers import pool


class Level(NamedTuple):
    """What one resolution has: its encoder, the skip across, the up-convolution from below, and its decoder."""

    encoder: nn.Module
    skip: nn.Module
    up: nn.Module
    decoder: nn.Module


class UShape(nn.Module):
    """Encoders with pooling between them, a bottleneck, and decoders that see the encoders through skips.

    Level 1 is the finest. The modules are named as in the authors' code: `encoder1`…, `respath1`…,
    `bottleneck`, `up4`… and `decoder4`…, where `up4` goes into `decoder4`.
    """

    def __init__(self, dims: int, levels: Sequence[Level], bottleneck: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.dims = dims
        self.levels = len(levels)
        self.pool = pool(dims)
        self.bottleneck = bottleneck
        self.head = head
        for name, modules in zip(("encoder", "respath", "up", "decoder"), zip(*levels, strict=True), strict=True):
            for level, module in enumerate(modules, start=1):
                self.add_module(f"{name}{level}", module)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×(D×)H×W to logits N×classes×(D×)H×W, for any size.

        Sides that can't be halved `levels` times are padded with their border's values, and the logits cropped.
        """
        return cropped(self.head(self.decoded(x)[0]), x.shape[2:])

    def decoded(self, x: Tensor) -> list[Tensor]:
        """What each decoder gives, the finest first, of the padded image: N×its channels×…."""
        x = padded(x, self.dims, 2**self.levels)
        across = []
        for level in range(1, self.levels + 1):
            x = self._at("encoder", level, x)
            across.append(self._at("respath", level, x))
            x = self.pool(x)
        x = self.bottleneck(x)
        found = []
        for level in range(self.levels, 0, -1):
            x = torch.cat([self._at("up", level, x), across[level - 1]], dim=1)
            x = self._at("decoder", level, x)
            found.append(x)
        return found[::-1]

    def _at(self, name: str, level: int, x: Tensor) -> Tensor:
        return cast(Tensor, getattr(self, f"{name}{level}")(x))


def padded(x: Tensor, dims: int, step: int) -> Tensor:
    """Repeat the border's values behind each axis of space until its side is a multiple of `step`.

    Raises:
        ValueError: if `x` isn't N×C and `dims` axes of space.
    """
    if x.dim() != dims + 2:
        raise ValueError(f"expected N×C and {dims} axes of space, got an array of shape {tuple(x.shape)}")
    missing = [-side % step for side in x.shape[2:]]
    if not any(missing):
        return x
    # F.pad counts axes from the last one.
    return F.pad(x, [n for extra in reversed(missing) for n in (0, extra)], mode="replicate")


def cropped(x: Tensor, size: Sequence[int]) -> Tensor:
    """Undo `padded`."""
    for axis, side in enumerate(size, start=2):
        x = x.narrow(axis, 0, side)
    return x
