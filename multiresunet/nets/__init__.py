"""The networks: U-Net, MultiResUNet, and what lies between."""

from multiresunet.nets.external import External
from multiresunet.nets.keras import load_keras_weights
from multiresunet.nets.layers import keras_parameters, set_normalisation_momentum
from multiresunet.nets.registry import NAMES, NetworkSpec, build
from multiresunet.nets.ushape import UShape

__all__ = [
    "NAMES",
    "External",
    "NetworkSpec",
    "UShape",
    "build",
    "keras_parameters",
    "load_keras_weights",
    "set_normalisation_momentum",
]
