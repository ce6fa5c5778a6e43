"""What a network costs: multiply-adds of one prediction, and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod

from multiresunet.nets import NetworkSpec, build_network, keras_parameters
from multiresunet.nets.cost import multiply_adds
from multiresunet.paper import STEP


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of the convolutions for one image or volume, and parameters as Keras counts them."""

    multiply_adds: int
    parameters: int


@cache
def cost_of(spec: NetworkSpec, size: tuple[int, ...]) -> Cost:
    """The cost of predicting one image (or volume) of `size`, whose sides are multiples of 16.

    Counted on the smallest input that there is, since a large one takes as long as a step of training: every level has
    a fixed part of the pixels, so the cost goes with their number.
    """
    smallest = (STEP,) * spec.dims
    network = build_network(spec)
    counted = multiply_adds(network, spec.in_channels, smallest)
    return Cost(counted * prod(size) // prod(smallest), keras_parameters(network))
