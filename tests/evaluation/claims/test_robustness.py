"""Claim 3: a network that retains more of its score when perturbed is found robust, another is not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.claims import robustness
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, Finding
from multiresunet.evaluation.evidence import Side, Sides
from tests.evaluation.claims.making import EVALUATE, design, lost, verdict


def of_perturbations(ours: Side, theirs: Side) -> list[Finding]:
    return robustness.findings(Sides(ours, theirs), design(), EVALUATE)


def test_a_robust_network_is_found_robust_and_another_is_not() -> None:
    def of(share: float, other: float) -> Finding:
        return of_perturbations(lost("a", 0.8, share), lost("b", 0.8, other))[0]

    assert verdict(of(0.95, 0.80)) == SUPPORTED
    assert verdict(of(0.80, 0.95)) == NOT_SUPPORTED
    assert verdict(of(0.9, 0.9)) == NOT_SUPPORTED


def test_the_better_network_is_not_punished_for_having_more_to_lose() -> None:
    # Perturbations halve both scores: the drop finds the better network worse, and the score finds it better.
    share, score, drop = of_perturbations(lost("a", 0.9, 0.5), lost("b", 0.6, 0.5))[:3]
    assert [f.decisive for f in (share, score, drop)] == [True, False, False]
    assert share.advantage.value == pytest.approx(0, abs=0.01)
    assert share.of_model == pytest.approx(0.5, abs=0.01)
    assert verdict(score) == SUPPORTED
    assert drop.advantage.high < 0


def test_what_is_retained_is_a_ratio_of_means() -> None:
    perturbed, clean = np.array([[0.1], [0.8], [np.nan]]), np.array([[0.01], [0.9], [np.nan]])
    values = robustness.retained(perturbed, clean)
    assert np.nanmean(values) == pytest.approx(0.9 / 0.91)
    assert np.nanmax(np.abs(values)) < 2  # and not 0.1 / 0.01
    assert np.isnan(values[2, 0])
    assert (robustness.retained(np.zeros((2, 1)), np.zeros((2, 1))) == 0).all()


@pytest.mark.parametrize("score", [0.0, 1e-6])
def test_a_network_that_finds_nothing_retains_nothing(score: float) -> None:
    # Perturbed, it finds something here and there: no share of what it had, and surely not 200,000 times as much.
    clean, perturbed = np.full((6, 1), score), np.array([[0.0], [0.2], [0.0], [0.1], [0.0], [np.nan]])
    assert np.nanmax(np.abs(robustness.retained(perturbed, clean))) == 0
    assert np.isnan(robustness.retained(perturbed, clean)[5, 0])
    assert robustness.share_left(perturbed, clean) == 0
    columns = {"model": "a", "kind": "blur", "severity": 1, "sample": [str(n) for n in range(6)]}
    made = pd.DataFrame(columns | {"clean": score, "jaccard": perturbed[:, 0], "drop": score - perturbed[:, 0]})
    assert (robustness.table(made)["retained"] == 0).all()


def test_each_fold_has_the_share_of_its_own_images() -> None:
    # In the last two folds, whose images are hard, the reference retains more; over all images the model does.
    def retains(name: str, easy: float, hard: float) -> Side:
        made = lost(name, 1.0, 1.0)
        fold = made.lost["sample"].str[1:].astype(int) // 6
        clean = np.where(fold < 3, 0.9, 0.2)
        kept = clean * np.where(fold < 3, easy, hard)
        return replace(made, lost=made.lost.assign(clean=clean, jaccard=kept, drop=clean - kept))

    advantage = of_perturbations(retains("a", 0.86, 0.82), retains("b", 0.80, 0.85))[0].advantage
    assert advantage.value > 0.02
    assert advantage.folds == pytest.approx([0.06, 0.06, 0.06, -0.03, -0.03])
    assert advantage.agreeing == 0.6
    assert math.isnan(robustness.share_left(np.full(3, np.nan), np.full(3, np.nan)))
    assert robustness.share_left(np.zeros(3), np.zeros(3)) == 0


def test_images_that_were_not_perturbed_do_not_count() -> None:
    finding = of_perturbations(lost("a", 0.8, 0.95, count=6), lost("b", 0.8, 0.80, count=6))[0]
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
    images = pd.DataFrame({"model": "m", "seed": 1, "sample": ["x", "y"], "jaccard": [0.8, 0.6]})
    perturbed = pd.DataFrame(
        {"model": "m", "seed": 1, "kind": ["k", "k", "l", "l"], "severity": 1, "fold": 0, "sample": ["x", "y"] * 2}
        | {"jaccard": [0.4, 0.6, 0.8, 0.0]}
    )
    table = robustness.table(robustness.drops(images, perturbed)).set_index("kind")
    assert table.loc["k", "drop"] == pytest.approx(0.2)
    assert table.loc["l", "retained"] == pytest.approx(0.4 / 0.7)
    assert table.loc["all", "drop"] == pytest.approx((0.2 + 0.3) / 2)
