"""From numbers to words: is a claim supported, on a data set, for a model and a reference?

Every claim comes down to an advantage, above 0 if the claim is right. The rule stands in params.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from multiresunet.config import Verdict
from multiresunet.evaluation.evidence import Pair
from multiresunet.evaluation.statistics.design import Advantage
from multiresunet.evaluation.statistics.effects import Values
from multiresunet.evaluation.statistics.significance import benjamini_hochberg, holm

Correct = Callable[[Sequence[float]], Values]

SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE = "supported", "not supported", "inconclusive"
CONFIRMATORY, EXPLORATORY, SAME_NETWORK = "confirmatory", "exploratory", "same network"
PRELIMINARY = "preliminary: "
"""How the reason of a verdict begins that too few seeds keep inconclusive."""
COLUMNS = (
    *("claim", "measure", "decisive", "family", "model", "reference", "of_model", "of_reference"),
    *("advantage", "low", "high", "unit", "min_effect", "p", "p_corrected", "p_below", "effect"),
    *("folds_agree", "p_folds", "units", "seeds", "verdict", "reason"),
)


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

    measure: what was compared; one of a claim's findings decides its verdict (`decisive`).
    of_model, of_reference: the measure for each of the two, in `unit`.
    min_effect: the smallest advantage of interest, in `unit`.
    objection: why the verdict is inconclusive, whatever the numbers; empty if there is no such reason.
    lacks: why the claim isn't supported even if the numbers are; empty if there is no such reason.
    bounded: why a relevant advantage couldn't be seen if there were one; empty if there is no such reason.
    images: how many independent images there are, where not they but folds were compared.
    """

    claim: str
    measure: str
    pair: Pair
    of_model: float
    of_reference: float
    advantage: Advantage
    unit: str
    min_effect: float
    decisive: bool = False
    objection: str = ""
    lacks: str = ""
    bounded: str = ""
    images: int | None = None


def judge(finding: Finding, p: float, p_below: float, rule: Verdict) -> tuple[str, str]:
    """Verdict on a finding, and its reason.

    Args:
        finding: the numbers.
        p: its p-value, corrected for the number of comparisons.
        p_below: of an advantage as large as the smallest of interest, corrected likewise.
        rule: from params.yaml.
    """
    verdict, reason = _of_numbers(finding, p, p_below, rule)
    seeds = finding.advantage.seeds
    if verdict != INCONCLUSIVE and seeds < rule.seeds:
        few = f"{seeds} seed{'s' * (seeds > 1)}; {rule.seeds} are needed, since another training may say otherwise"
        return INCONCLUSIVE, f"{PRELIMINARY}{verdict} with {few}"
    return verdict, reason


def _of_numbers(finding: Finding, p: float, p_below: float, rule: Verdict) -> tuple[str, str]:
    a = finding.advantage
    if finding.objection:
        return INCONCLUSIVE, finding.objection
    if len(a.folds) < rule.folds:
        return INCONCLUSIVE, f"{len(a.folds)} folds are too few; {rule.folds} are needed"
    images = a.units if finding.images is None else finding.images
    if images < rule.units:
        few = "1 independent image is" if images == 1 else f"{images} independent images are"
        return INCONCLUSIVE, f"{few} too few; {rule.units} are needed"
    if math.isnan(a.low) or math.isnan(p):
        return INCONCLUSIVE, "nothing to compare"
    if a.high < finding.min_effect and p_below < rule.level / 2:
        if a.high < 0 and p < rule.level:
            return NOT_SUPPORTED, "worse"
        return (INCONCLUSIVE, finding.bounded) if finding.bounded else (NOT_SUPPORTED, "no relevant effect")
    if a.high < finding.min_effect:
        return INCONCLUSIVE, "that there is no relevant effect may be chance"
    if a.value < finding.min_effect:
        return INCONCLUSIVE, "the interval includes both a relevant effect and none"
    if a.low <= 0 or p >= rule.level:
        return INCONCLUSIVE, "the advantage may be chance"
    if a.agreeing < rule.folds_agree or a.of_folds <= 0:
        return INCONCLUSIVE, f"only {a.agreeing:.0%} of the folds agree"
    return (INCONCLUSIVE, finding.lacks) if finding.lacks else (SUPPORTED, "")


def table(findings: Sequence[Finding], rule: Verdict, confirmatory: Sequence[str]) -> pd.DataFrame:
    """All findings on a data set with verdicts.

    A pair's decisive findings are corrected together by Holm's method, so that one false finding among them is rare;
    all other findings by Benjamini and Hochberg's, so that few of them are false.

    Args:
        findings: on all claims and pairs.
        rule: from params.yaml.
        confirmatory: the pair, model and reference, whose decisive findings were planned; the rest is exploratory.

    Returns:
        Columns: `COLUMNS`; low and high are the advantage's interval, p_corrected and p_below the corrected p-values of
        no advantage and of one of `min_effect`, p_folds that of the test over folds.
    """
    tests = [[f.advantage.p for f in findings], [f.advantage.p_below(f.min_effect) for f in findings]]
    corrected = [np.full(len(findings), math.nan), np.full(len(findings), math.nan)]
    for members, correct in _families(findings):
        for values, into in zip(tests, corrected, strict=True):
            into[members] = correct([values[index] for index in members])
    rows = []
    for f, p, p_below in zip(findings, *corrected, strict=True):
        verdict, reason = judge(f, float(p), float(p_below), rule)
        rows.append(
            {
                "claim": f.claim,
                "measure": f.measure,
                "decisive": f.decisive,
                "family": _family(f, confirmatory),
                "model": f.pair.model,
                "reference": f.pair.reference,
                "of_model": f.of_model,
                "of_reference": f.of_reference,
                "advantage": f.advantage.value,
                "low": f.advantage.low,
                "high": f.advantage.high,
                "unit": f.unit,
                "min_effect": f.min_effect,
                "p": f.advantage.p,
                "p_corrected": p,
                "p_below": p_below,
                "effect": f.advantage.effect,
                "folds_agree": f.advantage.agreeing,
                "p_folds": f.advantage.p_folds,
                "units": f.advantage.units,
                "seeds": f.advantage.seeds,
                "verdict": verdict,
                "reason": reason,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _family(finding: Finding, confirmatory: Sequence[str]) -> str:
    if finding.pair.model == finding.pair.reference:
        return SAME_NETWORK
    return CONFIRMATORY if finding.decisive and finding.pair == tuple(confirmatory) else EXPLORATORY


def _families(findings: Sequence[Finding]) -> Iterator[tuple[list[int], Correct]]:
    """Which findings are corrected together, and how."""
    for pair in dict.fromkeys(f.pair for f in findings):
        yield [i for i, f in enumerate(findings) if f.decisive and f.pair == pair], holm
    yield [i for i, f in enumerate(findings) if not f.decisive], benjamini_hochberg
