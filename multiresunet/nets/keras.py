"""Carry over weights that were trained with the authors' Keras code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from multiresunet.errors import UserError


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    """Every tensor of the network by its Keras name, and whether it is a kernel."""
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if module.weight.requires_grad:
                yield f"{name}/gamma", module.weight, False
            yield f"{name}/beta", module.bias, False
            assert module.running_mean is not None
            assert module.running_var is not None
            yield f"{name}/moving_mean", module.running_mean, False
            yield f"{name}/moving_variance", module.running_var, False
        elif isinstance(module, nn.modules.conv._ConvNd):
            yield f"{name}/kernel", module.weight, True
            if module.bias is not None:
                yield f"{name}/bias", module.bias, False


def _torch_layout(kernel: np.ndarray) -> np.ndarray:
    # Keras: spatial…, in, out (for an up-convolution spatial…, out, in). PyTorch: the last two reversed, in front.
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def load_keras_weights(network: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Fill `network` in place from arrays in Keras' layout.

    Args:
        network: built by `multiresunet.build_network`.
        weights: from "<layer>/<tensor>", for example "encoder1.conv3x3.conv/kernel", to its array.

    Raises:
        UserError: naming every missing and extra tensor, or the first of another shape; nothing is changed then.
    """
    tensors = {name: (tensor, is_kernel) for name, tensor, is_kernel in _tensors(network)}
    missing, extra = sorted(tensors.keys() - weights.keys()), sorted(weights.keys() - tensors.keys())
    if missing or extra:
        parts = [f"{word}: {', '.join(names)}" for word, names in (("missing", missing), ("extra", extra)) if names]
        raise UserError(f"Keras weights don't fit the network; {'; '.join(parts)}")
    arrays = {
        name: _torch_layout(np.asarray(weights[name])) if is_kernel else np.asarray(weights[name])
        for name, (_, is_kernel) in tensors.items()
    }
    for name, (tensor, is_kernel) in tensors.items():
        if arrays[name].shape != tuple(tensor.shape):
            wanted = np.moveaxis(np.empty(tensor.shape), (0, 1), (-1, -2)).shape if is_kernel else tuple(tensor.shape)
            raise UserError(f"Keras weights: {name} has shape {np.shape(weights[name])}, the network has {wanted}")
    with torch.no_grad():
        for name, (tensor, _) in tensors.items():
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(arrays[name])))
