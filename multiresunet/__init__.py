"""MultiResUNet, measured: networks, data and measures of a reproducible comparison.

What stands in `__all__` is the public interface; all else may change from one version to the next.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiresunet.data.dataset import PreparedDataset
    from multiresunet.inference.predictor import load_model, predict
    from multiresunet.nets.registry import build_network

__all__ = ["PreparedDataset", "__version__", "build_network", "load_model", "predict"]
__version__ = "0.2.0"

_PLACES = {
    "PreparedDataset": "multiresunet.data.dataset",
    "build_network": "multiresunet.nets.registry",
    "load_model": "multiresunet.inference.predictor",
    "predict": "multiresunet.inference.predictor",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for, since PyTorch takes seconds."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
