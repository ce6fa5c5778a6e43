"""Claim 2: a network better at low-contrast boundaries is found so, another is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation.claims import low_contrast
from multiresunet.evaluation.claims.verdict import SUPPORTED, Finding
from multiresunet.evaluation.evidence import Sides
from tests.evaluation.claims.making import EVALUATE, blurred, design, segmented, squares, verdict


def of_low_contrast(ours: np.ndarray, theirs: np.ndarray, data: PreparedDataset) -> list[Finding]:
    sides = Sides(segmented("a", data, ours), segmented("b", data, theirs))
    return low_contrast.findings(sides, design(), EVALUATE)


def test_local_contrast_by_hand() -> None:
    image = np.full((2, 9, 9), 0.25)
    truth = np.zeros((9, 9), dtype=bool)
    truth[3:6, 3:6] = True
    image[0, truth], image[1, truth] = 0.55, 0.65
    contrast = low_contrast.local_contrast(image, truth, 2)
    np.testing.assert_allclose(contrast, math.sqrt((0.3**2 + 0.4**2) / 2))


def test_a_network_better_at_low_contrast_boundaries_is_found_so() -> None:
    data = squares()
    against, at_low_contrast, elsewhere = of_low_contrast(blurred(data, 2, 0), blurred(data, 2, 4), data)
    assert [f.decisive for f in (against, at_low_contrast, elsewhere)] == [True, False, False]
    assert {f.unit for f in (against, at_low_contrast, elsewhere)} == {"pixels of the network"}
    assert verdict(against) == verdict(at_low_contrast) == SUPPORTED
    assert at_low_contrast.advantage.value == pytest.approx(3.5, abs=1)
    assert against.advantage.value > 1
    assert elsewhere.advantage.value < at_low_contrast.advantage.value


@pytest.mark.parametrize("offs", [((2, 4), (2, 4)), ((2, 4), (2, 0))])
def test_a_network_that_is_not_better_there_is_not_found_so(offs: tuple[tuple[int, int], tuple[int, int]]) -> None:
    data = squares()
    ours, theirs = (blurred(data, *off) for off in offs)
    assert verdict(of_low_contrast(ours, theirs, data)[0]) != SUPPORTED
    assert of_low_contrast(ours, theirs, data)[0].advantage.value <= 0


def test_better_everywhere_alike_is_not_better_at_low_contrast_boundaries_in_particular() -> None:
    data = squares()
    against, at_low_contrast, _ = of_low_contrast(blurred(data, 0, 0), blurred(data, 4, 4), data)
    assert verdict(at_low_contrast) == SUPPORTED
    assert verdict(against) != SUPPORTED


def test_worse_elsewhere_is_not_better_at_low_contrast() -> None:
    data = squares()
    against, at_low_contrast, elsewhere = of_low_contrast(blurred(data, 6, 2), blurred(data, 0, 2), data)
    assert elsewhere.advantage.value < 0
    assert against.advantage.value >= against.min_effect
    assert at_low_contrast.advantage.value < at_low_contrast.min_effect
    assert "no better along the lowest-contrast boundaries themselves" in against.lacks
    assert verdict(against) != SUPPORTED


def test_noise_draws_no_boundary() -> None:
    # Measured from the truth alone, noise is near to every boundary: 30 % of it had an error of 0.8 pixels.
    data = squares()
    noise = np.random.default_rng(1).random(data.masks.shape) < 0.3
    table = low_contrast.measure(data, noise, EVALUATE.low_contrast)
    assert table["error"].mean() > 2
    beside = data.masks.astype(bool)
    table = low_contrast.measure(data, beside, EVALUATE.low_contrast)
    assert (table["error"] == 0).all()
    # A false boundary beside the true one counts, near the segment that it is beside.
    beside[0, 20:28, 42:44] = True
    with_false = low_contrast.measure(data, beside, EVALUATE.low_contrast)
    worse = with_false["error"] > 0
    assert worse.any()
    assert set(with_false["image"][worse]) == {0}
    assert (with_false["pixels"] == table["pixels"]).all()


def test_an_absent_prediction_costs_the_cap() -> None:
    data = squares()
    table = low_contrast.measure(data, np.zeros(data.masks.shape, dtype=bool), EVALUATE.low_contrast)
    assert (table["error"] == EVALUATE.low_contrast.cap).all()
    assert len(low_contrast.curves(table.assign(model="m", seed=1))) == 8


def test_an_empty_mask_has_no_segments() -> None:
    data = squares(2)
    data.masks[0] = 0
    table = low_contrast.measure(data, np.ones(data.masks.shape, dtype=bool), EVALUATE.low_contrast)
    assert set(table["image"]) == {1}
