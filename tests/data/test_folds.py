"""Folds: every sample is tested once, groups stay whole, and the seed decides the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from multiresunet.data import folds
from multiresunet.errors import UserError

GROUPS = st.lists(st.sampled_from(["", "a", "b", "c", "d", "e", "f"]), min_size=1, max_size=60)
COUNTS = st.integers(2, 6)
SEEDS = st.integers(0, 2**32 - 1)


def units(groups: list[str]) -> list[str]:
    """Groups, and samples that stand alone."""
    return [group or f"alone {index}" for index, group in enumerate(groups)]


@given(groups=GROUPS, count=COUNTS, seed=SEEDS)
def test_over_images_folds_are_as_even_as_can_be(groups: list[str], count: int, seed: int) -> None:
    if len(groups) < count:
        with pytest.raises(UserError, match=f"{count} folds need at least {count} images, there are {len(groups)}"):
            folds.assign(groups, count, "image", seed)
        return
    sizes = np.bincount(folds.assign(groups, count, "image", seed), minlength=count)
    assert len(sizes) == count
    assert sizes.sum() == len(groups)
    assert sizes.max() - sizes.min() <= 1


@given(groups=GROUPS, count=COUNTS, seed=SEEDS)
def test_over_groups_no_group_is_split_and_no_fold_is_empty(groups: list[str], count: int, seed: int) -> None:
    names = units(groups)
    if len(set(names)) < count:
        with pytest.raises(UserError, match=f"{count} folds need at least {count} groups, .*by image"):
            folds.assign(groups, count, "group", seed)
        return
    assigned = folds.assign(groups, count, "group", seed)
    assert len(assigned) == len(groups)
    assert set(assigned) == set(range(count))
    homes = {name: {int(f) for f, n in zip(assigned, names, strict=True) if n == name} for name in names}
    assert all(len(home) == 1 for home in homes.values())
    per_fold = np.bincount([home.pop() for home in homes.values()], minlength=count)
    assert per_fold.max() - per_fold.min() <= 1


@pytest.mark.parametrize("by", ["image", "group"])
def test_the_seed_decides(by: str) -> None:
    groups = [f"video {index // 3}" for index in range(60)]
    first = folds.assign(groups, 5, by, seed=1)
    np.testing.assert_array_equal(first, folds.assign(groups, 5, by, seed=1))
    assert not np.array_equal(first, folds.assign(groups, 5, by, seed=2))
    assert first.dtype == np.int64


def test_neighbours_do_not_end_up_in_one_fold() -> None:
    assigned = folds.assign([""] * 100, 5, "image", seed=0)
    assert np.count_nonzero(assigned[1:] == assigned[:-1]) < 40


def test_the_remedy_does_not_offer_what_is_already_so() -> None:
    with pytest.raises(UserError) as caught:
        folds.assign([""], 2, "image", seed=0)
    assert str(caught.value) == "2 folds need at least 2 images, there are 1; lower the recipe's folds.count"


@pytest.mark.parametrize("by", ["image", "group"])
def test_stratified_folds_have_alike_foreground_shares(by: str) -> None:
    shares = np.sort(np.random.default_rng(0).gamma(1.0, 0.1, 200))
    groups = [f"video {index // 4}" for index in range(200)]
    plain = folds.assign(groups, 5, by, 3, shares=shares)
    np.testing.assert_array_equal(plain, folds.assign(groups, 5, by, 3))
    even = folds.assign(groups, 5, by, 3, shares=shares, stratify=5)

    def spread(assigned: NDArray[np.int64]) -> float:
        return float(np.ptp([shares[assigned == fold].mean() for fold in range(5)]))

    assert spread(even) < 0.7 * spread(plain)
    if by == "group":
        folds.check_groups(groups, even)


def test_a_group_in_two_folds_is_named() -> None:
    folds.check_groups(["a", "a", "", ""], np.array([0, 0, 0, 1]))
    with pytest.raises(UserError, match="group 'b' is in 2 folds"):
        folds.check_groups(["a", "b", "b"], np.array([0, 0, 1]))


def test_the_leak_is_the_share_of_test_images_with_a_near_duplicate_in_training() -> None:
    facts = pd.DataFrame(
        {
            "sample": list("abcdef"),
            "group": ["g", "h", "g", "i", "i", ""],
            "foreground_share": [0.1, 0.1, 0.1, 0.1, 0.1, 0.4],
            "alike": ["c", "", "a", "e", "d", ""],
        }
    )
    table = folds.summary(facts, np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1]))
    assert table["leak"].tolist() == [0, 0]
    assert table["leak_of_random_folds"].tolist() == [0.5, 0.25]
    assert table["groups"].tolist() == [2, 1]
    assert table["images"].tolist() == [3, 3]
    assert table["strays"].tolist() == [1, 1]
