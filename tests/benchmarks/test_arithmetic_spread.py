"""Each difference is counted for the pattern that decides it, which is the first that fits."""

from __future__ import annotations

from benchmarks.arithmetic_spread import by_pattern
from multiresunet.config import Verify
from multiresunet.review.changes import Change
from multiresunet.review.judgement import Difference


def test_each_difference_counts_for_the_first_pattern_that_fits() -> None:
    rule = Verify(tolerances={"*.p": None, "summary.*": 0.1, "*.jaccard": 0.2})
    cells = [
        Change("summary", ("nuclei", "unet"), "jaccard", 0.5, 0.6),
        Change("folds", ("nuclei", "unet", "0"), "jaccard", 0.5, 0.8),
        Change("folds", ("nuclei", "unet", "1"), "jaccard", 0.5, 0.4),
        Change("folds", ("nuclei", "unet", "1"), "dice", 0.5, 0.1),
    ]
    found = by_pattern([Difference(cell, 0.1) for cell in cells], rule)
    assert {pattern: [one.change for one in ones] for pattern, ones in found.items()} == {
        "*.p": [],
        "summary.*": [cells[0]],
        "*.jaccard": [cells[1], cells[2]],
        "": [cells[3]],
    }
