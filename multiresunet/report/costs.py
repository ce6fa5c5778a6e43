"""What each model costs: counted, and timed where this machine did the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multiresunet.paths import INFERENCE_SECONDS, TRAINING_SECONDS
from multiresunet.report.tables import records


def rows(cost: pd.DataFrame, claims: pd.DataFrame, control: str | None) -> list[dict[str, Any]]:
    """A row for each data set and model.

    Args:
        cost: metrics/cost.csv.
        claims: metrics/claims.csv.
        control: whose last score is to be reached.

    Returns:
        The table's columns, reach (epochs to the share of the control's last score that decides claim 1), reach_seconds
        (those epochs in the time that they took here), training (seconds, all folds of one seed), throughput (images
        per second) and device; None or empty if another machine trained the model.
    """
    found = []
    for row in records(cost):
        name = f"{row['dataset']}-{row['model']}"
        training, inference = _read(TRAINING_SECONDS, name), _read(INFERENCE_SECONDS, name)
        reach = _reach(claims[claims["dataset"] == row["dataset"]], row["model"], control)
        timed: dict[str, Any] = {"training": None, "throughput": None, "device": "", "reach": reach}
        timed["reach_seconds"] = None
        if training:
            timed["training"] = float(np.mean([one["seconds"].sum() for one in training]))
            if reach is not None:
                timed["reach_seconds"] = reach * float(pd.concat(training)["seconds"].mean())
        if inference:
            both = pd.concat(inference)
            timed["throughput"] = float(both["images"].sum() / both["seconds"].sum())
            timed["device"] = both["device"].iloc[0]
        found.append({**row, **timed})
    return found


def _reach(claims: pd.DataFrame, model: str, control: str | None) -> float | None:
    """Mean epochs over trainings; None if there is nothing to reach."""
    rows = claims[(claims["claim"] == "epochs") & claims["decisive"].astype(bool) & (claims["reference"] == control)]
    rows = rows[rows["model"] != control]
    if model == control:
        return float(rows["of_reference"].iloc[0]) if len(rows) else None
    own = rows[rows["model"] == model]["of_model"]
    return float(own.iloc[0]) if len(own) else None


def _read(folder: Path, name: str) -> list[pd.DataFrame]:
    """The tables of each seed."""
    return [pd.read_csv(path) for path in sorted(folder.glob(f"{name}-*.csv"))]
