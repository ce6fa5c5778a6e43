"""Components: false negatives and positives, fragments and holes."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

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
    # Of four regions, the background's one of them, the square is in two fragments, one of which has a hole; the bar is
    # whole, and the pair at the right is lost.
    assert fragments_and_holes(prediction, TRUTH) == (2 / 4, 1 / 2)
    assert fragments_and_holes(TRUTH, TRUTH) == (0, 0)
    opposite = fragments_and_holes(~TRUTH, TRUTH)
    assert opposite[0] == 1
    assert math.isnan(opposite[1])


def test_neither_everything_nor_nothing_is_whole() -> None:
    for constant in (np.ones_like(TRUTH), np.zeros_like(TRUTH)):
        lost, enclosed = fragments_and_holes(constant, TRUTH)
        assert lost > 0
        assert math.isnan(enclosed)
    # Nearly everything foreground isn't better: its one background pixel is a fragment of the background, but shows
    # no region.
    nearly = np.ones_like(TRUTH)
    nearly[3, 8] = False
    assert math.isnan(fragments_and_holes(nearly, TRUTH)[1])
    # Two regions of the background that a false bridge has joined are one too few, or one more fragment.
    wall = drawn("...#... ...#... ...#...")
    assert fragments_and_holes(np.zeros_like(wall), wall)[0] == 1 / 3
    assert fragments_and_holes(wall | drawn("...#... ####... ...#..."), wall)[0] == 1 / 3


def test_a_hole_of_the_truth_is_none_of_the_prediction() -> None:
    ring = drawn("### #.# ###")
    assert fragments_and_holes(ring, ring) == (0, 0)
    full = np.ones((2, 2), dtype=bool)
    assert fragments_and_holes(full, full) == (0, 0)


def test_volumes() -> None:
    truth = np.zeros((6, 6, 6), dtype=bool)
    truth[1:4, 1:4, 1:4] = True
    hollow = truth.copy()
    hollow[2, 2, 2] = False
    assert fragments_and_holes(hollow, truth) == (0, 1)
    assert false_negatives_and_positives(hollow, truth) == (0, 0)


def test_what_is_ignored_makes_no_fragment_and_mends_none() -> None:
    truth = drawn("""
        .........
        .###.###.
        .###.###.
        .........
    """)
    unknown = np.zeros_like(truth)
    unknown[:, 4] = True

    def of(prediction: Mask) -> tuple[float, float]:
        pair = MaskPair(prediction, truth, ignored=unknown)
        return fragments(pair), false_positives(pair)

    bridged, alone = truth.copy(), truth.copy()
    bridged[1:3, 4] = True  # what joins the two where nobody knows
    alone[0, 4] = True
    assert of(truth) == of(bridged) == of(alone) == (0, 0)
    cut = truth.copy()
    cut[:, 2] = False  # of the known pixels, a column within the first
    regions = 2 + ndimage.label(~truth | unknown)[1]
    assert of(cut) == (1 / regions, 0)


def test_what_is_ignored_is_no_background() -> None:
    truth, ignored = np.zeros((20, 20), dtype=bool), np.zeros((20, 20), dtype=bool)
    truth[5:15, 5:15], ignored[6:14:2, 6:14:2] = True, True
    broken = truth.copy()
    broken[:, [8, 12]] = False
    assert fragments(MaskPair(broken, truth, ignored=ignored)) == fragments(MaskPair(broken, truth)) == 1.0
    unknown = np.ones_like(truth)
    unknown[5:17, 5:17] = False
    everything = np.ones_like(truth)
    assert fragments(MaskPair(everything, truth, ignored=unknown)) == 0.5  # the background is lost
    assert fragments(MaskPair(truth, truth, ignored=everything)) == 0
    assert np.isnan(holes(MaskPair(everything, truth, ignored=unknown)))
