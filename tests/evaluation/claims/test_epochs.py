"""Claim 1: a faster network is found faster, another is not; what an epoch costs counts, too."""

from __future__ import annotations

import pytest

from multiresunet.evaluation.claims import epochs
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, Finding
from multiresunet.evaluation.evidence import Side, Sides
from tests.evaluation.claims.making import EVALUATE, design, history, verdict


def of_epochs(ours: Side, theirs: Side) -> dict[str, Finding]:
    return {finding.measure: finding for finding in epochs.findings(Sides(ours, theirs), design(), EVALUATE)}


MEASURE = "epochs to 95 % of the reference's last score"
WORK = "work to 95 % of the reference's last score, in the reference's epochs"


def test_epochs_by_hand() -> None:
    curve = [0.1, 0.5, 0.4, 0.6]
    assert [epochs.epochs_to(curve, target) for target in (0.1, 0.45, 0.6, 0.7)] == [1, 2, 4, 5]
    assert epochs.curves(history("a", 4, folds=2, count=7)).shape == (2, 3, 7)


def test_a_faster_network_is_found_faster() -> None:
    findings = of_epochs(history("a", 4), history("bb", 12))
    assert [measure for measure, finding in findings.items() if finding.decisive] == [MEASURE]
    assert verdict(findings[MEASURE]) == SUPPORTED
    # 95 % of the reference's last score: -ln(0.05 + …)·delay epochs, a third for the faster.
    assert findings[MEASURE].of_reference / findings[MEASURE].of_model == pytest.approx(3, rel=0.15)
    assert findings["area under the learning curve"].advantage.value > 0


def test_fewer_epochs_of_four_times_the_work_save_nothing() -> None:
    findings = of_epochs(history("a", 4, work=4e6), history("bb", 12, work=1e6))
    assert verdict(findings[MEASURE]) == SUPPORTED
    assert verdict(findings[WORK]) == NOT_SUPPORTED
    assert findings[WORK].of_model == pytest.approx(4 * findings[MEASURE].of_model)
    assert WORK not in of_epochs(history("a", 4, work=float("nan")), history("bb", 12))


@pytest.mark.parametrize("delays", [(8, 8), (12, 4)])
def test_a_network_that_is_not_faster_is_not_found_so(delays: tuple[float, float]) -> None:
    ours, theirs = (history(name, delay) for name, delay in zip(("a", "bb"), delays, strict=True))
    assert verdict(of_epochs(ours, theirs)[MEASURE]) == NOT_SUPPORTED


def test_too_few_folds_are_inconclusive() -> None:
    assert verdict(of_epochs(history("a", 4, folds=2), history("bb", 12, folds=2))[MEASURE]) == INCONCLUSIVE
