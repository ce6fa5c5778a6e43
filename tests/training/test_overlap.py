"""Overlap against cases computed by hand, and its invariants."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays

from multiresunet.training.overlap import overlaps

masks = arrays(bool, (3, 4, 5))


def scores(prediction: list[list[int]], truth: list[list[int]]) -> tuple[float, float]:
    jaccard, dice = overlaps(torch.tensor([prediction]).bool(), torch.tensor([truth]).bool())
    return jaccard.item(), dice.item()


@pytest.mark.parametrize(
    ("prediction", "truth", "jaccard", "dice"),
    [
        ([[1, 1], [0, 0]], [[1, 0], [1, 0]], 1 / 3, 1 / 2),
        ([[1, 1], [1, 1]], [[1, 0], [0, 0]], 1 / 4, 2 / 5),
        ([[0, 1], [0, 0]], [[1, 0], [0, 0]], 0, 0),
        ([[0, 0], [0, 0]], [[1, 0], [0, 0]], 0, 0),
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]], 1, 1),
        ([[1, 0], [0, 1]], [[1, 0], [0, 1]], 1, 1),
    ],
)
def test_known_answers(prediction: list[list[int]], truth: list[list[int]], jaccard: float, dice: float) -> None:
    assert scores(prediction, truth) == pytest.approx((jaccard, dice))


@given(masks, masks)
def test_invariants(a: np.ndarray, b: np.ndarray) -> None:
    jaccard, dice = (s.numpy() for s in overlaps(torch.from_numpy(a), torch.from_numpy(b)))
    swapped, _ = (s.numpy() for s in overlaps(torch.from_numpy(b), torch.from_numpy(a)))
    np.testing.assert_array_equal(jaccard, swapped)
    np.testing.assert_allclose(dice, 2 * jaccard / (1 + jaccard))
    assert ((jaccard >= 0) & (jaccard <= 1)).all()
    np.testing.assert_array_equal(jaccard == 1, (a == b).all(axis=(1, 2)))


def test_a_large_volume_is_counted_exactly() -> None:
    ones = torch.ones(1, 300, 300, 300, dtype=torch.bool)
    assert overlaps(ones, ones)[0].item() == 1.0
