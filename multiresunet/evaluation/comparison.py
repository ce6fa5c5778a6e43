"""The statistics of a data set: intervals of every score, comparisons of every pair of models, and the claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from multiresunet.config import Evaluate
from multiresunet.evaluation import BASELINES, metrics, tables
from multiresunet.evaluation.claims import ablation, epochs, low_contrast, outliers, robustness, verdict
from multiresunet.evaluation.claims.verdict import Finding
from multiresunet.evaluation.statistics.design import ComparisonDesign
from multiresunet.evaluation.statistics.effects import wins
from multiresunet.evaluation.statistics.resampling import units_of
from multiresunet.evaluation.statistics.significance import holm

COMPARED = (
    *("model", "other", "measure", "difference", "low", "high", "p", "p_holm"),
    *("effect", "wins", "units", "folds_agree", "note"),
)


@dataclass(frozen=True)
class Evidence:
    """What was measured on a data set.

    images: scores of each model and each baseline, model by model, in the data set's order.
    history: model, fold, epoch, test_jaccard.
    lost: from `robustness.drops`.
    low_contrast: each model's segments, from `low_contrast.measure`.
    distances: from each image to the training images.
    """

    images: pd.DataFrame
    history: pd.DataFrame
    lost: pd.DataFrame
    low_contrast: dict[str, pd.DataFrame]
    distances: pd.Series

    def of(self, model: str) -> pd.DataFrame:
        """One model's scores, in the data set's order."""
        return self.images[self.images["model"] == model].reset_index(drop=True)

    def objection(self, models: Sequence[str], margin: float) -> str:
        """Which of the models don't beat the best baseline by `margin`, and in how many folds; empty if all do."""
        means = self.images.pivot_table(index="fold", columns="model", values="jaccard")
        baselines = means[list(BASELINES)].max(axis=1)
        poor = {model: int((means[model] < baselines + margin).sum()) for model in models}
        return " and ".join(
            f"{m} hardly beats the baselines in {n} of {len(means)} folds" for m, n in poor.items() if n
        )


def design_of(images: pd.DataFrame, settings: Evaluate, seed: int, *, grouped: bool) -> ComparisonDesign:
    """The folds and independent units of one model's images, with random samples.

    The units are groups where the data set says that groups bind images together (`grouped`), else images.
    """
    groups = images["group"].fillna("").astype(str) if grouped else [""] * len(images)
    units = units_of(list(groups))
    return ComparisonDesign(images["fold"].to_numpy(dtype=np.int64), units, settings.statistics, seed)


def claims(
    evidence: Evidence, models: Sequence[str], networks: dict[str, str], design: ComparisonDesign, settings: Evaluate
) -> pd.DataFrame:
    """Verdicts on the four claims for every pair, and on the ablation: columns of `verdict.table`.

    Args:
        evidence: what was measured.
        models: of the run.
        networks: from a network's name to the model that stands for it in the ablation.
        design: from `design_of`.
        settings: from params.yaml.
    """
    rule, found = settings.verdict, list[Finding]()
    for pair in verdict.pairs(models, settings.references):
        model, reference = pair
        both, its = (evidence.objection(names, rule.above_baselines) for names in (pair, [reference]))
        of_pair = epochs.findings(evidence.history, pair, design, settings.epochs, rule.min_effect["epochs"], its)
        of_pair += low_contrast.findings(
            evidence.low_contrast[model],
            evidence.low_contrast[reference],
            pair,
            design,
            settings.low_contrast.lowest_share,
            rule.min_effect["low_contrast"],
        )
        samples = evidence.of(model)["sample"].tolist()
        of_pair += robustness.findings(evidence.lost, samples, pair, design, rule.min_effect["perturbations"], both)
        ours, theirs = (evidence.of(name)["jaccard"].to_numpy(dtype=float) for name in pair)
        distances = evidence.distances.to_numpy(dtype=float)
        of_pair += outliers.findings(
            (ours, theirs), distances, pair, design, settings.outliers, rule.min_effect["outliers"]
        )
        found += [replace(finding, caveat=its) for finding in of_pair]
    tables = {model: evidence.of(model) for model in models}
    found += ablation.findings(tables, networks, design, settings.tolerances[0], rule.min_effect)
    return verdict.table(found, rule)


def intervals(evidence: Evidence, design: ComparisonDesign, settings: Evaluate) -> pd.DataFrame:
    """Every score of every model and baseline: mean and deviation over folds, and the interval of the mean over images.

    Columns: model, measure, mean, sd, low, high, images, folds.
    """
    names = metrics.names(settings.tolerances)
    folds = tables.per_fold(evidence.images, names)
    rows = []
    for model, part in folds.groupby("model", sort=False):
        table = evidence.of(str(model))
        for name in names:
            values = table[name].to_numpy(dtype=float)
            low, high = design.resamples.interval_of_mean(values, settings.statistics.confidence)
            about = {"model": model, "measure": name, "mean": part[name].mean(), "sd": part[name].std(ddof=1)}
            known = int(np.isfinite(values).sum())
            rows.append(about | {"low": low, "high": high, "images": known, "folds": len(part)})
    return pd.DataFrame(rows)


def comparisons(
    evidence: Evidence, models: Sequence[str], design: ComparisonDesign, settings: Evaluate
) -> pd.DataFrame:
    """Every pair of models on every metric that is `compared`, p-values corrected for all of them together.

    The difference is above 0 where the first model is better. Columns: model, other, measure, difference, low, high, p,
    p_holm, effect (Cohen's d), wins, units, folds_agree, note.
    """
    compared = [column for column in metrics.columns(settings.tolerances) if column.compared]
    rows = []
    for other, model in combinations(models, 2):
        ours, theirs = evidence.of(model), evidence.of(other)
        for column in compared:
            sign = -1 if column.lower_is_better else 1
            differences = sign * (ours[column.name] - theirs[column.name]).to_numpy(dtype=float)
            a = design.paired(differences)
            rows.append(
                {
                    "model": model,
                    "other": other,
                    "measure": column.name,
                    "difference": a.value,
                    "low": a.low,
                    "high": a.high,
                    "p": a.p,
                    "p_holm": math.nan,
                    "effect": a.effect,
                    "wins": wins(differences),
                    "units": a.units,
                    "folds_agree": a.agreeing,
                    "note": note(a.units, len(a.folds), settings),
                }
            )
    table = pd.DataFrame(rows, columns=list(COMPARED))
    table["p_holm"] = holm(table["p"].tolist())
    return table


def note(units: int, folds: int, settings: Evaluate) -> str:
    """What there is too little of for any conclusion; empty if there is enough."""
    rule = settings.verdict
    few = [f"{units} independent images"] * (units < rule.units) + [f"{folds} folds"] * (folds < rule.folds)
    return f"too few to say anything: {' and '.join(few)}" if few else ""
