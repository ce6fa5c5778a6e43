"""The statistics of a data set: intervals of every score, comparisons of every pair of models, and the claims."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from multiresunet.config import Evaluate
from multiresunet.evaluation import TOO_FEW, metrics, tables
from multiresunet.evaluation.claims import ablation, epochs, low_contrast, outliers, robustness, verdict
from multiresunet.evaluation.claims.verdict import Finding
from multiresunet.evaluation.evidence import Evidence, Sides
from multiresunet.evaluation.statistics.design import ComparisonDesign
from multiresunet.evaluation.statistics.effects import wins
from multiresunet.evaluation.statistics.resampling import units_of
from multiresunet.evaluation.statistics.significance import benjamini_hochberg

COMPARED = (
    *("model", "other", "measure", "difference", "low", "high", "p", "p_corrected"),
    *("effect", "wins", "units", "seeds", "folds_agree", "p_folds", "note"),
)


def design_of(
    images: pd.DataFrame, settings: Evaluate, seed: int, *, grouped: bool, one_block: bool = False
) -> ComparisonDesign:
    """The folds and independent units of one model's images, with random samples.

    The units are groups where the data set says that groups bind images together (`grouped`), else images; all images
    are one unit where they are neighbours in one specimen (`one_block`).

    Args:
        images: with one seed, in the data set's order.
        settings: from params.yaml.
        seed: of the samples.
        grouped, one_block: as above.
    """
    groups = images["group"].fillna("").astype(str) if grouped else [""] * len(images)
    if one_block:
        groups = ["block"] * len(images)
    units = units_of(list(groups))
    return ComparisonDesign(images["fold"].to_numpy(dtype=np.int64), units, settings.statistics, seed)


def claims(
    evidence: Evidence, models: Sequence[str], networks: Mapping[str, str], design: ComparisonDesign, settings: Evaluate
) -> pd.DataFrame:
    """Verdicts on the four claims for every pair, on the ablation, and on each network beside itself.

    A model or reference that hardly beats the baselines leaves every finding on it inconclusive. Of a model with
    several seeds the first two are compared like two models: whatever is found there is chance.

    Args:
        evidence: what was measured.
        models: of the run.
        networks: from a network's name to the model that stands for it in the ablation.
        design: from `design_of`.
        settings: from params.yaml.

    Returns:
        Columns of `verdict.table`.
    """
    rule, found = settings.verdict, list[Finding]()
    sides = {model: evidence.side(model) for model in models}
    compared = [Sides(sides[m], sides[reference]) for m, reference in verdict.pairs(models, settings.references)]
    for pair in compared:
        found += of_pair(pair, evidence, design, settings)
    found += ablation.findings(sides, networks, design, settings)
    for side in sides.values():
        if len(side.seeds) > 1:
            itself = Sides(*(side.of_seed(seed) for seed in side.seeds[:2]))
            found += [finding for finding in of_pair(itself, evidence, design, settings) if finding.decisive]
    objections = {
        pair: evidence.objection(list(dict.fromkeys(pair)), rule.above_baselines) for pair in {f.pair for f in found}
    }
    judged = [replace(finding, objection=objections[finding.pair]) for finding in found]
    return verdict.table(judged, rule, settings.confirmatory)


def of_pair(sides: Sides, evidence: Evidence, design: ComparisonDesign, settings: Evaluate) -> list[Finding]:
    """The findings on the four claims for one pair."""
    return [
        *epochs.findings(sides, design, settings),
        *low_contrast.findings(sides, design, settings),
        *robustness.findings(sides, design, settings),
        *outliers.findings(sides, evidence.distances, design, settings),
    ]


def intervals(evidence: Evidence, design: ComparisonDesign, settings: Evaluate) -> pd.DataFrame:
    """Every score of every model and baseline: mean and deviation over folds, interval over images and seeds.

    Columns: model, measure, mean, sd, low, high, images, folds, seeds.
    """
    names = metrics.names(settings.tolerances)
    folds = tables.per_fold(evidence.images, names)
    rows = []
    for model, part in folds.groupby("model", sort=False):
        side = evidence.side(str(model))
        for name in names:
            values = side.scores(name)
            low, high = design.interval(values)
            about = {"model": model, "measure": name, "mean": part[name].mean(), "sd": part[name].std(ddof=1)}
            known = int(np.isfinite(values).any(axis=1).sum())
            rows.append(
                about | {"low": low, "high": high, "images": known, "folds": len(part), "seeds": values.shape[1]}
            )
    return pd.DataFrame(rows)


def comparisons(
    evidence: Evidence, models: Sequence[str], design: ComparisonDesign, settings: Evaluate
) -> pd.DataFrame:
    """Every pair of models on every metric that is `compared`; p-values corrected together, by Benjamini and Hochberg.

    The difference is above 0 where the first model is better. Columns: model, other, measure, difference, low, high, p,
    p_corrected, effect (Cohen's d), wins, units, seeds, folds_agree, p_folds, note.
    """
    compared = [column for column in metrics.columns(settings.tolerances) if column.compared]
    sides, rows = {model: evidence.side(model) for model in models}, []
    for other, model in combinations(models, 2):
        for column in compared:
            sign = -1 if column.lower_is_better else 1
            ours, theirs = Sides(sides[model], sides[other]).scores(column.name)
            differences = sign * (ours - theirs)
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
                    "p_corrected": math.nan,
                    "effect": a.effect,
                    "wins": wins(differences.mean(axis=1)),
                    "units": a.units,
                    "seeds": a.seeds,
                    "folds_agree": a.agreeing,
                    "p_folds": a.p_folds,
                    "note": note(a.units, len(a.folds), a.seeds, settings),
                }
            )
    table = pd.DataFrame(rows, columns=list(COMPARED))
    table["p_corrected"] = benjamini_hochberg(table["p"].tolist())
    return table


def note(units: int, folds: int, seeds: int, settings: Evaluate) -> str:
    """What there is too little of for any conclusion, or for one on architectures; empty if there is enough."""
    rule = settings.verdict
    few = [f"{units} independent image{'s' * (units != 1)}"] * (units < rule.units) + [f"{folds} folds"] * (
        folds < rule.folds
    )
    if few:
        return f"{TOO_FEW} {' and '.join(few)}"
    return f"preliminary: {seeds} of {rule.seeds} seeds" if seeds < rule.seeds else ""
