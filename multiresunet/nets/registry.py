"""What describes a network, and how it is built from that."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import nn

from multiresunet.errors import UserError
from multiresunet.nets.external import External, seed_of
from multiresunet.nets.layers import initialise
from multiresunet.nets.ushape import UShape
from multiresunet.paper import RESPATH, SHARES, SUM_SLACK, Shares
from multiresunet.registries import NETWORKS


@dataclass(frozen=True)
class NetworkSpec:
    """All that is needed to build a network: what a checkpoint carries beside the weights.

    dims: 2 or 3.
    filters: U of the first level.
    alpha, shares, respath: α, the shares of W of a block's three convolutions, and the units of the finest ResPath; a
        network ignores those that its registration doesn't take.
    classes: logits per pixel: one for foreground or not (sigmoid), more for that many classes, background included
        (softmax).
    name, arguments: a name with a dot is the import path of a network from elsewhere, and `arguments` are its (see
        `External`); it takes none of the numbers.
    """

    name: str
    dims: int
    in_channels: int
    filters: int = 32
    alpha: float | None = 1.67
    classes: int = 1
    shares: Shares = SHARES
    respath: int = RESPATH
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", tuple(self.shares))  # JSON has lists only

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)

    def takes(self, number: str) -> bool:
        """Whether the network has a use for `alpha`, `shares` or `respath`."""
        return self.name in NETWORKS and number in NETWORKS.entries[self.name].facts["takes"]

    @property
    def in_words(self) -> str:
        """The network and those of its numbers that it has a use for: the same words for the same network."""
        used = {number: getattr(self, number) for number in ("alpha", "shares", "respath") if self.takes(number)}
        if self.arguments:
            used["arguments"] = json.dumps(self.arguments, sort_keys=True)
        # In 3-D U-Net is always normalised, so two names are one network.
        name = self.name
        if self.dims == 3 and name in NETWORKS:
            name = NETWORKS.entries[name].facts.get("of_volumes", name)
        return " ".join([name, str(self.filters), *(f"{number} {value}" for number, value in used.items())])

    def resized(self, filters: int, alpha: float | None, shares: Shares, respath: int) -> NetworkSpec:
        """The same network with other numbers, as tuning finds them."""
        return replace(self, filters=filters, alpha=alpha, shares=shares, respath=respath)


def build_network(spec: NetworkSpec, generator: torch.Generator | None = None) -> nn.Module:
    """Build a network, a `UShape` or an `External`.

    Its forward takes images N×C×H×W or volumes N×C×D×H×W and returns logits N×classes×(D×)H×W.

    Args:
        spec: name and numbers.
        generator: source of the initial weights (Glorot-uniform in our own networks); seeded with 0 if absent.

    Raises:
        UserError: for an unknown name, other than two or three dimensions, or impossible numbers.
    """
    if spec.dims not in (2, 3):
        raise UserError(f"network dims = {spec.dims}: must be 2 or 3")
    if min(spec.in_channels, spec.classes, spec.filters, spec.respath) < 1:
        raise UserError(f"network {spec.name}: channels, filters and respath must be positive")
    generator = generator or torch.Generator().manual_seed(0)
    if "." in spec.name:
        shape = spec.dims, spec.in_channels, spec.classes
        return External(spec.name, spec.arguments, *shape, seed_of(generator))
    if spec.takes("alpha") and (spec.alpha is None or spec.alpha <= 0):
        raise UserError(f"network {spec.name}: alpha = {spec.alpha}: must be a positive number")
    if spec.takes("shares") and (min(spec.shares) <= 0 or sum(spec.shares) > 1 + SUM_SLACK):
        raise UserError(f"network {spec.name}: shares = {spec.shares}: must be positive, and 1 at most in sum")
    builder: Callable[[NetworkSpec], UShape] = NETWORKS[spec.name]
    try:
        network = builder(spec)
    except ValueError as error:
        raise UserError(f"network {spec.name}: {error}; raise filters, alpha or shares") from None
    initialise(network, generator)
    return network
