"""What each model costs: counted, and timed where this machine did the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multiresunet.paths import INFERENCE_SECONDS, TRAINING_SECONDS
from multiresunet.report.tables import records


def rows(cost: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each data set and model.

    Args:
        cost: metrics/cost.csv.

    Returns:
        The table's columns, and training (seconds, all folds of one seed), throughput (images per second) and device;
        None or empty if another machine trained the model.
    """
    found = []
    for row in records(cost):
        name = f"{row['dataset']}-{row['model']}"
        training, inference = _read(TRAINING_SECONDS, name), _read(INFERENCE_SECONDS, name)
        timed: dict[str, Any] = {"training": None, "throughput": None, "device": ""}
        if training:
            timed["training"] = float(np.mean([one["seconds"].sum() for one in training]))
        if inference:
            both = pd.concat(inference)
            timed["throughput"] = float(both["images"].sum() / both["seconds"].sum())
            timed["device"] = both["device"].iloc[0]
        found.append({**row, **timed})
    return found


def _read(folder: Path, name: str) -> list[pd.DataFrame]:
    """The tables of each seed."""
    return [pd.read_csv(path) for path in sorted(folder.glob(f"{name}-*.csv"))]
