"""The claims on the page: verdicts as a matrix for each pair of models, and the ablation."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from multiresunet.config import Params
from multiresunet.evaluation.claims.ablation import STATEMENTS
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, pairs
from multiresunet.report.tables import records

CLAIMS = {
    "epochs": "Needs fewer epochs",
    "low_contrast": "Better at low-contrast boundaries",
    "perturbations": "More robust to perturbations",
    "outliers": "More reliable on outliers",
}
SIGNS = {SUPPORTED: ("yes", "✓"), NOT_SUPPORTED: ("no", "✗"), INCONCLUSIVE: ("inconclusive", "?")}
"""Of each verdict: its CSS class and its sign."""


def matrices(claims: pd.DataFrame, loaded: Params) -> list[dict[str, Any]]:
    """For each pair of models the verdicts: a row a claim, a column a data set; the paper's own pair first."""
    decisive = {
        (row["claim"], row["model"], row["reference"], row["dataset"]): row
        for row in records(claims[claims["decisive"].astype(bool)])
    }
    found = []
    compared = pairs(loaded.run.models, loaded.evaluate.references)
    for pair in sorted(compared, key=lambda one: one != ("multiresunet", "unet")):
        rows = []
        for claim, title in CLAIMS.items():
            cells = [decisive[(claim, *pair, name)] for name in loaded.run.datasets]
            tail = loaded.evaluate.outliers.tail
            shown = [{**cell, "words": magnitude(claim, float(cell["advantage"]), tail)} for cell in cells]
            counts = {verdict: sum(cell["verdict"] == verdict for cell in cells) for verdict in SIGNS}
            rows.append({"claim": claim, "title": title, "cells": shown, "counts": counts})
        found.append({"model": pair[0], "reference": pair[1], "rows": rows})
    return found


def magnitude(claim: str, advantage: float, tail: float) -> str:
    """How large an advantage is, in a few words.

    Args:
        claim: one of `CLAIMS`.
        advantage: in the claim's unit; below 0 if the model is worse than its reference.
        tail: the share of images that the claim on outliers is about.
    """
    if not math.isfinite(advantage):
        return "nothing to compare"
    size = abs(advantage)
    match claim:
        case "epochs":
            return f"{100 * size:.0f} % {'fewer' if advantage >= 0 else 'more'} epochs"
        case "low_contrast":
            return f"{size:.1f} px {'nearer' if advantage >= 0 else 'farther'}"
        case "perturbations":
            return f"loses {100 * size:.1f} points {'less' if advantage >= 0 else 'more'}"
        case _:
            return f"worst {100 * tail:.0f} %: {100 * size:.1f} points {'better' if advantage >= 0 else 'worse'}"


def ablation(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """The statements on the two blocks, each with its verdicts by data set; empty without the four networks."""
    rows = []
    for statement, *_, expected in STATEMENTS:
        part = claims[(claims["claim"] == "ablation") & (claims["measure"] == statement)]
        if len(part):
            rows.append({"statement": statement, "expected": expected, "cells": part.to_dict("records")})
    return rows
