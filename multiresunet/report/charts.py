"""The charts of a data set, and the one of all data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from multiresunet.evaluation import BASELINES
from multiresunet.report import colours
from multiresunet.report.svg import Axis, Dot, Line, dots, lines
from multiresunet.report.tables import records

CAPTIONS = {
    "epochs": "Claim 1. Test score after each epoch; thin: folds, thick: their mean.",
    "low_contrast": "Claim 2. Distance to the true boundary, from its eighth with the lowest contrast to the highest.",
    "perturbations": "Claim 3. Score by severity of perturbation, mean over kinds; 0: the image unperturbed.",
    "outliers": "Claim 4. Images from worst to best; the left end is the tail.",
    "reliability": "Calibration. The share of foreground among the pixels with a predicted probability.",
    "thresholds": "Score by the threshold that turns probabilities into a mask.",
}
SHARE = (0, 0.2, 0.4, 0.6, 0.8, 1)


@dataclass(frozen=True)
class Chart:
    """A chart with what it shows, in words."""

    name: str
    caption: str
    svg: str


def overview(scores: pd.DataFrame, datasets: list[str]) -> str:
    """The Jaccard index (last epoch) of every model on every data set, with its interval over images; baselines hollow.

    Args:
        scores: metrics/intervals.csv.
        datasets: the rows, from top to bottom.
    """
    rows = scores[scores["measure"] == "jaccard"]
    values = [
        Dot(r["dataset"], r["model"], r["mean"], r["low"], r["high"], colours.of(r["model"]), r["model"] in BASELINES)
        for r in records(rows)
    ]
    return dots("Jaccard index of every model", datasets, values, Axis("Jaccard index", 0, 1, SHARE))


def of_dataset(tables: Mapping[str, pd.DataFrame]) -> list[Chart]:
    """A data set's charts.

    Args:
        tables: by name, those that `stages.evaluate` writes, of one data set.
    """
    drawn = {
        "epochs": _epochs(tables["history"]),
        "low_contrast": _low_contrast(tables["low_contrast"]),
        "perturbations": _severity(tables["perturbations"]),
        "outliers": _ranked(tables["images"]),
        "reliability": _reliability(tables["reliability"]),
        "thresholds": _thresholds(tables["thresholds"]),
    }
    return [Chart(name, CAPTIONS[name], content) for name, content in drawn.items()]


def _curves(table: pd.DataFrame, x: str, y: str) -> list[Line]:
    return [
        Line(str(model), list(zip(part[x].astype(float), part[y].astype(float), strict=True)), colours.of(str(model)))
        for model, part in table.groupby("model", sort=False)
    ]


def _epochs(history: pd.DataFrame) -> str:
    thin = []
    for (model, fold), part in history.groupby(["model", "fold"], sort=False):
        points = list(zip(part["epoch"].astype(float), part["test_jaccard"].astype(float), strict=True))
        thin.append(Line(f"{model}, fold {fold}", points, colours.of(str(model)), thin=True))
    means = history.groupby(["model", "epoch"], sort=False)["test_jaccard"].mean().reset_index()
    last = float(history["epoch"].max())
    return lines(
        "Learning curves", thin + _curves(means, "epoch", "test_jaccard"),
        Axis("epoch", 1, max(last, 2)), Axis("Jaccard index", 0, 1, SHARE),
    )  # fmt: skip


def _low_contrast(table: pd.DataFrame) -> str:
    eighths = table.assign(part=table.groupby("model", sort=False).cumcount() + 1)
    top = max(1.0, float(eighths["error"].max()) * 1.05)
    return lines(
        "Boundary error by contrast", _curves(eighths, "part", "error"),
        Axis("eighths of the boundary, by contrast", 1, 8, range(1, 9)), Axis("error (pixels)", 0, top),
    )  # fmt: skip


def _severity(table: pd.DataFrame) -> str:
    kinds = table[table["kind"] != "all"]
    means = kinds.groupby(["model", "severity"], sort=False)["jaccard"].mean().reset_index()
    clean = kinds.groupby("model", sort=False)["clean"].mean().rename("jaccard").reset_index().assign(severity=0)
    both = pd.concat([clean, means]).sort_values("severity", kind="stable")
    return lines(
        "Score by severity", _curves(both, "severity", "jaccard"),
        Axis("severity", 0, 5, range(6)), Axis("Jaccard index", 0, 1, SHARE),
    )  # fmt: skip


def _ranked(images: pd.DataFrame) -> str:
    curves = []
    for model, part in images.groupby("model", sort=False):
        scores = np.sort(part["jaccard"].to_numpy(dtype=float))
        shares = (np.arange(len(scores)) + 0.5) / len(scores)
        curves.append(
            Line(str(model), list(zip(shares, scores, strict=True)), colours.of(str(model)), model in BASELINES)
        )
    return lines("Ranked scores", curves, Axis("share of the images", 0, 1, SHARE), Axis("Jaccard index", 0, 1, SHARE))


def _reliability(table: pd.DataFrame) -> str:
    ideal = Line("perfect calibration", [(0, 0), (1, 1)], "var(--soft)", thin=True)
    some = table[table["pixels"] > 0]
    return lines(
        "Reliability", [ideal, *_curves(some, "probability", "foreground")],
        Axis("predicted probability", 0, 1, SHARE), Axis("share of foreground", 0, 1, SHARE),
    )  # fmt: skip


def _thresholds(table: pd.DataFrame) -> str:
    curves = _curves(table, "threshold", "jaccard")
    return lines("Score by threshold", curves, Axis("threshold", 0, 1, SHARE), Axis("Jaccard index", 0, 1, SHARE))
