"""Claim 4: a network without a bad tail is found so, another is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.claims import outliers
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, Finding
from multiresunet.evaluation.evidence import Sides
from tests.evaluation.claims.making import EVALUATE, design, scored, verdict


def of_outliers(ours: np.ndarray, theirs: np.ndarray) -> list[Finding]:
    sides = Sides(scored("a", 1, jaccard=ours), scored("b", 2, jaccard=theirs))
    return outliers.findings(sides, np.linspace(0, 1, 30), design(), EVALUATE)


def test_a_network_without_a_bad_tail_is_found_so() -> None:
    rng = np.random.default_rng(5)
    steady = rng.normal(0.80, 0.02, 30)
    shaky = steady + rng.normal(0, 0.01, 30)
    shaky[::3] -= 0.5  # in every fold
    tail, _, failures = of_outliers(steady, shaky)
    assert verdict(tail) == SUPPORTED
    assert tail.of_model - tail.of_reference == pytest.approx(0.5, abs=0.05)
    assert failures.of_reference > failures.of_model == 0
    assert verdict(of_outliers(shaky, steady)[0]) == NOT_SUPPORTED


def test_a_better_mean_with_the_same_tail_is_no_better_tail() -> None:
    rng = np.random.default_rng(6)
    theirs = rng.normal(0.7, 0.01, 30)
    theirs[::3] = 0.2
    ours = theirs + np.where(theirs > 0.5, 0.1, 0)
    assert verdict(of_outliers(ours, theirs)[0]) == NOT_SUPPORTED


def test_two_networks_that_miss_the_worst_images_altogether_are_not_told_apart() -> None:
    ours = np.r_[np.zeros(6), np.full(24, 0.8)]
    tail, far, _ = of_outliers(ours, ours)
    assert verdict(tail) == INCONCLUSIVE
    assert tail.bounded.startswith("both miss these images altogether")
    assert not far.bounded
    assert verdict(of_outliers(ours, np.where(ours > 0, 0.8, 0.3))[0]) == NOT_SUPPORTED  # one alone does


def test_far_images_are_found(disc_images: PreparedDataset) -> None:
    images = disc_images.images.copy()
    images[5] = 255 - images[5] // 3
    odd = replace(disc_images, images=images)
    distances = outliers.distance_to_training(outliers.features(odd), odd.folds)
    assert distances.argmax() == 5
    assert distances[5] > 3 * np.median(distances)


def test_outliers_by_hand() -> None:
    images = pd.DataFrame({"model": "m", "sample": list("abcdefghij"), "jaccard": np.arange(10) / 10})
    row = outliers.table(images, np.arange(10.0)[::-1], EVALUATE.outliers).iloc[0]
    assert (row["tail"], row["far"], row["failures"], row["images"]) == (0, 0, 3, 10)


def test_an_image_with_three_seeds_is_one_image() -> None:
    scores = [0.1, 0.5, 0.6, 0.7, 0.8], [0.1, 0.2, 0.6, 0.7, 0.8], [0.1, 0.2, 0.6, 0.7, 0.8]
    about = {"model": "m", "sample": list("abcde")}
    parts = [pd.DataFrame(about | {"seed": seed, "jaccard": values}) for seed, values in enumerate(scores)]
    baseline = parts[0].assign(model="b")
    table = outliers.table(pd.concat([*parts, baseline]), np.arange(5.0), EVALUATE.outliers).set_index("model")
    assert list(table["images"]) == [5, 5]
    assert list(table["failures"]) == [pytest.approx(5 / 3), 1]  # a mean over seeds, as all scores are
    assert table.loc["m", "tail"] == pytest.approx(0.1)
    alone = outliers.table(parts[1], np.arange(5.0), EVALUATE.outliers)
    assert pd.api.types.is_integer_dtype(alone["failures"])
