"""Claim 2: a network better at low-contrast boundaries is found so, another is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.claims import low_contrast
from multiresunet.evaluation.claims.verdict import NOT_SUPPORTED, SUPPORTED, Finding
from tests.evaluation.claims.making import EVALUATE, PAIR, RULE, blurred, design, squares, verdict


def of_low_contrast(ours: np.ndarray, theirs: np.ndarray, data: PreparedDataset) -> list[Finding]:
    tables = [low_contrast.measure(data, predicted, EVALUATE.low_contrast) for predicted in (ours, theirs)]
    return low_contrast.findings(
        *tables, PAIR, design(), EVALUATE.low_contrast.lowest_share, RULE.min_effect["low_contrast"]
    )


def test_local_contrast_by_hand() -> None:
    image = np.full((2, 9, 9), 0.25)
    truth = np.zeros((9, 9), dtype=bool)
    truth[3:6, 3:6] = True
    image[0, truth], image[1, truth] = 0.55, 0.65
    contrast = low_contrast.local_contrast(image, truth, 2)
    np.testing.assert_allclose(contrast, math.sqrt((0.3**2 + 0.4**2) / 2))


def test_a_network_better_at_low_contrast_boundaries_is_found_so() -> None:
    data = squares()
    findings = of_low_contrast(blurred(data, 2, 0), blurred(data, 2, 4), data)
    at_low_contrast, elsewhere, against = findings
    assert [f.decisive for f in findings] == [True, False, False]
    assert verdict(at_low_contrast) == SUPPORTED
    assert at_low_contrast.advantage.value == pytest.approx(4, abs=1)
    assert against.advantage.value > 1
    assert verdict(against) == SUPPORTED
    assert elsewhere.advantage.value < at_low_contrast.advantage.value


@pytest.mark.parametrize("offs", [((2, 4), (2, 4)), ((2, 4), (2, 0)), ((0, 4), (3, 4))])
def test_a_network_that_is_not_better_there_is_not_found_so(offs: tuple[tuple[int, int], tuple[int, int]]) -> None:
    data = squares()
    ours, theirs = (blurred(data, *off) for off in offs)
    assert verdict(of_low_contrast(ours, theirs, data)[0]) == NOT_SUPPORTED


def test_better_everywhere_alike_is_not_better_at_low_contrast_boundaries_in_particular() -> None:
    data = squares()
    at_low_contrast, _, against = of_low_contrast(blurred(data, 0, 0), blurred(data, 4, 4), data)
    assert verdict(at_low_contrast) == SUPPORTED
    assert verdict(against) != SUPPORTED


def test_an_absent_prediction_costs_the_cap() -> None:
    data = squares()
    table = low_contrast.measure(data, np.zeros(data.masks.shape, dtype=bool), EVALUATE.low_contrast)
    assert (table["error"] == EVALUATE.low_contrast.cap).all()
    assert len(low_contrast.curves({"m": table})) == 8
