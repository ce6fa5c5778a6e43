"""Optimiser, schedule and weight averaging, as a recipe names them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel

from multiresunet.config import Optimiser, Schedule

Tensors = list[Tensor] | tuple[Tensor, ...]


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


def average_of(network: nn.Module, decay: float | None) -> AveragedModel | None:
    """Exponential moving average of weights and running statistics; None without a decay.

    The decay of step n is min(decay, (1 + n) / (10 + n)), so that the first weights are soon forgotten.
    """
    if decay is None:
        return None

    @torch.no_grad()
    def update(averages: Tensors, now: Tensors, _: Tensor | int) -> None:
        if not averages[0].is_floating_point():
            torch._foreach_copy_(averages, now)  # the count of batches
            return
        step = int(average.n_averaged)  # lies on the CPU
        torch._foreach_lerp_(averages, now, 1 - min(decay, (1 + step) / (10 + step)))

    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    return average
