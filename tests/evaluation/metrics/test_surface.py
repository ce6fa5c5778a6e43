"""Boundary scores: cases computed by hand, what empty masks score, and agreement with MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays

from multiresunet.evaluation.metrics.surface import Surfaces, boundary


def column(*where: int, size: int = 9) -> np.ndarray:
    """A 9×9 mask with whole columns set: its boundary is vertical lines, so that distances are column differences."""
    mask = np.zeros((size, size), dtype=bool)
    mask[:, list(where)] = True
    return mask


def test_the_frame_is_no_boundary() -> None:
    half = column(0, 1, 2, 3)
    np.testing.assert_array_equal(boundary(half), column(3))
    assert not boundary(np.ones((5, 5), dtype=bool)).any()


def test_a_line_moved_by_two() -> None:
    scores = Surfaces.between(column(5), column(3))
    assert (scores.hausdorff95(), scores.average()) == (2, 2)
    assert (scores.boundary_f1(1), scores.boundary_f1(2)) == (0, 1)
    assert (scores.normalised(1.9), scores.normalised(2)) == (0, 1)


def test_an_invented_line_costs_precision_but_no_recall() -> None:
    scores = Surfaces.between(column(2, 7), column(2))
    # All 9 true pixels are found; of 18 predicted ones 9 are at 0 and 9 at 5.
    assert scores.boundary_f1(1) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert scores.normalised(1) == pytest.approx((9 + 9) / 27)
    assert scores.average() == pytest.approx(9 * 5 / 27)
    assert scores.hausdorff95() == 5


def test_spacing_stretches_distances() -> None:
    scores = Surfaces.between(column(5), column(3), spacing=(1, 0.5))
    assert scores.hausdorff95() == 1
    assert scores.farthest == pytest.approx(math.hypot(9, 4.5))


EMPTY, FULL = np.zeros((3, 4), dtype=bool), np.ones((3, 4), dtype=bool)
DOT = EMPTY.copy()
DOT[1, 1] = True


@pytest.mark.parametrize(
    ("prediction", "truth", "share", "distance"),
    [(EMPTY, EMPTY, 1, 0), (FULL, FULL, 1, 0), (EMPTY, DOT, 0, 5), (DOT, EMPTY, 0, 5), (FULL, EMPTY, 0, 5)],
)
def test_absent_boundaries(prediction: np.ndarray, truth: np.ndarray, share: float, distance: float) -> None:
    scores = Surfaces.between(prediction, truth)
    assert (scores.boundary_f1(1), scores.normalised(1)) == (share, share)
    assert (scores.hausdorff95(), scores.average()) == (distance, distance)


def away_from_the_frame(inner: np.ndarray) -> np.ndarray:
    return np.pad(inner, 1)


@pytest.mark.parametrize("shape", [(12, 9), (7, 6, 5)])
def test_monai_agrees(shape: tuple[int, ...]) -> None:
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(3)
    for _ in range(20):
        masks = [away_from_the_frame(rng.random(shape) < share) for share in (0.3, 0.6)]
        ours = Surfaces.between(*masks)
        prediction, truth = (torch.from_numpy(mask)[None, None].float() for mask in masks)
        theirs = [
            metrics.compute_hausdorff_distance(prediction, truth, include_background=True, percentile=95),
            metrics.compute_average_surface_distance(prediction, truth, include_background=True, symmetric=True),
            metrics.compute_surface_dice(prediction, truth, [1.0], include_background=True),
        ]
        scores = (ours.hausdorff95(), ours.average(), ours.normalised(1.0))
        assert scores == pytest.approx([t.item() for t in theirs], rel=1e-5)


masks = arrays(bool, (5, 6))


@given(masks, masks)
def test_invariants(a: np.ndarray, b: np.ndarray) -> None:
    scores, swapped = Surfaces.between(a, b), Surfaces.between(b, a)
    for name in ("hausdorff95", "average"):
        assert getattr(scores, name)() == pytest.approx(getattr(swapped, name)())
        assert 0 <= getattr(scores, name)() <= scores.farthest
    for name in ("boundary_f1", "normalised"):
        one, two = (getattr(scores, name)(tolerance) for tolerance in (1, 2))
        assert 0 <= one <= two <= 1
        assert one == pytest.approx(getattr(swapped, name)(1))
    if (a == b).all():
        assert scores.normalised(0.1) == 1
        assert scores.hausdorff95() == 0
