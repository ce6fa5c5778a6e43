"""Components: false negatives and positives, fragments and holes."""

from __future__ import annotations

import math

import numpy as np

from multiresunet.evaluation.masks import Mask, MaskPair
from multiresunet.evaluation.metrics.topology import false_negatives, false_positives, fragments, holes


def false_negatives_and_positives(prediction: Mask, truth: Mask) -> tuple[float, float]:
    pair = MaskPair(prediction, truth)
    return false_negatives(pair), false_positives(pair)


def fragments_and_holes(prediction: Mask, truth: Mask) -> tuple[float, float]:
    pair = MaskPair(prediction, truth)
    return fragments(pair), holes(pair)


def drawn(text: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in line] for line in text.split()])


TRUTH = drawn("""
#####..##
#####..##
#####....
.........
..###....
""")


def test_false_negatives_and_positives_by_hand() -> None:
    prediction = drawn("""
    #........
    .........
    .....#...
    .......##
    ......#..
    """)
    # The square is touched; the pair at the right and the bar below are not found. (2, 5) touches nothing true, and the
    # three pixels below hang together across a corner.
    assert false_negatives_and_positives(prediction, TRUTH) == (2, 2)
    nothing = np.zeros_like(TRUTH)
    assert false_negatives_and_positives(nothing, TRUTH) == (3, 0)
    assert false_negatives_and_positives(TRUTH, nothing) == (0, 3)
    assert false_negatives_and_positives(nothing, nothing) == (0, 0)
    assert false_negatives_and_positives(TRUTH, TRUTH) == (0, 0)


def test_fragments_and_holes_by_hand() -> None:
    prediction = drawn("""
    ###.#....
    #.#.#....
    ###.#....
    .........
    ..###....
    """)
    # Two regions are found; the square is in two fragments, one of which has a hole, and the bar is whole.
    assert fragments_and_holes(prediction, TRUTH) == (3 / 2, 1 / 2)
    assert fragments_and_holes(TRUTH, TRUTH) == (1, 0)
    assert all(math.isnan(value) for value in fragments_and_holes(~TRUTH, TRUTH))


def test_a_hole_of_the_truth_is_none_of_the_prediction() -> None:
    ring = drawn("### #.# ###")
    assert fragments_and_holes(ring, ring) == (1, 0)


def test_volumes() -> None:
    truth = np.zeros((6, 6, 6), dtype=bool)
    truth[1:4, 1:4, 1:4] = True
    hollow = truth.copy()
    hollow[2, 2, 2] = False
    assert fragments_and_holes(hollow, truth) == (1, 1)
    assert false_negatives_and_positives(hollow, truth) == (0, 0)
