"""Intervals cover, tests keep their level and find what is there, and corrections are those of the books."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from multiresunet.config import Statistics
from multiresunet.evaluation.statistics.design import Advantage, ComparisonDesign
from multiresunet.evaluation.statistics.effects import cohen_d, lowest_mean, tail_mean, wins
from multiresunet.evaluation.statistics.resampling import bootstrap, sign_flips, units_of
from multiresunet.evaluation.statistics.significance import (
    benjamini_hochberg,
    corrected_error,
    holm,
    permutation_p,
    t_interval,
)
from multiresunet.evaluation.statistics.statistic import MeanDifference, TailDifference

RUNS = 500
SETTINGS = Statistics(resamples=2000, confidence=0.95)


def within_monte_carlo_error(share: float, nominal: float, lowest: float | None = None) -> bool:
    """Whether a share of RUNS simulations is within three standard errors of `nominal`, or from `lowest` on."""
    error = 3 * math.sqrt(nominal * (1 - nominal) / RUNS)
    return (nominal if lowest is None else lowest) - error <= share <= nominal + error


@dataclass(frozen=True)
class World:
    """Made-up differences between two networks, whose spread is of images, of trainings, and of both together.

    units, images: independent units, and images of each. known: units with a value. folds, seeds: of the trainings.
    """

    units: int = 36
    images: int = 1
    known: int | None = None
    folds: int = 3
    seeds: int = 1
    training: float = 0.0
    noise: float = 0.5

    def design(self) -> ComparisonDesign:
        units = np.repeat(np.arange(self.units), self.images)
        return ComparisonDesign(units % self.folds, units, SETTINGS, 1)

    def differences(self, rng: np.random.Generator, effect: float = 0.0) -> np.ndarray:
        units = np.repeat(np.arange(self.units), self.images)
        of_unit = rng.normal(size=self.units)[units]
        trainings = self.training * rng.normal(size=(self.folds, self.seeds))
        noise = self.noise * rng.normal(size=(len(units), self.seeds))
        values = effect + of_unit[:, None] + trainings[units % self.folds] + noise
        if self.known is not None:
            values[units >= self.known] = math.nan
        return np.asarray(values)

    def simulated(self, effect: float = 0.0) -> list[Advantage]:
        rng, design = np.random.default_rng(5), self.design()
        return [design.paired(self.differences(rng, effect)) for _ in range(RUNS)]


WORLDS = [
    World(8),
    pytest.param(World(24), marks=pytest.mark.slow),
    World(24, images=4),
    pytest.param(World(40, known=8), marks=pytest.mark.slow),
    pytest.param(World(40, images=3, known=12), marks=pytest.mark.slow),
    pytest.param(World(seeds=3), marks=pytest.mark.slow),
    World(seeds=3, training=0.5),
    pytest.param(World(seeds=3, training=1.0, folds=5, units=40), marks=pytest.mark.slow),
    pytest.param(World(24, images=4, seeds=3, training=0.7), marks=pytest.mark.slow),
    World(40, known=10, seeds=3, training=0.7),
]


@pytest.mark.parametrize("world", WORLDS)
def test_intervals_cover_as_often_as_they_say_and_tests_keep_their_level(world: World) -> None:
    found = world.simulated()
    covered = np.mean([a.low <= 0 <= a.high for a in found])
    assert within_monte_carlo_error(1 - float(covered), 0.05, 0.02), covered
    rejected = np.mean([a.p <= 0.05 for a in found])
    assert rejected <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS), rejected
    assert np.mean([a.p_below(0.0) <= 0.025 for a in found]) <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / RUNS)
    if world.seeds == 1:
        assert within_monte_carlo_error(float(rejected), 0.05), rejected


@pytest.mark.slow
def test_images_alone_leave_out_how_trainings_vary() -> None:
    world = World(seeds=3, training=1.0)
    rng, design = np.random.default_rng(5), world.design()
    found = [design.paired(world.differences(rng)[:, 0]) for _ in range(RUNS)]
    assert np.mean([a.p <= 0.05 for a in found]) > 0.4
    assert np.mean([a.low <= 0 <= a.high for a in found]) < 0.6


@pytest.mark.slow
def test_images_of_a_group_taken_for_independent_cover_too_seldom() -> None:
    rng, world = np.random.default_rng(5), World(24, images=4)
    alone = ComparisonDesign(np.arange(96) % 3, np.arange(96), SETTINGS, 1)
    intervals = [alone.interval(world.differences(rng)) for _ in range(RUNS)]
    assert np.mean([low <= 0 <= high for low, high in intervals]) < 0.85


def test_the_tail_keeps_its_level_and_finds_a_worse_tail() -> None:
    rng = np.random.default_rng(4)
    design = ComparisonDesign(np.arange(36) % 3, np.arange(36), SETTINGS, 1)

    def scores() -> np.ndarray:
        shared = 0.8 + 0.05 * rng.normal(size=(36, 1))
        return np.asarray(shared + 0.03 * rng.normal(size=(3, 3))[np.arange(36) % 3])

    found = []
    for _ in range(120):
        ours = scores()
        found.append(design.tails(ours, ours + 0.03 * rng.normal(size=(3, 3))[np.arange(36) % 3], 0.1))
    assert np.mean([a.p <= 0.05 for a in found]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 120)
    assert np.mean([a.low <= 0 <= a.high for a in found]) > 0.88  # a bootstrap of few worst images is a little short
    steady = scores()
    shaky = np.where(np.arange(36)[:, None] % 4 == 0, steady - 0.3, steady)
    worse = design.tails(steady, shaky, 0.1)
    assert worse.low > 0.1
    assert worse.p < 0.01
    # The effect is that of the tails, not of the means.
    assert worse.effect == pytest.approx(worse.value / (worse.error * 6))


def test_a_difference_is_found() -> None:
    world = World(24)
    assert world.design().paired(world.differences(np.random.default_rng(5), 1.5)).p <= 0.002
    few = World(6, folds=2).design().paired(np.array([1.0, 2.0, 3.0, 1.5, 2.5, 2.0]))
    assert few.p == 2 / 2**6  # all sign flips, enumerated


@pytest.mark.slow
def test_three_points_are_found_with_three_seeds() -> None:
    # Assumed noise: between images 4 points, between trainings 1.2, of an image with a seed 2. Small networks that are
    # trained briefly have more between trainings (docs/evaluation.md), and three seeds then find less.
    world = World(seeds=3, training=0.3, noise=0.5)
    found = world.simulated(3 / 4)
    # The smallest p-value of four claims is compared with a quarter of the level.
    assert np.mean([a.low > 0 and a.p < 0.05 / 4 and a.agreeing >= 0.8 for a in found]) >= 0.8


@pytest.mark.slow
def test_the_corrected_test_over_folds_keeps_its_level() -> None:
    # Folds that share training data: correlated differences, with the correlation n_test / (n_test + n_train) = 0.2
    # that the correction assumes.
    rng, design = np.random.default_rng(7), ComparisonDesign(np.arange(5), np.arange(5), SETTINGS, 1)
    found = [
        design.over_folds(math.sqrt(0.2) * rng.normal() + math.sqrt(0.8) * rng.normal(size=5)) for _ in range(2000)
    ]
    rejected = np.array([a.p <= 0.05 for a in found])
    assert abs(rejected.mean() - 0.05) < 3 * math.sqrt(0.05 * 0.95 / 2000)
    np.testing.assert_array_equal([a.low <= 0 <= a.high for a in found], ~rejected)
    assert found[0].p == found[0].p_folds


@pytest.mark.parametrize("own", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("folds", [3, 5])
def test_several_trainings_of_each_fold_keep_the_level(folds: int, own: float) -> None:
    # `own`: the share of the variance that is the fold's own, which another training of it meets again.
    rng, design = np.random.default_rng(7), ComparisonDesign(np.arange(folds), np.arange(folds), SETTINGS, 1)
    design._flips = lambda units: np.ones((1, units), dtype=np.int8)  # type: ignore[method-assign]
    shared, rest = math.sqrt(1 / folds), math.sqrt(1 - 1 / folds)
    found = [
        design.over_folds(
            math.sqrt(own) * (shared * rng.normal() + rest * rng.normal(size=(folds, 1)))
            + math.sqrt(1 - own) * rng.normal(size=(folds, 3))
        )
        for _ in range(RUNS)
    ]
    assert np.mean([a.low <= 0 <= a.high for a in found]) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / RUNS)
    assert np.mean([a.p_folds <= 0.05 for a in found]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def test_trainings_that_are_all_alike_say_no_more_than_one() -> None:
    design = ComparisonDesign(np.arange(5), np.arange(5), SETTINGS, 1)
    once = np.array([[0.1], [0.3], [0.2], [0.4], [0.2]])
    one, three = design.over_folds(once, resolution=0.05), design.over_folds(once.repeat(3, axis=1), resolution=0.05)
    assert (three.low, three.high, three.p) == pytest.approx((one.low, one.high, one.p))
    assert (three.freedom, three.units, three.effect) == (4, 5, pytest.approx(one.effect))


def test_flips_of_trainings_count_too() -> None:
    design = ComparisonDesign(np.arange(3), np.arange(3), SETTINGS, 1)
    values = np.array([[1.0, -0.9, 0.2], [0.1, 1.0, -0.77], [-0.73, 0.1, 0.9]])  # folds alike, trainings not
    found = design.over_folds(values)
    signs = np.array(np.meshgrid(*[[1, -1]] * 9)).reshape(9, -1)
    assert found.p == pytest.approx(np.mean(np.abs(values.ravel() @ signs) >= abs(values.sum()) - 1e-9))
    assert found.p > 5 * found.p_folds


def test_ties_give_no_certainty() -> None:
    # Epochs are counted in whole ones: three folds that all save 2 of 10 epochs may have saved 1.5 to 2.5.
    design = ComparisonDesign(np.arange(3), np.arange(3), SETTINGS, 1)
    tied = design.over_folds(np.array([0.2, 0.2, 0.2]), resolution=0.1)
    assert tied.p > 0.001
    assert tied.low < 0.2 < tied.high
    assert tied.p_folds == tied.p
    assert tied.effect == pytest.approx(0.2 / math.sqrt(0.1**2 / 6))
    for nothing_known in (design.over_folds(np.full(3, 0.2)), design.over_folds(np.zeros(3))):
        assert nothing_known.p == 1
        assert math.isnan(nothing_known.low)
    alike = World(12).design().paired(np.full(12, 0.1))
    assert math.isnan(alike.low)
    assert alike.p == 2 / 2**12


def test_too_few_to_say_anything() -> None:
    assert all(map(math.isnan, corrected_error(np.array([0.3]))[:1]))
    two = ComparisonDesign(np.array([0, 1]), np.array([0, 1]), SETTINGS, 1).paired(np.array([1.0, 2.0]))
    assert math.isnan(two.low)
    assert two.p == 0.5
    nothing = World(6).design().paired(np.full(6, math.nan))
    assert (nothing.units, math.isnan(nothing.p)) == (0, True)
    assert t_interval(0.2, 0.0, 2, 0.95)[2] == 1


def test_an_image_known_with_some_seeds_counts() -> None:
    design = World(6).design()
    values = np.arange(18.0).reshape(6, 3)
    values[0, 1], values[5] = math.nan, math.nan
    found = design.paired(values)
    assert (found.units, found.value) == (5, np.nanmean(values[:5], axis=1).mean())


def test_holm_by_hand() -> None:
    corrected = holm([0.01, 0.04, math.nan, 0.03, 0.005])
    np.testing.assert_allclose(corrected, [0.03, 0.06, math.nan, 0.06, 0.02])
    assert holm([]).size == 0
    assert holm([0.9, 0.8]).max() == 1


def test_benjamini_hochberg_by_hand() -> None:
    corrected = benjamini_hochberg([0.01, 0.04, math.nan, 0.03, 0.005])
    np.testing.assert_allclose(corrected, [0.02, 0.04, math.nan, 0.04, 0.02])
    assert benjamini_hochberg([]).size == 0


def test_units_are_groups_or_images() -> None:
    units = units_of(["b", "", "a", "b", ""])
    assert units[0] == units[3]
    assert len(set(units)) == 4


def test_flips_are_enumerated_up_to_sixteen_units() -> None:
    exact = sign_flips(10, 100, (0,))
    assert len(np.unique(exact, axis=0)) == len(exact) == 1024
    drawn = sign_flips(17, 50, (0,))
    assert len(drawn) == 50
    for flips in (exact, drawn):
        assert (flips[0] == 1).all()
        assert set(np.unique(flips)) == {-1, 1}


def test_bootstrap_samples_draw_within_strata() -> None:
    drawn = bootstrap(3, 4, 5000, (1,))
    assert (drawn.reshape(-1, 3, 4).sum(axis=2) == 4).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(drawn.var(axis=0, dtype=float), 3 / 4, atol=0.05)


def test_whole_units_are_drawn_and_change_sides() -> None:
    units = np.array([0, 1, 1, 2])
    model, reference = np.array([0.9, 0.1, 0.2, 0.5]), np.array([0.4, 0.3, 0.3, 0.6])
    one_swapped = np.array([[1, -1, 1]], dtype=np.int8)
    changed = (np.array([0.9, 0.3, 0.3, 0.5]), np.array([0.4, 0.1, 0.2, 0.6]))
    assert MeanDifference(model - reference).swapped(one_swapped, units)[0] == pytest.approx(
        (changed[0] - changed[1]).mean()
    )
    tails = TailDifference(model, reference, 0.3)
    assert tails.swapped(one_swapped, units)[0] == pytest.approx(TailDifference(*changed, 0.3).value)
    drawn = np.array([[2, 1, 0]], dtype=np.uint8)
    held = [0, 0, 1, 2]
    assert MeanDifference(model - reference).resampled(drawn, units)[0] == pytest.approx(
        (model - reference)[held].mean()
    )
    assert tails.resampled(drawn, units)[0] == pytest.approx(TailDifference(model[held], reference[held], 0.3).value)
    assert permutation_p(np.array([1.0, -1.0, 0.5, 0.0])) == 0.5


def test_the_tail_by_hand() -> None:
    values = np.array([0.9, 0.1, 0.5, 0.3, 0.7])
    assert tail_mean(values, 0.2) == pytest.approx(0.1)
    assert tail_mean(values, 0.3) == pytest.approx((0.1 + 0.5 * 0.3) / 1.5)
    assert tail_mean(values, 1.0) == pytest.approx(values.mean())
    weights = np.array([[1, 1, 1, 1, 1.0], [0, 0, 2, 1, 2]])
    lowest = lowest_mean(np.sort(values), lambda some: weights[:, some], np.array([1.5, 3.0]))
    assert lowest == pytest.approx([(0.1 + 0.5 * 0.3) / 1.5, (2 * 0.5 + 0.7) / 3])
    # So many weights that the first places are not enough.
    many = np.sort(np.random.default_rng(0).normal(size=300))
    late = np.r_[np.zeros(250), np.ones(50)][None]
    assert lowest_mean(many, lambda some: late[:, some], np.array([5.0]))[0] == pytest.approx(many[250:255].mean())


def test_effect_sizes_by_hand() -> None:
    differences = np.array([1.0, 2.0, 3.0, math.nan])
    assert cohen_d(differences) == pytest.approx(2)
    assert wins(np.array([1.0, 0.0, -1.0, 2.0])) == 0.625
    assert cohen_d(np.zeros(3)) == 0
