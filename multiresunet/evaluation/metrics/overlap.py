"""Overlap of a prediction P with the truth T, in pixels. All are 1 if both masks are empty, and 0 if one is."""

from __future__ import annotations

from multiresunet.evaluation.masks import MaskPair
from multiresunet.registries import METRICS


@METRICS.register("jaccard", headline=True, compared=True)
def jaccard(masks: MaskPair) -> float:
    """Jaccard index |P∩T| / |P∪T|."""
    both, predicted, true = masks.counts
    return both / (predicted + true - both) if predicted or true else 1.0


@METRICS.register("dice", headline=True, compared=True)
def dice(masks: MaskPair) -> float:
    """Dice coefficient 2|P∩T| / (|P|+|T|)."""
    both, predicted, true = masks.counts
    return 2 * both / (predicted + true) if predicted or true else 1.0


@METRICS.register("precision")
def precision(masks: MaskPair) -> float:
    """|P∩T| / |P|."""
    both, predicted, true = masks.counts
    return both / predicted if predicted else float(not true)


@METRICS.register("recall")
def recall(masks: MaskPair) -> float:
    """|P∩T| / |T|."""
    both, predicted, true = masks.counts
    return both / true if true else float(not predicted)
