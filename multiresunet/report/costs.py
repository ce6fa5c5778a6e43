"""What each model costs: counted, and timed where this machine did the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from multiresunet.paths import INFERENCE_SECONDS, TRAINING_SECONDS
from multiresunet.report.tables import records


def rows(cost: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each data set and model.

    Args:
        cost: metrics/cost.csv.

    Returns:
        The table's columns, and training (seconds, all folds), throughput (images per second) and device; None or empty
        if another machine trained the model.
    """
    found = []
    for row in records(cost):
        name = f"{row['dataset']}-{row['model']}.csv"
        training, inference = _read(TRAINING_SECONDS / name), _read(INFERENCE_SECONDS / name)
        timed: dict[str, Any] = {"training": None, "throughput": None, "device": ""}
        if training is not None:
            timed["training"] = float(training["seconds"].sum())
        if inference is not None:
            timed["throughput"] = float(inference["images"].iloc[0] / inference["seconds"].iloc[0])
            timed["device"] = inference["device"].iloc[0]
        found.append({**row, **timed})
    return found


def _read(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.exists() else None
