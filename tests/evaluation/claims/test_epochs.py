"""Claim 1: a faster network is found faster, another is not."""

from __future__ import annotations

import pandas as pd
import pytest

from multiresunet.evaluation.claims import epochs
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, Finding
from tests.evaluation.claims.making import EVALUATE, PAIR, RULE, design, history, verdict


def of_epochs(table: pd.DataFrame, objection: str = "") -> list[Finding]:
    return epochs.findings(table, PAIR, design(), EVALUATE.epochs, RULE.min_effect["epochs"], objection)


def test_epochs_by_hand() -> None:
    curve = [0.1, 0.5, 0.4, 0.6]
    assert [epochs.epochs_to(curve, target) for target in (0.1, 0.45, 0.6, 0.7)] == [1, 2, 4, 5]


def test_a_faster_network_is_found_faster() -> None:
    findings = of_epochs(history({"a": 4, "b": 12}))
    assert findings[0].decisive
    assert verdict(findings[0]) == SUPPORTED
    # 95 % of the reference's last score: -ln(0.05 + …)·delay epochs, a third for the faster.
    assert findings[0].of_reference / findings[0].of_model == pytest.approx(3, rel=0.15)
    assert findings[-1].advantage.value > 0


@pytest.mark.parametrize("delays", [{"a": 8, "b": 8}, {"a": 12, "b": 4}])
def test_a_network_that_is_not_faster_is_not_found_so(delays: dict[str, float]) -> None:
    assert verdict(of_epochs(history(delays))[0]) == NOT_SUPPORTED


def test_too_few_folds_and_a_poor_reference_are_inconclusive() -> None:
    assert verdict(of_epochs(history({"a": 4, "b": 12}, folds=2))[0]) == INCONCLUSIVE
    assert verdict(of_epochs(history({"a": 4, "b": 12}), "b hardly beats the baselines")[0]) == INCONCLUSIVE
