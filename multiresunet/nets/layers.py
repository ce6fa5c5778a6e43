"""Layers for images and volumes from the same code, with Keras' constants.

The authors' networks are written in Keras; where PyTorch's defaults differ, these follow Keras.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

KERAS_EPSILON = 1e-3
KERAS_MOMENTUM = 0.01  # Keras' 0.99 weighs the old value, PyTorch's momentum the new one

_CONV: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_UP: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
_NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def conv(dims: int, inputs: int, outputs: int, kernel: int, bias: bool) -> nn.Module:
    """Convolution that keeps the size (`padding="same"`)."""
    return _CONV[dims](inputs, outputs, kernel, padding=kernel // 2, bias=bias)


def up(dims: int, inputs: int, outputs: int) -> nn.Module:
    """Transposed convolution that doubles the size."""
    return _UP[dims](inputs, outputs, kernel_size=2, stride=2)


def pool(dims: int) -> nn.Module:
    """Max pooling that halves the size."""
    return nn.MaxPool2d(2) if dims == 2 else MaxPool3d()


class MaxPool3d(nn.Module):
    """Max pooling of volumes; on a GPU in two steps, since PyTorch has no deterministic gradient of the one there."""

    def forward(self, x: Tensor) -> Tensor:
        """N×C×D×H×W to N×C×(D/2)×(H/2)×(W/2)."""
        return pooled_in_planes(x) if x.is_cuda else torch.max_pool3d(x, 2)


def pooled_in_planes(x: Tensor) -> Tensor:
    """Max pooling by 2, of each plane and then across the planes: the same values, and of equal ones the same first."""
    planes = torch.max_pool2d(x.flatten(1, 2), 2)
    columns = planes.unflatten(1, x.shape[1:3]).flatten(3)
    return torch.max_pool2d(columns, (2, 1)).reshape(*columns.shape[:2], -1, *planes.shape[2:])


def norm(dims: int, channels: int, scale: bool) -> nn.Module:
    """Batch normalisation with Keras' constants; without `scale`, γ stays 1 and is no parameter."""
    layer = _NORM[dims](channels, eps=KERAS_EPSILON, momentum=KERAS_MOMENTUM)
    layer.weight.requires_grad_(scale)
    return layer


class ConvNorm(nn.Module):
    """Convolution, normalisation without scale, and ReLU unless `relu` is false (the authors' `conv2d_bn`)."""

    def __init__(
        self, dims: int, inputs: int, outputs: int, kernel: int, *, relu: bool = True, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv = conv(dims, inputs, outputs, kernel, bias)
        self.bn = norm(dims, outputs, scale=False)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """N×C×… to N×outputs×…."""
        x = self.bn(self.conv(x))
        return torch.relu(x) if self.relu else x


class ConvBias(nn.Module):
    """Convolution with bias, and ReLU unless `relu` is false."""

    def __init__(self, dims: int, inputs: int, outputs: int, kernel: int, *, relu: bool = True) -> None:
        super().__init__()
        self.conv = conv(dims, inputs, outputs, kernel, bias=True)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """N×C×… to N×outputs×…."""
        x = self.conv(x)
        return torch.relu(x) if self.relu else x


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw all kernels Glorot-uniform, as Keras does; biases are zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def set_normalisation_momentum(network: nn.Module, momentum: float) -> None:
    """Set how fast running statistics follow (PyTorch's sense: the weight of the new batch)."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = momentum


def keras_parameters(network: nn.Module) -> int:
    """Number of parameters as Keras counts them: running means and variances included."""
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    running = sum(b.numel() for name, b in network.named_buffers() if name.endswith(("_mean", "_var")))
    return trainable + running
