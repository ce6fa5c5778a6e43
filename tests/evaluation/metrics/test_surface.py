"""Boundary scores: cases computed by hand, what empty masks score, and agreement with MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays

from multiresunet.evaluation.masks import MaskPair, boundary
from multiresunet.evaluation.metrics.surface import (
    average_surface_distance,
    boundary_f1,
    framed_average_surface_distance,
    framed_hausdorff95,
    hausdorff95,
    normalised_surface_distance,
)


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
    pair = MaskPair(column(5), column(3))
    assert (hausdorff95(pair), average_surface_distance(pair)) == (2, 2)
    assert (boundary_f1(pair, 1), boundary_f1(pair, 2)) == (0, 1)
    assert (normalised_surface_distance(pair, 1.9), normalised_surface_distance(pair, 2)) == (0, 1)


def test_a_false_line_costs_precision_but_no_recall() -> None:
    pair = MaskPair(column(2, 7), column(2))
    # All 9 true pixels are found; of 18 predicted ones 9 are at 0 and 9 at 5.
    assert boundary_f1(pair, 1) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert normalised_surface_distance(pair, 1) == pytest.approx((9 + 9) / 27)
    assert average_surface_distance(pair) == pytest.approx(9 * 5 / 27)
    assert hausdorff95(pair) == 5


def test_spacing_stretches_distances() -> None:
    pair = MaskPair(column(5), column(3), spacing=(1, 0.5))
    assert hausdorff95(pair) == 1
    assert (average_surface_distance(pair), hausdorff95(pair.with_frame)) == (1, 1)
    assert pair.farthest == pytest.approx(math.hypot(9, 4.5))


@pytest.mark.parametrize("spacing", [None, (7.0, 7.0), (0.2, 30.0)])
def test_tolerances_are_of_the_grid_whatever_a_pixel_s_size_is(spacing: tuple[float, float] | None) -> None:
    # Where a pixel is 7 of the file's, tolerances of 1 and 2 of the file's would both count coinciding pixels alone.
    one, two = (MaskPair(column(place), column(3), spacing=spacing) for place in (4, 5))
    for score in (boundary_f1, normalised_surface_distance):
        assert [score(pair, t) for pair in (one, two) for t in (0.5, 1, 1.5, 2)] == [0, 1, 1, 1, 0, 0, 0, 1]


EMPTY, FULL = np.zeros((3, 4), dtype=bool), np.ones((3, 4), dtype=bool)
DOT = EMPTY.copy()
DOT[1, 1] = True


@pytest.mark.parametrize(
    ("prediction", "truth", "share", "distance"),
    [(EMPTY, EMPTY, 1, 0), (FULL, FULL, 1, 0), (EMPTY, DOT, 0, 5), (DOT, EMPTY, 0, 5), (FULL, EMPTY, 0, 5)],
)
def test_absent_boundaries(prediction: np.ndarray, truth: np.ndarray, share: float, distance: float) -> None:
    pair = MaskPair(prediction, truth)
    assert (boundary_f1(pair, 1), normalised_surface_distance(pair, 1)) == (share, share)
    assert (hausdorff95(pair), average_surface_distance(pair)) == (distance, distance)


def away_from_the_frame(inner: np.ndarray) -> np.ndarray:
    return np.pad(inner, 1)


@pytest.mark.parametrize("shape", [(12, 9), (7, 6, 5)])
def test_monai_agrees(shape: tuple[int, ...]) -> None:
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(3)
    for _ in range(20):
        masks = [away_from_the_frame(rng.random(shape) < share) for share in (0.3, 0.6)]
        ours = MaskPair(*masks)
        prediction, truth = (torch.from_numpy(mask)[None, None].float() for mask in masks)
        theirs = [
            metrics.compute_hausdorff_distance(prediction, truth, include_background=True, percentile=95),
            metrics.compute_average_surface_distance(prediction, truth, include_background=True, symmetric=True),
            metrics.compute_surface_dice(prediction, truth, [1.0], include_background=True),
        ]
        scores = (hausdorff95(ours), average_surface_distance(ours), normalised_surface_distance(ours, 1.0))
        assert scores == pytest.approx([t.item() for t in theirs], rel=1e-5)


@pytest.mark.parametrize("shape", [(12, 9), (7, 6, 5)])
def test_monai_agrees_where_masks_touch_the_frame(shape: tuple[int, ...]) -> None:
    metrics = pytest.importorskip("monai.metrics")
    rng, apart = np.random.default_rng(4), 0
    for _ in range(20):
        masks = [rng.random(shape) < share for share in (0.5, 0.7)]
        ours = MaskPair(*masks)
        prediction, truth = (torch.from_numpy(mask)[None, None].float() for mask in masks)
        theirs = [
            metrics.compute_hausdorff_distance(prediction, truth, include_background=True, percentile=95),
            metrics.compute_average_surface_distance(prediction, truth, include_background=True, symmetric=True),
        ]
        scores = (framed_hausdorff95(ours), framed_average_surface_distance(ours))
        assert scores == pytest.approx([t.item() for t in theirs], rel=1e-5)
        apart += average_surface_distance(ours) != scores[1]
    assert apart > 10  # the convention matters


def test_a_shift_along_the_frame_is_no_error_but_by_monais_convention_it_halves_the_mean() -> None:
    half, more = column(0, 1, 2, 3), column(0, 1, 2, 3, 4)
    pair = MaskPair(more, half)
    assert average_surface_distance(pair) == 1
    assert framed_average_surface_distance(pair) < 0.6


masks = arrays(bool, (5, 6))


@given(masks, masks)
def test_invariants(a: np.ndarray, b: np.ndarray) -> None:
    pair, swapped = MaskPair(a, b), MaskPair(b, a)
    for distance in (hausdorff95, average_surface_distance):
        assert distance(pair) == pytest.approx(distance(swapped))
        assert 0 <= distance(pair) <= pair.farthest
    for share in (boundary_f1, normalised_surface_distance):
        one, two = (share(pair, tolerance) for tolerance in (1, 2))
        assert 0 <= one <= two <= 1
        assert one == pytest.approx(share(swapped, 1))
    if (a == b).all():
        assert normalised_surface_distance(pair, 0.1) == 1
        assert hausdorff95(pair) == 0
