"""What each model costs: counted, and timed where this machine did the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from multiresunet.evaluation.claims.epochs import epochs_to
from multiresunet.paths import EVALUATED, INFERENCE_SECONDS, TRAINING_SECONDS
from multiresunet.report.tables import records


class Reach(NamedTuple):
    """Mean epochs until a score is reached, in how many of a model's trainings it is, and how many these are.

    A training that never gets there counts as one epoch more than it has.
    """

    epochs: float
    trainings: int
    of: int


def rows(cost: pd.DataFrame, control: str | None, share: float) -> list[dict[str, Any]]:
    """A row for each data set and model.

    Args:
        cost: metrics/cost.csv.
        control: whose last score is to be reached.
        share: of that score.

    Returns:
        The table's columns, reach (None without a control), reach_seconds (those epochs in the time that they took
        here, if all trainings get there), training (seconds, all folds of one seed), throughput (images per second)
        and device; None or empty if another machine trained the model.
    """
    found = []
    for row in records(cost):
        name = f"{row['dataset']}-{row['model']}"
        training, inference = _read(TRAINING_SECONDS, name), _read(INFERENCE_SECONDS, name)
        reach = _reach(row["dataset"], row["model"], control, share) if control else None
        timed: dict[str, Any] = {"training": None, "throughput": None, "device": "", "reach": reach}
        timed["reach_seconds"] = None
        if training:
            timed["training"] = float(np.mean([one["seconds"].sum() for one in training]))
            if reach and reach.trainings == reach.of:
                timed["reach_seconds"] = reach.epochs * float(pd.concat(training)["seconds"].mean())
        if inference:
            both = pd.concat(inference)
            timed["throughput"] = float(both["images"].sum() / both["seconds"].sum())
            timed["device"] = both["device"].iloc[0]
        found.append({**row, **timed})
    return found


def _reach(dataset: str, model: str, control: str, share: float) -> Reach:
    """As claim 1 counts it: a fold's target is a share of the control's last score there, mean over seeds."""
    history = pd.read_csv(EVALUATED / dataset / "history.csv").sort_values("epoch")
    last = history[history["model"] == control].groupby(["fold", "seed"])["test_jaccard"].last()
    targets = (share * last.groupby("fold").mean()).to_dict()
    own = history[history["model"] == model].groupby(["fold", "seed"])["test_jaccard"]
    epochs = [epochs_to(curve, targets[fold], len(curve) + 1) for (fold, _), curve in own]
    return Reach(float(np.mean(epochs)), int((epochs <= own.size()).sum()), own.ngroups)


def _read(folder: Path, name: str) -> list[pd.DataFrame]:
    """The tables of each seed."""
    return [pd.read_csv(path) for path in sorted(folder.glob(f"{name}-*.csv"))]
