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
    assert [epochs.epochs_to(curve, target, 9) for target in (0.1, 0.45, 0.6, 0.7)] == [1, 2, 4, 9]
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


def test_a_reference_that_is_there_at_once_leaves_nothing_to_save() -> None:
    slow, quick = history("a", 8, count=20), history("bb", 0.5, count=20)
    found = of_epochs(quick, quick)[MEASURE]
    assert found.of_reference < 3
    assert verdict(found) == INCONCLUSIVE
    assert found.bounded == "bb is there after 2.0 epochs, too soon to save a relevant share"
    assert verdict(of_epochs(slow, quick)[MEASURE]) == NOT_SUPPORTED  # later is seen all the same
    assert not of_epochs(slow, slow)[MEASURE].bounded


def test_too_few_folds_are_inconclusive() -> None:
    assert verdict(of_epochs(history("a", 4, folds=2), history("bb", 12, folds=2))[MEASURE]) == INCONCLUSIVE


def test_a_short_training_that_never_gets_there_saves_nothing() -> None:
    reference = history("bb", 12, count=60)
    findings = of_epochs(history("a", 60, count=20), reference)
    assert findings[MEASURE].of_model == 61
    assert findings[MEASURE].advantage.value < 0
    assert verdict(findings[MEASURE]) == NOT_SUPPORTED
    longer = of_epochs(history("a", 12, count=20), reference)["area under the learning curve"]
    assert longer.advantage.value == pytest.approx(0, abs=0.01)  # the same curve, whose end one hasn't


def test_work_is_rounded_as_much_as_it_is_counted() -> None:
    one, two = (of_epochs(history("a", 4, work=w), history("bb", 4, work=1.0))[WORK].advantage for w in (1.0, 7.0))
    assert two.error > 3 * one.error
