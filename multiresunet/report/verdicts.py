"""The claims on the page: verdicts as a matrix for each pair of models, and the ablation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from multiresunet.config import Params
from multiresunet.evaluation.claims.ablation import STATEMENTS
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, PRELIMINARY, SUPPORTED, pairs
from multiresunet.report.answer import control_of, planned
from multiresunet.report.tables import records

CLAIMS = {
    "epochs": "Needs fewer epochs",
    "low_contrast": "Better at low-contrast boundaries",
    "perturbations": "More robust to perturbations",
    "outliers": "More reliable on outliers",
}
SIGNS = {SUPPORTED: ("yes", "✓"), NOT_SUPPORTED: ("no", "✗"), INCONCLUSIVE: ("inconclusive", "?")}
"""Of each verdict: its CSS class and its sign."""
PRELIMINARY_WORD = ", preliminary"
POINTS = ("Jaccard", "boundary F1")
"""Units of the ablation that are shares of 1."""


def in_a_sentence(claims: pd.DataFrame, loaded: Params) -> list[str]:
    """A sentence on the paper's claims: on how many data sets each is supported, in the planned comparison if any."""
    if not (pair := planned(loaded)):
        return []
    own = claims[claims["decisive"] & (claims["model"] == pair[0]) & (claims["reference"] == pair[1])]
    own = own[own["claim"].isin(list(CLAIMS))]
    supported = own[own["verdict"] == SUPPORTED].groupby("claim")["dataset"].nunique()
    total = own["dataset"].nunique()
    shown = [str(_shown(cell)["verdict_words"]) for cell in records(own)]
    if any(words.endswith(PRELIMINARY_WORD) for words in shown):
        return [_so_far(own, shown, loaded)]
    if supported.empty:
        return ["None of the paper’s four claims is supported on any data set."]
    parts = [
        f"“{title.lower()}” on {supported[name]} of {total}" for name, title in CLAIMS.items() if name in supported
    ]
    return [f"Of the paper’s four claims supported: {', '.join(parts)} data sets."]


def _so_far(own: pd.DataFrame, shown: Sequence[str], loaded: Params) -> str:
    """What the verdicts would be with seeds enough: what is supported and where, and how many are not."""
    yes = [
        f"“{CLAIMS[row['claim']].lower()}” on {row['dataset']}"
        for row, words in zip(records(own), shown, strict=True)
        if words.startswith(SUPPORTED)
    ]
    no = sum(words.startswith(NOT_SUPPORTED) for words in shown)
    seeds = f"{len(loaded.run.seeds)} of {loaded.evaluate.verdict.seeds} seeds"
    return (
        f"With {seeds} no verdict on the paper’s four claims is final. So far supported: {', '.join(yes) or 'none'}; "
        f"not supported: {no} of {len(shown)} verdicts; the rest is inconclusive."
    )


def matrices(claims: pd.DataFrame, loaded: Params) -> list[dict[str, Any]]:
    """For each pair of models the verdicts: a row a claim, a column a data set.

    The planned pair comes first, then the others beside the same control, then the rest.
    """
    decisive = {
        (row["claim"], row["model"], row["reference"], row["dataset"]): row
        for row in records(claims[claims["decisive"].astype(bool)])
    }
    control, plan, found = control_of(loaded), planned(loaded), []
    compared = pairs(loaded.run.models, loaded.evaluate.references)
    for pair in sorted(compared, key=lambda one: (one != plan, one.reference != control)):
        rows = []
        for number, (claim, title) in enumerate(CLAIMS.items(), start=1):
            cells = [decisive[(claim, *pair, name)] for name in loaded.run.datasets]
            tail = loaded.evaluate.outliers.tail
            shown = [
                cell | _shown(cell) | {"words": magnitude(claim, float(cell["advantage"]), tail)} for cell in cells
            ]
            counts = {verdict: sum(cell["verdict_words"].startswith(verdict) for cell in shown) for verdict in SIGNS}
            rows.append({"claim": claim, "title": f"{number}. {title}", "cells": shown, "counts": counts})
        found.append({"model": pair.model, "reference": pair.reference, "planned": pair == plan, "rows": rows})
    return found


def _shown(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Class, sign and word of a verdict; one that only the number of seeds keeps back shows what it would be."""
    kind, sign = SIGNS[cell["verdict"]]
    if str(cell["reason"]).startswith(PRELIMINARY):
        would = next(v for v in (NOT_SUPPORTED, SUPPORTED) if v in cell["reason"])
        why = str(cell["reason"]).removeprefix(f"{PRELIMINARY}{would} with ")
        return {"kind": kind, "sign": SIGNS[would][1], "verdict_words": f"{would}{PRELIMINARY_WORD}", "reason": why}
    return {"kind": kind, "sign": sign, "verdict_words": cell["verdict"]}


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
            return (
                f"{'saves' if advantage >= 0 else 'takes'} {100 * size:.0f} % of the epochs{' more' * (advantage < 0)}"
            )
        case "low_contrast":
            return f"error grows {size:.2f} px {'less' if advantage >= 0 else 'more'} towards low contrast"
        case "perturbations":
            return f"retains {100 * size:.1f} points {'more' if advantage >= 0 else 'less'}"
        case _:
            return f"worst {100 * tail:.0f} %: {100 * size:.1f} points {'better' if advantage >= 0 else 'worse'}"


def ablation(claims: pd.DataFrame, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """The statements on the two blocks, each with a verdict for each data set; empty without the four networks.

    None stands for a data set on which there is nothing to compare.
    """
    rows = []
    for statement in STATEMENTS:
        part = claims[(claims["claim"] == "ablation") & (claims["measure"] == statement.words)]
        if len(part):
            cells = {
                cell["dataset"]: cell | _shown(cell) | {"words": amount(cell["advantage"], cell["unit"])}
                for cell in records(part)
            }
            shown = [cells.get(name) for name in datasets]
            rows.append({"statement": statement.words, "expected": statement.expected, "cells": shown})
    return rows


def amount(value: float, unit: str) -> str:
    """An advantage of the ablation with its unit; shares of 1 in points, as everywhere on the page."""
    if not math.isfinite(value):
        return "nothing to compare"
    if unit in POINTS:
        return f"{100 * value:+.1f} {unit} points"
    return f"{abs(value):.2f} {'fewer' if value >= 0 else 'more'} {unit}"  # of flaws, fewer are an advantage
