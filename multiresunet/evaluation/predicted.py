"""What `predict` has written for a data set: a folder for each model and seed, read together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from multiresunet.evaluation import calibration, predictions
from multiresunet.evaluation.masks import Masks

WORDS = {"sample": str, "group": str}
ABOUT = ("fold", "epoch", "image", "severity", "bin")  # numbers that say what a row is about


@dataclass(frozen=True)
class Predicted:
    """The folders data/predicted/<dataset>/<model>/<seed> of a run.

    folder: data/predicted/<dataset>.
    models: in the run's order.
    seeds: of the run; each model has been trained once with each.
    """

    folder: Path
    models: Sequence[str]
    seeds: Sequence[int]

    def table(self, name: str) -> pd.DataFrame:
        """A table of every model and seed, model by model and then seed by seed, with a last column `seed`."""
        parts = [
            pd.read_csv(self.folder / model / str(seed) / f"{name}.csv", dtype=WORDS).assign(seed=seed)
            for model in self.models
            for seed in self.seeds
        ]
        table = pd.concat(parts, ignore_index=True)
        return table.fillna({"group": ""}) if "group" in table else table

    def mean(self, name: str) -> pd.DataFrame:
        """A table with its numbers averaged over seeds, model by model: the shape that it has with one seed."""
        return over_seeds(self.table(name))

    def reliability(self) -> pd.DataFrame:
        """Each model's bins, with the pixels of all seeds."""
        table = self.table("reliability")
        parts = [calibration.pooled(part).assign(model=model) for model, part in table.groupby("model", sort=False)]
        return pd.concat(parts, ignore_index=True)

    def costs(self) -> pd.DataFrame:
        """What each model costs, a row a model; seeds have no part in it."""
        return pd.DataFrame({"model": model, **self._json(model, "cost")} for model in self.models)

    def masks(self, seed: int) -> dict[str, Masks]:
        """Each model's predictions with one seed."""
        return {model: predictions.load(self.folder / model / str(seed) / "predictions.npz") for model in self.models}

    def _json(self, model: str, name: str) -> dict[str, Any]:
        path = self.folder / model / str(self.seeds[0]) / f"{name}.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of numbers that depend on them; where some are unknown, of those that are known.

    Args:
        table: from `Predicted.table`: for each model and seed the same rows in the same order.

    Returns:
        For each model one row for each of them, in their order, without the column `seed`.

    Raises:
        ValueError: the seeds' rows aren't about the same things.
    """
    if len(table["seed"].unique()) == 1:
        return table.drop(columns="seed")
    place = table.groupby(["model", "seed"], sort=False).cumcount()
    grouped = table.drop(columns="seed").groupby([pd.factorize(table["model"])[0], place.to_numpy()], sort=False)
    first = grouped.first()
    for column in map(str, first.columns):
        number = pd.api.types.is_numeric_dtype(table[column]) and column not in ABOUT
        if number and not pd.api.types.is_float_dtype(table[column]):
            number = bool(grouped[column].nunique().max() > 1)  # a count that depends on the seed; sizes don't
        if number:
            first[column] = grouped[column].mean()
        elif grouped[column].nunique(dropna=False).max() > 1:
            raise ValueError(f"the seeds' tables don't agree in {column}")
    return first.reset_index(drop=True)
