"""Losses against their formulas."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
import torch.nn.functional as F

from multiresunet.registries import LOSSES
from multiresunet.training.losses import loss_by_name


def case(outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(outputs)
    logits = torch.randn(4, outputs, 6, 5, generator=generator)
    return logits, torch.randint(0, max(outputs, 2), (4, 1, 6, 5), generator=generator).float()


def soft_dice(probabilities: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return 1 - 2 * (probabilities * truth).sum((1, 2)) / (probabilities + truth).sum((1, 2))


def test_one_output_is_binary() -> None:
    logits, labels = case(1)
    p, t = torch.sigmoid(logits)[:, 0], labels[:, 0]
    bce = -(t * p.log() + (1 - t) * (1 - p).log()).mean()
    dice = soft_dice(p, t).mean()
    expected = {"bce": bce, "dice": dice, "dice_bce": (bce + dice) / 2}
    for name in LOSSES:
        torch.testing.assert_close(loss_by_name(name, 1)(logits, labels), expected[name], rtol=1e-4, atol=1e-5)


def test_several_outputs_are_background_and_classes() -> None:
    logits, labels = case(3)
    p = torch.softmax(logits, 1)
    ce = F.nll_loss(p.log(), labels[:, 0].long())
    dice = torch.stack([soft_dice(p[:, c], (labels[:, 0] == c).float()) for c in (1, 2)]).mean()
    expected = {"bce": ce, "dice": dice, "dice_bce": (ce + dice) / 2}
    for name in LOSSES:
        torch.testing.assert_close(loss_by_name(name, 3)(logits, labels), expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", list(LOSSES))
def test_a_batchs_loss_is_the_mean_of_its_parts(name: Literal["bce", "dice", "dice_bce"], outputs: int) -> None:
    logits, labels = case(outputs)
    loss = loss_by_name(name, outputs)
    parts = (loss(logits[:1], labels[:1]) + 3 * loss(logits[1:], labels[1:])) / 4
    torch.testing.assert_close(loss(logits, labels), parts)


@pytest.mark.parametrize("name", list(LOSSES))
def test_an_image_without_foreground_has_a_loss_and_a_gradient(name: Literal["bce", "dice", "dice_bce"]) -> None:
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
    loss = loss_by_name(name, 1)(logits, torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert math.isfinite(loss.item())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad.min() > 0
