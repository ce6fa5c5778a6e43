"""The tables that are kept in git: sorted, rounded, small."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from multiresunet.evaluation import scores

DIGITS = 4


def gather(folder: Path, datasets: list[str], name: str) -> pd.DataFrame:
    """The table `name` of every data set, one below the other, with a first column `dataset`."""
    parts = []
    for dataset in datasets:
        part = pd.read_csv(folder / dataset / name)
        part.insert(0, "dataset", dataset)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def summary(folds: pd.DataFrame) -> pd.DataFrame:
    """One row for each data set and model: mean and deviation over folds, in the order of params.yaml."""
    parts = []
    for dataset, part in folds.groupby("dataset", sort=False):
        table = scores.summary(part)
        table.insert(0, "dataset", dataset)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def as_tree(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """The means of a summary as data set → model → score, which `dvc metrics diff` reads."""
    tree: dict[str, dict[str, dict[str, float]]] = {}
    for row in table.to_dict("records"):
        means = {score: round(float(row[score]), DIGITS) for score in scores.SCORES}
        tree.setdefault(str(row["dataset"]), {})[str(row["model"]).replace(" ", "_")] = means
    return tree
