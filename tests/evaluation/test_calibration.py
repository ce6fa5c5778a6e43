"""Calibration and thresholds against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from multiresunet.evaluation import calibration
from multiresunet.evaluation.masks import MaskPair
from multiresunet.evaluation.metrics.overlap import jaccard


def test_probabilities_that_mean_what_they_say() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((4, 200, 200)).astype(np.float32)
    truth = rng.random(p.shape) < p
    right = calibration.reliability(p, truth)
    assert right["pixels"].sum() == p.size
    assert calibration.expected_calibration_error(right) < 0.01
    # Sure of everything, and right three times out of four.
    sure = calibration.reliability(np.ones((1, 100, 100), np.float32), np.arange(10000).reshape(1, 100, 100) % 4 > 0)
    assert calibration.expected_calibration_error(sure) == pytest.approx(0.25)


def test_the_threshold_curve_is_what_each_threshold_gives() -> None:
    rng = np.random.default_rng(1)
    p = rng.random((3, 12, 12)).astype(np.float32)
    truth = rng.random(p.shape) < p
    truth[2] = False
    p[0, 0] = 0.5  # at a threshold is above it, as everywhere
    table = calibration.by_threshold(p, truth)
    for _, (threshold, score) in table.iterrows():
        each = [jaccard(MaskPair(one >= np.float32(threshold), true)) for one, true in zip(p, truth, strict=True)]
        assert score == pytest.approx(np.mean(each))
