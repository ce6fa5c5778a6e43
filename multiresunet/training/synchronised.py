"""Batch normalisation over the images of all devices that share a batch."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from multiresunet.training.devices import Devices


def synchronised(network: nn.Module, devices: Devices) -> nn.Module:
    """The network with batch normalisation over the images of all devices; parameters and their names stay."""
    if devices.world_size == 1:
        return network
    if devices.device.type == "cuda":
        return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(network))
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = SynchronisedNorm
    return network


class SynchronisedNorm(_BatchNorm):
    """Batch normalisation over all processes, for the CPU, where PyTorch's own SyncBatchNorm doesn't run.

    Sums, sums of squares and counts are added up over the processes, in float64, as are their gradients.
    """

    def _check_input_dim(self, input: Tensor) -> None: ...

    def forward(self, input: Tensor) -> Tensor:
        """N×C×… normalised by channel; in inference mode by the running statistics, as ever."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        axes = [axis for axis in range(input.dim()) if axis != 1]
        exact = input.double()
        count = torch.full((1,), input.numel() / input.shape[1], dtype=torch.float64)
        sums = _summed(torch.cat([exact.sum(axes), exact.square().sum(axes), count]))
        first, second = sums[:-1].chunk(2)
        count = sums[-1].detach()
        mean = first / count
        variance = second / count - mean.square()
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean.float(), self.momentum)
            self.running_var.lerp_((variance * count / (count - 1)).float(), self.momentum)
        shape = (1, -1, *[1] * (input.dim() - 2))
        scaled = (exact - mean.view(shape)) / (variance + self.eps).sqrt().view(shape)
        return scaled.to(input.dtype) * self.weight.view(shape) + self.bias.view(shape)


class _Summed(torch.autograd.Function):
    """Sum over processes; the gradient of a sum that all of them use is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, data: Tensor) -> Tensor:
        total = data.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone()
        dist.all_reduce(total)
        return total


def _summed(data: Tensor) -> Tensor:
    return cast(Tensor, _Summed.apply(data))  # type: ignore[no-untyped-call]  # torch has no types for it
