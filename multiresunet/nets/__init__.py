"""The networks: U-Net, MultiResUNet, and what lies between.

Another one is a module here: a function from `NetworkSpec` to `UShape` below `@NETWORKS.register("name", takes=())`.
"""

from multiresunet.nets.external import External
from multiresunet.nets.keras import load_keras_weights
from multiresunet.nets.layers import keras_parameters, set_normalisation_momentum
from multiresunet.nets.registry import NetworkSpec, build_network
from multiresunet.nets.ushape import UShape

__all__ = [
    "External",
    "NetworkSpec",
    "UShape",
    "build_network",
    "keras_parameters",
    "load_keras_weights",
    "set_normalisation_momentum",
]
