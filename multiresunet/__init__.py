"""MultiResUNet, measured: networks, data and measures of a reproducible comparison.

What stands in `__all__` is the public interface; all else may change from one version to the next.

A network and its logits for one RGB image; and, once it is trained, the mask of an image as a file has it:

>>> import numpy as np
>>> import torch
>>> from multiresunet import NetworkSpec, build_network, load_model, predict
>>> spec = NetworkSpec("multiresunet", dims=2, in_channels=3, filters=8)
>>> network = build_network(spec)
>>> network(torch.zeros(1, 3, 48, 64)).shape
torch.Size([1, 1, 48, 64])
>>> model = load_model("data/trained/polyps/multiresunet/1")
>>> predicted = predict(model, np.zeros((3, 480, 640), dtype=np.uint8))
>>> predicted.mask.shape, predicted.foreground.dtype
((480, 640), dtype('float32'))

A data set that `preprocess` has prepared, with the samples that a fold trains and tests on:

>>> from pathlib import Path
>>> from multiresunet import PreparedDataset
>>> prepared = PreparedDataset.open(Path("data/prepared/polyps"))
>>> train, test = prepared.split(0)
>>> len(train), len(test), prepared.images.shape
(2, 1, (3, 3, 48, 64))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from multiresunet import arithmetic

if TYPE_CHECKING:
    from multiresunet.data.dataset import PreparedDataset
    from multiresunet.inference.loading import load_model
    from multiresunet.inference.model import predict
    from multiresunet.nets.registry import NetworkSpec, build_network

__all__ = ["NetworkSpec", "PreparedDataset", "__version__", "build_network", "load_model", "predict"]
__version__ = "0.2.0"

_PLACES = {
    "NetworkSpec": "multiresunet.nets.registry",
    "PreparedDataset": "multiresunet.data.dataset",
    "build_network": "multiresunet.nets.registry",
    "load_model": "multiresunet.inference.loading",
    "predict": "multiresunet.inference.model",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for, since PyTorch takes seconds."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not arithmetic.loaded():
        arithmetic.use_by_default()
    return getattr(import_module(_PLACES[name]), name)
