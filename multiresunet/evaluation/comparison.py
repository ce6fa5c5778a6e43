"""All that is said of the models of a data set: intervals, comparisons of every pair, and the four claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from multiresunet.config import Evaluate
from multiresunet.evaluation import BASELINES, statistics, tables
from multiresunet.evaluation.claims import ablation, epochs, low_contrast, outliers, robustness, verdict
from multiresunet.evaluation.claims.verdict import Bench, Finding

COMPARED = (
    *("model", "other", "measure", "difference", "low", "high", "p", "p_holm"),
    *("effect", "wins", "units", "folds_agree", "note"),
)


@dataclass(frozen=True)
class Evidence:
    """What was measured on a data set.

    images: each model's scores and the baselines ones', model by model in the data set's order.
    history: model, fold, epoch, test_jaccard.
    lost: from `robustness.drops`.
    low_contrast: each model's segments, from `low_contrast.measure`.
    distances: each image's to the training images.
    """

    images: pd.DataFrame
    history: pd.DataFrame
    lost: pd.DataFrame
    low_contrast: dict[str, pd.DataFrame]
    distances: pd.Series

    def of(self, model: str) -> pd.DataFrame:
        """One model's scores, in the data set's order."""
        return self.images[self.images["model"] == model].reset_index(drop=True)

    def unlearnt(self, models: Sequence[str], margin: float) -> str:
        """An objection if one of the models, in any fold, isn't `margin` better than what learns nothing; or empty."""
        means = self.images.pivot_table(index="fold", columns="model", values="jaccard")
        baselines = means[list(BASELINES)].max(axis=1)
        poor = {model: int((means[model] < baselines + margin).sum()) for model in models}
        said = [f"{m} hardly beats what learns nothing in {n} of {len(means)} folds" for m, n in poor.items() if n]
        return " and ".join(said)


def pairs(models: Sequence[str], references: Sequence[str]) -> list[tuple[str, str]]:
    """Who is held against whom: each model against each reference of the run, a reference only against earlier ones."""
    known = [reference for reference in references if reference in models]
    return [
        (model, reference)
        for position, reference in enumerate(known)
        for model in models
        if model not in known[: position + 1]
    ]


def bench_of(images: pd.DataFrame, settings: Evaluate, seed: int, *, grouped: bool) -> Bench:
    """The folds and independent units of one model's images, with random samples.

    The units are groups where the data set says that groups bind images together (`grouped`), else images.
    """
    groups = images["group"].fillna("").astype(str) if grouped else [""] * len(images)
    units = statistics.units_of(list(groups))
    return Bench(images["fold"].to_numpy(dtype=np.int64), units, settings.statistics, seed)


def claims(
    evidence: Evidence, models: Sequence[str], networks: dict[str, str], bench: Bench, settings: Evaluate
) -> pd.DataFrame:
    """Verdicts on the four claims and the ablation, for every pair: columns of `verdict.table`.

    Args:
        evidence: what was measured.
        models: of the run.
        networks: from a network's name to the model that stands for it in the ablation.
        bench: from `bench_of`.
        settings: from params.yaml.
    """
    rule, found = settings.verdict, list[Finding]()
    for pair in pairs(models, settings.references):
        model, reference = pair
        ours, theirs = (evidence.of(name)["jaccard"].to_numpy(dtype=float) for name in pair)
        both, its = evidence.unlearnt(pair, rule.above_baselines), evidence.unlearnt([reference], rule.above_baselines)
        of_pair = epochs.findings(
            evidence.history, model, reference, bench, settings.epochs, rule.min_effect["epochs"], its
        )
        of_pair += low_contrast.findings(
            evidence.low_contrast[model],
            evidence.low_contrast[reference],
            pair,
            bench,
            settings.low_contrast.lowest_share,
            rule.min_effect["low_contrast"],
        )
        samples = evidence.of(model)["sample"].tolist()
        of_pair += robustness.findings(evidence.lost, samples, *pair, bench, rule.min_effect["perturbations"], both)
        distances = evidence.distances.to_numpy(dtype=float)
        of_pair += outliers.findings(
            ours, theirs, distances, pair, bench, settings.outliers, rule.min_effect["outliers"]
        )
        found += [replace(finding, caveat=its) for finding in of_pair]
    tables = {model: evidence.of(model) for model in models}
    found += ablation.findings(tables, networks, bench, settings.tolerances[0], rule.min_effect)
    return verdict.table(found, rule)


def intervals(evidence: Evidence, bench: Bench, settings: Evaluate) -> pd.DataFrame:
    """Every score of every model: mean and deviation over folds, and the interval of the mean over images.

    Columns: model, measure, mean, sd, low, high, images, folds.
    """
    names = [*tables.SCORES, *tables.measures(settings.tolerances)]
    folds = tables.per_fold(evidence.images, names)
    rows = []
    for model, part in folds.groupby("model", sort=False):
        table = evidence.of(str(model))
        for name in names:
            values = table[name].to_numpy(dtype=float)
            low, high = bench.resamples.interval_of_mean(values, settings.statistics.confidence)
            about = {"model": model, "measure": name, "mean": part[name].mean(), "sd": part[name].std(ddof=1)}
            known = int(np.isfinite(values).sum())
            rows.append(about | {"low": low, "high": high, "images": known, "folds": len(part)})
    return pd.DataFrame(rows)


def comparisons(evidence: Evidence, models: Sequence[str], bench: Bench, settings: Evaluate) -> pd.DataFrame:
    """Every pair of models on every overlap and boundary score, p-values corrected for all of them together.

    The difference is above 0 where the first model is better. Columns: model, other, measure, difference, low, high, p,
    p_holm, effect (Cohen's d), wins, units, folds_agree, note.
    """
    kinds = ("boundary", "nsd", "hd95", "asd")
    near = [name for name in tables.measures(settings.tolerances) if name.startswith(kinds)]
    rows = []
    for other, model in combinations(models, 2):
        ours, theirs = evidence.of(model), evidence.of(other)
        for name in ("jaccard", "dice", *near):
            sign = -1 if name in tables.LOWER_IS_BETTER else 1
            gain = sign * (ours[name] - theirs[name]).to_numpy(dtype=float)
            a = bench.paired(gain)
            rows.append(
                {
                    "model": model,
                    "other": other,
                    "measure": name,
                    "difference": a.value,
                    "low": a.low,
                    "high": a.high,
                    "p": a.p,
                    "p_holm": math.nan,
                    "effect": a.effect,
                    "wins": statistics.wins(gain),
                    "units": a.units,
                    "folds_agree": a.agreeing,
                    "note": note(a.units, len(a.folds), settings),
                }
            )
    table = pd.DataFrame(rows, columns=list(COMPARED))
    table["p_holm"] = statistics.holm(table["p"].tolist())
    return table


def note(units: int, folds: int, settings: Evaluate) -> str:
    """What is too few to say anything; empty if nothing is."""
    rule = settings.verdict
    few = [f"{units} independent images"] * (units < rule.units) + [f"{folds} folds"] * (folds < rule.folds)
    return f"too few to say anything: {' and '.join(few)}" if few else ""
