"""Components: missed, invented, in pieces, with holes."""

from __future__ import annotations

import math

import numpy as np

from multiresunet.evaluation.metrics.components import false_negatives_and_positives, fragments_and_holes


def drawn(text: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in line] for line in text.split()])


TRUTH = drawn("""
#####..##
#####..##
#####....
.........
..###....
""")


def test_missed_and_invented_by_hand() -> None:
    prediction = drawn("""
    #........
    .........
    .....#...
    .......##
    ......#..
    """)
    # The square is touched; the pair at the right and the bar below are missed. (2, 5) touches nothing true, and the
    # three pixels below hang together across a corner.
    assert false_negatives_and_positives(prediction, TRUTH) == (2, 2)
    nothing = np.zeros_like(TRUTH)
    assert false_negatives_and_positives(nothing, TRUTH) == (3, 0)
    assert false_negatives_and_positives(TRUTH, nothing) == (0, 3)
    assert false_negatives_and_positives(nothing, nothing) == (0, 0)
    assert false_negatives_and_positives(TRUTH, TRUTH) == (0, 0)


def test_pieces_and_holes_by_hand() -> None:
    prediction = drawn("""
    ###.#....
    #.#.#....
    ###.#....
    .........
    ..###....
    """)
    # Two regions are found; the square is in two pieces, one of which has a hole, and the bar is whole.
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
