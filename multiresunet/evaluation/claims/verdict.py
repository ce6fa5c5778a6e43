"""From numbers to words: does a claim hold, on a data set, for a model against a reference?

Every claim comes down to an advantage, above 0 if the claim is right. The rule is written in params.yaml.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Statistics, Verdict
from multiresunet.evaluation import statistics
from multiresunet.evaluation.statistics import Resamples, Values

SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE = "supported", "not supported", "inconclusive"


@dataclass(frozen=True)
class Advantage:
    """How much better a model is than a reference.

    low, high: interval of the value. p: two-sided, of no difference. effect: Cohen's d of the paired differences.
    folds: each fold's own value. units: independent images (or folds, where these are what was compared).
    """

    value: float
    low: float
    high: float
    p: float
    effect: float
    folds: tuple[float, ...]
    units: int

    @property
    def agreeing(self) -> float:
        """Share of the folds whose own value is above 0."""
        known = [value for value in self.folds if not math.isnan(value)]
        return sum(value > 0 for value in known) / len(known) if known else math.nan


class Bench:
    """What all comparisons on a data set share: its folds and units, and one set of random samples."""

    def __init__(self, folds: NDArray[np.int64], units: NDArray[np.int64], settings: Statistics, seed: int) -> None:
        """Draw the samples.

        Args:
            folds: of each image.
            units: of each image, from `statistics.units_of`.
            settings: how many samples, and the intervals' confidence.
            seed: of the draws.
        """
        self.folds, self.units, self.settings = folds, units, settings
        self.resamples = Resamples(units, settings.resamples, seed)
        self.flips = statistics.sign_flips(units, settings.resamples, seed + 1)

    def paired(self, differences: Values) -> Advantage:
        """Mean difference over images; images whose difference isn't a number don't count."""
        known = np.isfinite(differences)
        if not known.any():
            return Advantage(math.nan, math.nan, math.nan, math.nan, math.nan, self._by_fold(differences), 0)
        low, high = self.resamples.interval_of_mean(differences, self.settings.confidence)
        return Advantage(
            float(differences[known].mean()),
            low,
            high,
            statistics.paired_p(differences, self.flips),
            statistics.cohen_d(differences),
            self._by_fold(differences),
            np.unique(self.units[known]).size,
        )

    def tails(self, model: Values, reference: Values, share: float) -> Advantage:
        """Difference of the two networks' own tail means: each is judged by its own worst images."""

        def difference(first: Values, second: Values, weights: Values) -> Values:
            return statistics.tail_mean(first, weights, share) - statistics.tail_mean(second, weights, share)

        ones = np.ones_like(model)
        low, high = self.resamples.interval(
            difference(model, reference, self.resamples.weights), self.settings.confidence
        )
        # Under the null the networks may change names on any unit.
        first = np.where(self.flips > 0, model, reference)
        second = np.where(self.flips > 0, reference, model)
        parts = [self.folds == fold for fold in np.unique(self.folds)]
        return Advantage(
            float(difference(model, reference, ones)),
            low,
            high,
            statistics.permutation_p(difference(first, second, ones)),
            statistics.cohen_d(model - reference),
            tuple(float(difference(model[part], reference[part], ones[part])) for part in parts),
            int(self.units.max()) + 1,
        )

    def over_folds(self, differences: Values) -> Advantage:
        """Mean of one difference a fold, with the correction for training sets that overlap."""
        low, high, p = statistics.corrected_t(differences, 1 / (len(differences) - 1), self.settings.confidence)
        effect, folds = statistics.cohen_d(differences), tuple(map(float, differences))
        return Advantage(float(differences.mean()), low, high, p, effect, folds, len(folds))

    def _by_fold(self, differences: Values) -> tuple[float, ...]:
        parts = (differences[(self.folds == fold) & np.isfinite(differences)] for fold in np.unique(self.folds))
        return tuple(float(part.mean()) if part.size else math.nan for part in parts)


@dataclass(frozen=True)
class Finding:
    """One number on a claim, for one model and reference.

    measure: what was compared; a claim's first finding is the one that its verdict stands on (`decisive`).
    of_model, of_reference: the two sides of it, in `unit`.
    objection: why nothing can be told, whatever the numbers; empty if nothing stands against it.
    caveat: what to bear in mind if the claim holds.
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

    Columns: claim, measure, decisive, model, reference, of_model, of_reference, advantage, low, high, unit, min_effect, p,
    p_holm, effect, folds_agree, units, verdict, reason.
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
        corrected[family] = statistics.holm([findings[index].advantage.p for index in family])
    result["p_holm"] = corrected
    verdicts = [judge(f, p, rule) for f, p in zip(findings, corrected, strict=True)]
    result["verdict"], result["reason"] = ([v[part] for v in verdicts] for part in (0, 1))
    return result[list(COLUMNS)]


COLUMNS = (
    "claim",
    "measure",
    "decisive",
    "model",
    "reference",
    "of_model",
    "of_reference",
    "advantage",
    "low",
    "high",
    "unit",
    "min_effect",
    "p",
    "p_holm",
    "effect",
    "folds_agree",
    "units",
    "verdict",
    "reason",
)
