"""What a network costs until it reaches the control's score; and what is said where it never does."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from multiresunet.files import write_csv
from multiresunet.paths import EVALUATED, TRAINING_SECONDS
from multiresunet.report import costs

CURVES = {
    "unet_bn": ([0.2, 0.4, 0.8], [0.1, 0.6, 0.6]),
    "soon": ([0.8, 0.8, 0.8], [0.0, 0.58, 0.0]),
    "once": ([0.0, 0.0, 0.77, 0.0], [0.5, 0.5, 0.5, 0.5]),
}


@pytest.fixture
def cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A table of three models on a data set, and the curves of two folds; an epoch has taken 2 seconds."""
    monkeypatch.chdir(tmp_path)
    rows = [
        (model, 1, fold, epoch, score)
        for model, folds in CURVES.items()
        for fold, curve in enumerate(folds)
        for epoch, score in enumerate(curve, start=1)
    ]
    history = pd.DataFrame(rows, columns=["model", "seed", "fold", "epoch", "test_jaccard"])
    write_csv(EVALUATED / "a/history.csv", history)
    for model, folds in CURVES.items():
        write_csv(TRAINING_SECONDS / f"a-{model}-1.csv", pd.DataFrame({"seconds": 2.0, "epoch": range(len(folds[0]))}))
    return pd.DataFrame({"dataset": "a", "model": list(CURVES)})


def test_a_training_that_never_gets_there_leaves_a_bound_and_no_time(cost: pd.DataFrame) -> None:
    rows = {row["model"]: row for row in costs.rows(cost, "unet_bn", 0.95)}
    assert rows["unet_bn"]["reach"] == costs.Reach(2.5, 2, 2)
    assert rows["unet_bn"]["reach_seconds"] == 5.0
    assert rows["soon"]["reach"] == costs.Reach(1.5, 2, 2)
    assert rows["once"]["reach"] == costs.Reach(4.0, 1, 2)  # after 3 epochs, and after more than 4
    assert rows["once"]["reach_seconds"] is None


def test_without_a_control_there_is_nothing_to_reach(cost: pd.DataFrame) -> None:
    assert {row["reach"] for row in costs.rows(cost, None, 0.95)} == {None}
