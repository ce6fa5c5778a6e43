"""From numbers to words: is a claim supported, on a data set, for a model and a reference?

Every claim comes down to an advantage, above 0 if the claim is right. The rule stands in params.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from multiresunet.config import Verdict
from multiresunet.evaluation.statistics.design import Advantage
from multiresunet.evaluation.statistics.significance import holm

SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE = "supported", "not supported", "inconclusive"
COLUMNS = (
    *("claim", "measure", "decisive", "model", "reference", "of_model", "of_reference"),
    *("advantage", "low", "high", "unit", "min_effect", "p", "p_holm", "effect", "folds_agree", "units"),
    *("verdict", "reason"),
)


class Pair(NamedTuple):
    """The two models of a comparison: the advantage is the model's over the reference."""

    model: str
    reference: str


def pairs(models: Sequence[str], references: Sequence[str]) -> list[Pair]:
    """Which models are compared: each with every reference of the run, a reference only with earlier ones."""
    known = [reference for reference in references if reference in models]
    return [
        Pair(model, reference)
        for position, reference in enumerate(known)
        for model in models
        if model not in known[: position + 1]
    ]


@dataclass(frozen=True)
class Finding:
    """One number on a claim, for one model and reference.

    measure: what was compared; a claim's first finding decides its verdict (`decisive`).
    of_model, of_reference: the measure for each of the two, in `unit`.
    min_effect: the smallest advantage of interest, in `unit`.
    objection: why the verdict is inconclusive, whatever the numbers; empty if there is no such reason.
    caveat: what to keep in mind if the claim is supported.
    over_folds: folds, not images, were compared.
    """

    claim: str
    measure: str
    model: str
    reference: str
    of_model: float
    of_reference: float
    advantage: Advantage
    unit: str
    min_effect: float
    decisive: bool = False
    objection: str = ""
    caveat: str = ""
    over_folds: bool = False


def judge(finding: Finding, p: float, rule: Verdict) -> tuple[str, str]:
    """Verdict on a finding, and its reason.

    Args:
        finding: the numbers.
        p: its p-value, corrected for the number of comparisons.
        rule: from params.yaml.
    """
    a = finding.advantage
    if finding.objection:
        return INCONCLUSIVE, finding.objection
    if len(a.folds) < rule.folds:
        return INCONCLUSIVE, f"{len(a.folds)} folds are too few; {rule.folds} are needed"
    if not finding.over_folds and a.units < rule.units:
        return INCONCLUSIVE, f"{a.units} independent images are too few; {rule.units} are needed"
    if math.isnan(a.low) or math.isnan(p):
        return INCONCLUSIVE, "nothing to compare"
    if a.value >= finding.min_effect and a.low > 0 and p < rule.level and a.agreeing >= rule.folds_agree:
        return SUPPORTED, finding.caveat
    if a.high < finding.min_effect:
        return NOT_SUPPORTED, "worse" if a.high < 0 else "no relevant effect"
    if a.value < finding.min_effect:
        return INCONCLUSIVE, "the interval includes both a relevant effect and none"
    if a.low <= 0 or p >= rule.level:
        return INCONCLUSIVE, "the advantage may be chance"
    return INCONCLUSIVE, f"only {a.agreeing:.0%} of the folds agree"


def table(findings: list[Finding], rule: Verdict) -> pd.DataFrame:
    """All findings on a data set with verdicts; p-values corrected among the decisive ones, and among the others.

    Columns: `COLUMNS`; low and high are the advantage's interval, p_holm the corrected p, and effect Cohen's d.
    """
    rows = [
        {
            "claim": f.claim,
            "measure": f.measure,
            "decisive": f.decisive,
            "model": f.model,
            "reference": f.reference,
            "of_model": f.of_model,
            "of_reference": f.of_reference,
            "advantage": f.advantage.value,
            "low": f.advantage.low,
            "high": f.advantage.high,
            "unit": f.unit,
            "min_effect": f.min_effect,
            "p": f.advantage.p,
            "effect": f.advantage.effect,
            "folds_agree": f.advantage.agreeing,
            "units": f.advantage.units,
        }
        for f in findings
    ]
    result = pd.DataFrame(rows, columns=None if rows else COLUMNS)
    corrected = np.full(len(rows), math.nan)
    for decisive in (True, False):
        family = np.flatnonzero([f.decisive == decisive for f in findings])
        corrected[family] = holm([findings[index].advantage.p for index in family])
    result["p_holm"] = corrected
    verdicts = [judge(f, p, rule) for f, p in zip(findings, corrected, strict=True)]
    result["verdict"], result["reason"] = ([v[part] for v in verdicts] for part in (0, 1))
    return result[list(COLUMNS)]
