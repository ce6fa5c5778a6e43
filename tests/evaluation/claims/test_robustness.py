"""Claim 3: a network that loses less when perturbed is found robust, another is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.claims import robustness
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, Finding
from tests.evaluation.claims.making import EVALUATE, PAIR, design, lost, verdict


def of_perturbations(table: pd.DataFrame, count: int = 30, objection: str = "") -> Finding:
    samples = [f"s{i:02d}" for i in range(count)]
    return robustness.findings(table, samples, PAIR, design(count), 0.02, objection)[0]


def test_a_robust_network_is_found_robust_and_another_is_not() -> None:
    assert verdict(of_perturbations(lost(0.05, 0.15))) == SUPPORTED
    assert verdict(of_perturbations(lost(0.10, 0.10))) == NOT_SUPPORTED
    assert verdict(of_perturbations(lost(0.15, 0.05))) == NOT_SUPPORTED
    assert verdict(of_perturbations(lost(0.05, 0.15), objection="b hardly beats the baselines")) == INCONCLUSIVE


def test_images_that_were_not_perturbed_do_not_count() -> None:
    finding = of_perturbations(lost(0.05, 0.15, count=6))
    assert finding.advantage.units == 6
    assert verdict(finding) == INCONCLUSIVE


def test_perturbed_images_are_the_same_for_every_network_and_scored_against_the_moved_mask(
    disc_images: PreparedDataset,
) -> None:
    seen: list[np.ndarray] = []

    def truth_itself(fold: int, images: PreparedDataset) -> np.ndarray:
        seen.append(np.asarray(images.images))
        return np.asarray(images.masks, dtype=bool)

    def run() -> pd.DataFrame:
        amounts = {kind: amount for kind, amount in EVALUATE.perturbations.items() if kind in ("rotation", "gaussian")}
        plan = robustness.PerturbationPlan(amounts, config.Perturbed(images=6, severities=[2, 4]), False, 1, "d")
        return robustness.perturbed_scores(truth_itself, disc_images, plan)

    first, second = run(), run()
    pd.testing.assert_frame_equal(first, second)
    half = len(seen) // 2
    for one, two in zip(seen[:half], seen[half:], strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first["jaccard"] == 1).all()
    assert len(first) == 2 * 2 * 6
    assert set(first.groupby("fold")["sample"].nunique()) == {2}


def test_drops_by_hand() -> None:
    images = pd.DataFrame({"model": "m", "sample": ["x", "y"], "jaccard": [0.8, 0.6]})
    perturbed = pd.DataFrame(
        {"model": "m", "kind": ["k", "k", "l", "l"], "severity": 1, "fold": 0, "sample": ["x", "y"] * 2}
        | {"jaccard": [0.4, 0.6, 0.8, 0.0]}
    )
    table = robustness.table(robustness.drops(images, perturbed)).set_index("kind")
    assert table.loc["k", "drop"] == pytest.approx(0.2)
    assert table.loc["l", "retained"] == pytest.approx(0.4 / 0.7)
    assert table.loc["all", "drop"] == pytest.approx((0.2 + 0.3) / 2)
