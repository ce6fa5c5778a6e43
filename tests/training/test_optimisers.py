"""Optimiser, schedule and average are what the recipe says."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from multiresunet.config import Optimiser, Schedule
from multiresunet.training.optimisers import Average, optimiser_of, schedule_of

ADAMW = Optimiser(name="adamw", learning_rate=0.1, epsilon=1e-8, weight_decay=0.5)


def rates(schedule: Schedule, epochs: int, steps: int) -> list[float]:
    optimiser = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=0.1)
    warm_up = min(schedule.warm_up_epochs or 0, epochs - 1) * steps
    course = schedule_of(optimiser, schedule, warm_up, epochs * steps)
    found = []
    for _ in range(epochs * steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        course.step()
    return found


def test_a_constant_rate_is_constant() -> None:
    assert rates(Schedule(name="constant"), 3, 4) == [0.1] * 12


@pytest.mark.parametrize("warm_up", [0, 2])
def test_a_cosine_rises_and_falls(warm_up: int) -> None:
    found = rates(Schedule(name="cosine", warm_up_epochs=warm_up, final=0.1), 10, 5)
    top = 5 * warm_up
    assert found[:top] == pytest.approx([0.1 * (k + 1) / (top + 1) for k in range(top)])
    assert found[: top + 1] == sorted(found[: top + 1])
    fall = [0.01 + 0.045 * (1 + math.cos(math.pi * k / (50 - top))) for k in range(50 - top)]
    assert found[top:] == pytest.approx(fall)


def test_a_warm_up_longer_than_a_shortened_training_still_ends() -> None:
    assert max(rates(Schedule(name="cosine", warm_up_epochs=5, final=0.0), 2, 3)) == pytest.approx(0.1)


def test_decay_pulls_kernels_and_nothing_else() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimiser_of(network, ADAMW).step()
    for name, p in network.named_parameters():
        torch.testing.assert_close(p.detach(), before[name] * (0.95 if name == "0.weight" else 1))


def test_an_average_follows_weights_and_statistics() -> None:
    network = nn.BatchNorm1d(1)
    average = Average(network, 0.5)
    expected = None
    for step, value in enumerate((3.0, 7.0, 1.0, 4.0)):
        with torch.no_grad():
            network.weight.fill_(value)
            network.running_mean.fill_(10 * value)
            network.num_batches_tracked.fill_(step)
        average.update_parameters(network)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = value if expected is None else decay * expected + (1 - decay) * value
    assert average.module.weight.item() == pytest.approx(expected)
    assert average.module.running_mean.item() == pytest.approx(10 * expected)
    assert average.module.num_batches_tracked.item() == 3
