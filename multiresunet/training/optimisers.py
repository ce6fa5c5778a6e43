"""Optimiser, schedule and weight averaging, as a recipe names them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel

from multiresunet.config import Optimiser, Schedule


def optimiser_of(network: nn.Module, settings: Optimiser) -> torch.optim.Optimizer:
    """Adam, or AdamW that decays kernels but neither biases nor normalisation."""
    learnt = [p for p in network.parameters() if p.requires_grad]
    rate, epsilon = settings.learning_rate, settings.epsilon
    if settings.name == "adam":
        return torch.optim.Adam(learnt, lr=rate, eps=epsilon, fused=True)
    groups: list[dict[str, object]] = [
        {"params": [p for p in learnt if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in learnt if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, eps=epsilon, fused=True)


def schedule_of(
    optimiser: torch.optim.Optimizer, settings: Schedule, warm_up: int, steps: int
) -> lr_scheduler.LRScheduler:
    """The learning rate's course over `steps` steps, of which it rises for `warm_up`; to be stepped after each."""
    if settings.name == "constant":
        return lr_scheduler.ConstantLR(optimiser, factor=1.0, total_iters=0)
    assert settings.final is not None
    rate = optimiser.param_groups[0]["lr"]
    fall = lr_scheduler.CosineAnnealingLR(optimiser, steps - warm_up, eta_min=settings.final * rate)
    if not warm_up:
        return fall
    rise = lr_scheduler.LinearLR(optimiser, start_factor=1 / (warm_up + 1), total_iters=warm_up)
    return lr_scheduler.SequentialLR(optimiser, [rise, fall], milestones=[warm_up])


class Average(AveragedModel):
    """Exponential moving average of weights and running statistics: PyTorch's, but for its update.

    PyTorch's looks for all tensors anew at each step, which took a sixth of a small network's training.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, use_buffers=True)
        self._decay = decay
        self._averaged, self._copied = numbers_of(self.module), counts_of(self.module)
        self._now, self._counts = numbers_of(network), counts_of(network)

    @torch.no_grad()
    def update_parameters(self, _: nn.Module) -> None:
        """Follow the network that this is the average of, after a step.

        The decay of step n is min(decay, (1 + n) / (10 + n)), so that the first weights are soon forgotten.
        """
        step = int(self.n_averaged)  # lies on the CPU
        if step:
            weight = 1 - min(self._decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self._averaged, self._now, weight)
        else:
            torch._foreach_copy_(self._averaged, self._now)
        if self._counts:
            torch._foreach_copy_(self._copied, self._counts)
        self.n_averaged += 1


def numbers_of(network: nn.Module) -> list[Tensor]:
    """A network's parameters and running statistics."""
    return [tensor for tensor in (*network.parameters(), *network.buffers()) if tensor.is_floating_point()]


def counts_of(network: nn.Module) -> list[Tensor]:
    """What else a network keeps: counts of batches."""
    return [buffer for buffer in network.buffers() if not buffer.is_floating_point()]
