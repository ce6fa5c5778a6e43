"""The charts of a data set, and the one of all data sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from multiresunet.evaluation import BASELINES
from multiresunet.report import colours, tables
from multiresunet.report.svg import Axis, Dot, Line, dots, lines
from multiresunet.report.tables import records

CAPTIONS = {
    "epochs": "Claim 1. Test score after each epoch; thin: each training, thick: their mean.",
    "low_contrast": "Claim 2. Distance between true and predicted boundary, by contrast from the lowest eighth up.",
    "perturbations": "Claim 3. Score by severity of perturbation, mean over kinds; 0: none. Ticks: what was measured.",
    "outliers": "Claim 4. Images from worst to best; the left end is the tail.",
    "reliability": "Calibration. The share of foreground among the pixels with a predicted probability.",
    "thresholds": "Score by the threshold that turns probabilities into a mask.",
}
SHARE = (0, 0.2, 0.4, 0.6, 0.8, 1)
PERCENT = Axis("Jaccard index (%)", 0, 100, (0, 20, 40, 60, 80, 100))
"""All charts of scores share this axis."""


@dataclass(frozen=True)
class Chart:
    """A chart with what it shows, in words."""

    name: str
    caption: str
    svg: str


def overview(scores: pd.DataFrame, datasets: list[str]) -> str:
    """The Jaccard index (last epoch) of every model on every data set, with its interval; baselines hollow.

    Args:
        scores: metrics/intervals.csv.
        datasets: the rows, from top to bottom.
    """
    rows = records(scores[scores["measure"] == "jaccard"])
    values = [
        Dot(r["dataset"], r["model"], *_percent(r, "mean"), colours.of(r["model"]), r["model"] in BASELINES)
        for r in rows
    ]
    return dots("Jaccard index of every model", datasets, values, PERCENT)


def forest(comparisons: pd.DataFrame, control: str, poor: Mapping[str, set[str]]) -> str:
    """How many Jaccard points each model is above the control on each data set, with the interval.

    Where the control hardly beats the baselines, words stand in the place of dots; other models that hardly do are
    hollow.

    Args:
        comparisons: metrics/comparisons.csv.
        control: the model that the others are compared with.
        poor: for each data set, from top to bottom, the models that hardly beat the baselines.
    """
    values, notes = [], {}
    for name, failed in poor.items():
        if control in failed:
            notes[name] = f"nothing to compare: {control} fails"
    for row in records(tables.above(comparisons, control)):
        if (name := row["dataset"]) in notes:
            continue
        numbers = _percent(row, "difference")
        values.append(Dot(name, row["model"], *numbers, colours.of(row["model"]), row["model"] in poor[name]))
    ends = [end for dot in values for end in (dot.low, dot.value, dot.high) if math.isfinite(end)] + [0.0]
    room = 0.04 * (max(ends) - min(ends)) or 1.0
    x = Axis(f"Jaccard points above {control}", min(ends) - room, max(ends) + room)
    return dots(f"Every model beside {control}", list(poor), values, x, notes)


def _percent(row: Mapping[str, Any], value: str) -> tuple[float, float, float]:
    middle, low, high = (100 * float(row[name]) for name in (value, "low", "high"))
    return middle, low, high


def of_dataset(evaluated: Mapping[str, pd.DataFrame]) -> list[Chart]:
    """A data set's charts.

    Args:
        evaluated: by name, the tables that `stages.evaluate` writes, of one data set.
    """
    drawn = {
        "epochs": _epochs(evaluated["history"]),
        "low_contrast": _low_contrast(evaluated["low_contrast"]),
        "perturbations": _severity(evaluated["perturbations"]),
        "outliers": _ranked(evaluated["images"]),
        "reliability": _reliability(evaluated["reliability"]),
        "thresholds": _thresholds(evaluated["thresholds"]),
    }
    return [Chart(name, CAPTIONS[name], content) for name, content in drawn.items()]


def _curves(table: pd.DataFrame, x: str, y: str, scale: float = 1) -> list[Line]:
    return [
        Line(
            str(model),
            list(zip(part[x].astype(float), scale * part[y].astype(float), strict=True)),
            colours.of(str(model)),
            dashed=model in BASELINES,
        )
        for model, part in table.groupby("model", sort=False)
    ]


def _epochs(history: pd.DataFrame) -> str:
    thin = []
    for (model, seed, fold), part in history.groupby(["model", "seed", "fold"], sort=False):
        points = list(zip(part["epoch"].astype(float), 100 * part["test_jaccard"].astype(float), strict=True))
        thin.append(Line(f"{model}, seed {seed}, fold {fold}", points, colours.of(str(model)), thin=True))
    means = history.groupby(["model", "epoch"], sort=False)["test_jaccard"].mean().reset_index()
    last = float(history["epoch"].max())
    curves = thin + _curves(means, "epoch", "test_jaccard", 100)
    return lines("Learning curves", curves, Axis("epoch", 1, max(last, 2)), PERCENT)


def _low_contrast(table: pd.DataFrame) -> str:
    eighths = table.assign(part=table.groupby("model", sort=False).cumcount() + 1)
    top = max(1.0, float(eighths["error"].max()) * 1.05)
    return lines(
        "Boundary error by contrast", _curves(eighths, "part", "error"),
        Axis("eighths of the boundary, by contrast", 1, 8, range(1, 9)), Axis("error (pixels of the network)", 0, top),
    )  # fmt: skip


def _severity(table: pd.DataFrame) -> str:
    kinds = table[table["kind"] != "all"]
    means = kinds.groupby(["model", "severity"], sort=False)["jaccard"].mean().reset_index()
    clean = kinds.groupby("model", sort=False)["clean"].mean().rename("jaccard").reset_index().assign(severity=0)
    both = pd.concat([clean, means]).sort_values("severity", kind="stable")
    measured = sorted(both["severity"].unique())
    axis = Axis("severity", 0, measured[-1], measured)
    return lines("Score by severity", _curves(both, "severity", "jaccard", 100), axis, PERCENT)


def _ranked(images: pd.DataFrame) -> str:
    parts = []
    for _, part in images.groupby("model", sort=False):
        ranked = part.sort_values("jaccard", kind="stable")
        parts.append(ranked.assign(share=(np.arange(len(ranked)) + 0.5) / len(ranked)))
    curves = _curves(pd.concat(parts), "share", "jaccard", 100)
    return lines("Ranked scores", curves, Axis("share of the images", 0, 1, SHARE), PERCENT)


def _reliability(table: pd.DataFrame) -> str:
    ideal = Line("perfect calibration", [(0, 0), (1, 1)], "var(--soft)", dashed=True)
    some = table[table["pixels"] > 0]
    return lines(
        "Reliability", [ideal, *_curves(some, "probability", "foreground")],
        Axis("predicted probability", 0, 1, SHARE), Axis("share of foreground", 0, 1, SHARE),
    )  # fmt: skip


def _thresholds(table: pd.DataFrame) -> str:
    curves = _curves(table, "threshold", "jaccard", 100)
    return lines("Score by threshold", curves, Axis("threshold", 0, 1, SHARE), PERCENT)
