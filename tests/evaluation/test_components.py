"""Components: missed, invented, in pieces, with holes."""

from __future__ import annotations

import math

import numpy as np

from multiresunet.evaluation.components import missed_and_invented, pieces_and_holes


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
    assert missed_and_invented(prediction, TRUTH) == (2, 2)
    nothing = np.zeros_like(TRUTH)
    assert missed_and_invented(nothing, TRUTH) == (3, 0)
    assert missed_and_invented(TRUTH, nothing) == (0, 3)
    assert missed_and_invented(nothing, nothing) == (0, 0)
    assert missed_and_invented(TRUTH, TRUTH) == (0, 0)


def test_pieces_and_holes_by_hand() -> None:
    prediction = drawn("""
    ###.#....
    #.#.#....
    ###.#....
    .........
    ..###....
    """)
    # Two regions are found; the square is in two pieces, one of which has a hole, and the bar is whole.
    assert pieces_and_holes(prediction, TRUTH) == (3 / 2, 1 / 2)
    assert pieces_and_holes(TRUTH, TRUTH) == (1, 0)
    assert all(math.isnan(value) for value in pieces_and_holes(~TRUTH, TRUTH))


def test_a_hole_of_the_truth_is_none_of_the_prediction() -> None:
    ring = drawn("### #.# ###")
    assert pieces_and_holes(ring, ring) == (1, 0)


def test_volumes() -> None:
    truth = np.zeros((6, 6, 6), dtype=bool)
    truth[1:4, 1:4, 1:4] = True
    hollow = truth.copy()
    hollow[2, 2, 2] = False
    assert pieces_and_holes(hollow, truth) == (1, 1)
    assert missed_and_invented(hollow, truth) == (0, 0)
