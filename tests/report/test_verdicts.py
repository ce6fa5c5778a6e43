"""Verdicts in words."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from multiresunet.evaluation.claims import ablation
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED
from multiresunet.report import verdicts
from tests.report.making import loaded


@pytest.mark.parametrize(
    ("claim", "advantage", "words"),
    [
        ("epochs", 0.57, "saves 57 % of the epochs"),
        ("epochs", -0.03, "takes 3 % of the epochs more"),
        ("low_contrast", -0.31, "error grows 0.31 px more towards low contrast"),
        ("perturbations", -0.02, "retains 2.0 points less"),
        ("outliers", 0.05, "worst 20 %: 5.0 points better"),
        ("outliers", math.nan, "nothing to compare"),
    ],
)
def test_an_advantage_in_words(claim: str, advantage: float, words: str) -> None:
    assert verdicts.magnitude(claim, advantage, 0.2) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0774, "Jaccard", "+7.7 Jaccard points"),
        (-0.012, "boundary F1", "-1.2 boundary F1 points"),
        (0.135, "flaws per region", "0.14 fewer flaws per region"),
        (-0.08, "flaws per region", "0.08 more flaws per region"),
        (math.nan, "Jaccard", "nothing to compare"),
    ],
)
def test_an_advantage_of_the_ablation_in_words(value: float, unit: str, words: str) -> None:
    assert verdicts.amount(value, unit) == words
    assert set(verdicts.POINTS) < set(ablation.UNITS.values())


@pytest.mark.parametrize(
    ("supported", "sentence"),
    [
        ([], "None of the paper’s four claims is supported on any data set."),
        (
            [("epochs", "a"), ("outliers", "a"), ("outliers", "b")],
            "Of the paper’s four claims supported: “needs fewer epochs” on 1 of 2, "
            "“more reliable on outliers” on 2 of 2 data sets.",
        ),
    ],
)
def test_the_answer_says_which_claims_are_supported(supported: list[tuple[str, str]], sentence: str) -> None:
    pair = {"model": "multiresunet", "reference": "unet_bn", "decisive": True}
    rows = [
        pair
        | {"claim": claim, "dataset": name, "reason": ""}
        | {"verdict": SUPPORTED if (claim, name) in supported else INCONCLUSIVE}
        for claim in [*verdicts.CLAIMS, "regions"]
        for name in "ab"
    ]
    others = [  # of another pair, of a measure that decides nothing, and of the ablation
        rows[0] | {"reference": "unet", "verdict": SUPPORTED},
        rows[0] | {"decisive": False, "verdict": SUPPORTED},
        rows[-1] | {"verdict": SUPPORTED},
    ]
    assert verdicts.in_a_sentence(pd.DataFrame(rows + others), loaded("a", "b")) == [sentence]


def test_with_too_few_seeds_the_answer_says_how_the_claims_stand_so_far() -> None:
    few = "preliminary: {} with 1 seed; 3 are needed"
    verdict = {"model": "multiresunet", "reference": "unet_bn", "decisive": True, "verdict": INCONCLUSIVE}
    reasons = [("epochs", "a", NOT_SUPPORTED), ("epochs", "b", NOT_SUPPORTED), ("outliers", "b", SUPPORTED)]
    rows = [verdict | {"claim": c, "dataset": d, "reason": few.format(would)} for c, d, would in reasons]
    rows.append(verdict | {"claim": "outliers", "dataset": "a", "reason": "the interval includes both"})
    assert verdicts.in_a_sentence(pd.DataFrame(rows), loaded("a", "b")) == [
        "With 1 of 3 seeds no verdict on the paper’s four claims is final. So far supported: “more reliable on "
        "outliers” on b; not supported: 2 of 4 verdicts; the rest is inconclusive."
    ]


def test_the_ablation_has_a_place_for_each_data_set() -> None:
    words = ablation.STATEMENTS[0].words
    cell = {"claim": "ablation", "measure": words, "verdict": SUPPORTED, "reason": "", "advantage": 0.1}
    rows = pd.DataFrame([cell | {"unit": "Jaccard", "dataset": "b"}])
    [row] = verdicts.ablation(rows, ["a", "b"])
    assert row["cells"][0] is None
    assert row["cells"][1]["words"] == "+10.0 Jaccard points"
