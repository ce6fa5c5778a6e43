"""Intervals cover, tests keep their level, and corrections are those of the books."""

from __future__ import annotations

import math

import numpy as np
import pytest

from multiresunet.evaluation.statistics.effects import cohen_d, tail_mean, wins
from multiresunet.evaluation.statistics.resampling import Resamples, sign_flips, units_of
from multiresunet.evaluation.statistics.significance import corrected_t, holm, paired_p

RUNS = 400


def within_monte_carlo_error(share: float, nominal: float) -> bool:
    """Whether a share of RUNS simulations is within three standard errors of the nominal one."""
    return abs(share - nominal) <= 3 * math.sqrt(nominal * (1 - nominal) / RUNS)


def clustered(rng: np.random.Generator, units: np.ndarray) -> np.ndarray:
    """Values with mean 0, most of whose spread is between units."""
    return np.asarray(rng.normal(size=units.max() + 1)[units] + 0.5 * rng.normal(size=len(units)))


@pytest.mark.parametrize(("units", "images"), [(8, 1), (24, 1), (24, 4)])
def test_intervals_cover_as_often_as_they_say(units: int, images: int) -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(units), images)
    covered = 0
    for run in range(RUNS):
        low, high = Resamples(groups, 1000, run).interval_of_mean(clustered(rng, groups), 0.95)
        covered += low <= 0 <= high
    assert within_monte_carlo_error(covered / RUNS, 0.95), covered / RUNS


def test_images_of_a_group_taken_for_independent_cover_too_seldom() -> None:
    rng = np.random.default_rng(5)
    units = np.repeat(np.arange(24), 4)
    alone = np.arange(len(units))
    intervals = [Resamples(alone, 300, run).interval_of_mean(clustered(rng, units), 0.95) for run in range(RUNS)]
    assert np.mean([low <= 0 <= high for low, high in intervals]) < 0.85


@pytest.mark.parametrize("count", [6, 24])
def test_the_paired_test_keeps_its_level(count: int) -> None:
    rng = np.random.default_rng(6)
    units = np.repeat(np.arange(count), 3)
    flips = sign_flips(units, 999, 1)
    rejected = np.mean([paired_p(clustered(rng, units), flips) <= 0.05 for _ in range(RUNS)])
    # With six units there are 64 signs, and the nearest level below 5 % is 2 / 64.
    assert within_monte_carlo_error(float(rejected), 0.05 if count > 6 else 2 / 64), rejected


def test_the_paired_test_finds_a_difference() -> None:
    rng = np.random.default_rng(6)
    units = np.arange(24)
    flips = sign_flips(units, 999, 1)
    assert paired_p(rng.normal(1.5, 1, 24), flips) <= 0.002


def test_the_corrected_test_over_folds_keeps_its_level() -> None:
    # Folds that share training data: correlated differences, with the correlation n_test / (n_test + n_train) = 0.2
    # that the correction assumes.
    rng = np.random.default_rng(7)
    p_values, covered = [], []
    for _ in range(2000):
        differences = math.sqrt(0.2) * rng.normal() + math.sqrt(0.8) * rng.normal(size=5)
        low, high, p = corrected_t(differences, 1 / 4, 0.95)
        p_values.append(p)
        covered.append(low <= 0 <= high)
    assert abs(np.mean(np.array(p_values) <= 0.05) - 0.05) < 3 * math.sqrt(0.05 * 0.95 / 2000)
    np.testing.assert_array_equal(covered, np.array(p_values) >= 0.05)


def test_too_few_to_say_anything() -> None:
    assert all(map(math.isnan, corrected_t(np.array([0.3]), 1.0, 0.95)))
    assert all(map(math.isnan, Resamples(np.array([0, 1]), 10, 0).interval_of_mean(np.array([1.0, 2.0]), 0.95)))
    assert paired_p(np.array([0.3, 0.2]), sign_flips(np.arange(2), 999, 0)) == 0.5


def test_holm_by_hand() -> None:
    corrected = holm([0.01, 0.04, math.nan, 0.03, 0.005])
    np.testing.assert_allclose(corrected, [0.03, 0.06, math.nan, 0.06, 0.02])
    assert holm([]).size == 0
    assert holm([0.9, 0.8]).max() == 1


def test_units_are_groups_or_images() -> None:
    units = units_of(["b", "", "a", "b", ""])
    assert units[0] == units[3]
    assert len(set(units)) == 4


def test_flips_change_whole_units() -> None:
    units = np.array([0, 1, 1, 2])
    exact = sign_flips(units, 100, 0)
    assert len(np.unique(exact, axis=0)) == len(exact) == 8
    for flips in (exact, sign_flips(np.repeat(np.arange(20), 2), 50, 0)):
        assert (flips[0] == 1).all()
    np.testing.assert_array_equal(exact[:, 1], exact[:, 2])


def test_the_tail_by_hand() -> None:
    values, ones = np.array([0.9, 0.1, 0.5, 0.3, 0.7]), np.ones(5)
    assert tail_mean(values, ones, 0.2) == pytest.approx(0.1)
    assert tail_mean(values, ones, 0.3) == pytest.approx((0.1 + 0.5 * 0.3) / 1.5)
    assert tail_mean(values, np.array([1, 0, 2, 0, 2.0]), 0.4) == pytest.approx(0.5)
    assert tail_mean(values, ones, 1.0) == pytest.approx(values.mean())


def test_effect_sizes_by_hand() -> None:
    differences = np.array([1.0, 2.0, 3.0, math.nan])
    assert cohen_d(differences) == pytest.approx(2)
    assert wins(np.array([1.0, 0.0, -1.0, 2.0])) == 0.625
    assert cohen_d(np.zeros(3)) == 0
