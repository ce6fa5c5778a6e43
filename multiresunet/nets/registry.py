"""Networks by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import nn

from multiresunet.errors import UserError
from multiresunet.nets.blocks import LENGTH, SHARES, Shares
from multiresunet.nets.external import External, seed_of
from multiresunet.nets.layers import initialise
from multiresunet.nets.multiresunet import multiresunet
from multiresunet.nets.unet import unet

NAMES = ("unet", "unet_bn", "unet_respath", "unet_multires", "multiresunet")


@dataclass(frozen=True)
class NetworkSpec:
    """All that is needed to build a network: what a checkpoint carries beside the weights.

    `alpha` and `shares` are ignored by the networks without MultiRes blocks, `respath` (units of the finest ResPath)
    by those without ResPaths; `dims` is 2 or 3; `classes` is the number of logits per pixel: one stands for foreground
    or not (sigmoid), more for that many classes, background included (softmax).
    A name with a dot is the import path of a network from elsewhere, and `arguments` are its (see `External`); of the
    other numbers it takes none.
    """

    name: str
    dims: int
    in_channels: int
    filters: int = 32
    alpha: float | None = 1.67
    classes: int = 1
    shares: Shares = SHARES
    respath: int = LENGTH
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", tuple(self.shares))  # JSON has lists only

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)

    def resized(self, filters: int, alpha: float | None, shares: Shares, respath: int) -> NetworkSpec:
        """The same network with other numbers, as tuning finds them."""
        return replace(self, filters=filters, alpha=alpha, shares=shares, respath=respath)


def build(spec: NetworkSpec, generator: torch.Generator | None = None) -> nn.Module:
    """Build a network, a `UShape` or an `External`; its forward returns logits.

    Args:
        spec: name and numbers.
        generator: source of the initial weights (Glorot-uniform in our own networks); seeded with 0 if absent.

    Raises:
        UserError: for an unknown name, other than two or three dimensions, or impossible numbers.
    """
    if spec.dims not in (2, 3):
        raise UserError(f"network dims = {spec.dims}: must be 2 or 3")
    numbers = (spec.dims, spec.in_channels, spec.classes, spec.filters)
    if min(*numbers, spec.respath) < 1:
        raise UserError(f"network {spec.name}: channels, filters and respath must be positive")
    generator = generator or torch.Generator().manual_seed(0)
    if "." in spec.name:
        shape = spec.dims, spec.in_channels, spec.classes
        return External(spec.name, spec.arguments, *shape, seed_of(generator))
    match spec.name:
        case "unet" | "unet_bn" | "unet_respath":
            normalised, respath = spec.name == "unet_bn", spec.respath if spec.name == "unet_respath" else 0
            network = unet(*numbers, normalised=normalised, respath=respath)
        case "unet_multires" | "multiresunet":
            if spec.alpha is None or spec.alpha <= 0:
                raise UserError(f"network {spec.name}: alpha = {spec.alpha}: must be a positive number")
            if min(spec.shares) <= 0 or sum(spec.shares) > 1 + 1e-9:
                raise UserError(f"network {spec.name}: shares = {spec.shares}: must be positive, and 1 at most in sum")
            respath = spec.respath if spec.name == "multiresunet" else 0
            try:
                network = multiresunet(*numbers, spec.alpha, spec.shares, respath=respath)
            except ValueError as error:
                raise UserError(f"network {spec.name}: {error}; raise filters, alpha or shares") from None
        case _:
            raise UserError(f"network {spec.name!r} is unknown; allowed: {', '.join(NAMES)}")
    initialise(network, generator)
    return network
