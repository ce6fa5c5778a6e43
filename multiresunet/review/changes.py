"""What differs between two versions of the tables, of params.yaml and of dvc.lock: facts, no wording."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml
from scipy import stats

from multiresunet.evaluation import BASELINES
from multiresunet.review.git import Tree

HEADLINE = "jaccard"  # of metrics/summary.csv: it decides what is a regression
LEVEL = 0.95
NAMES = {"dataset", "model", "fold", "claim", "class", "perturbation", "severity", "score"}  # columns that name a row
AUXILIARY = ("_sd", "_low", "_high")  # columns that tell of another's uncertainty

Cell = str | float | None
Interval = tuple[float, float]


@dataclass(frozen=True)
class Change:
    """One cell of a table; a row that has come or gone has None on one side."""

    table: str
    key: tuple[str, ...]
    column: str
    old: Cell
    new: Cell
    interval: Interval | None = None  # around the old value

    @property
    def difference(self) -> float | None:
        """New minus old, where both are numbers."""
        if isinstance(self.old, float) and isinstance(self.new, float):
            return self.new - self.old
        return None

    @property
    def inside(self) -> bool | None:
        """Whether the new value lies in the old one's interval; None where that can't be told."""
        if self.interval is None or not isinstance(self.new, float):
            return None
        return self.interval[0] <= self.new <= self.interval[1]

    @property
    def is_headline(self) -> bool:
        """Whether a verdict is due: the score that counts, of what learns."""
        return self.table == "summary" and self.column == HEADLINE and not set(BASELINES) & set(self.key)

    @property
    def is_regression(self) -> bool:
        """Whether the score that counts has fallen below its interval."""
        fell = self.difference is not None and self.difference < 0
        return self.is_headline and fell and self.inside is False


@dataclass(frozen=True)
class Setting:
    """A key of params.yaml, or a whole branch that has come or gone."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Data:
    """A data set's raw files, by DVC's hash; None where it isn't part of the run."""

    dataset: str
    old: tuple[str, int] | None  # hash, number of files
    new: tuple[str, int] | None


def of_tables(old: Tree, new: Tree, folder: str = "metrics") -> list[Change]:
    """All changed cells of the CSV tables in `folder`, table by table and row by row."""
    paths = dict.fromkeys([*new.paths(folder, ".csv"), *old.paths(folder, ".csv")])
    return [
        change
        for path in sorted(paths, key=lambda path: (not path.endswith("/summary.csv"), path))
        for change in _of_table(path.removeprefix(f"{folder}/").removesuffix(".csv"), old.read(path), new.read(path))
    ]


def _of_table(name: str, old_text: str | None, new_text: str | None) -> Iterator[Change]:
    if old_text == new_text:
        return
    old, new = _parsed(old_text), _parsed(new_text)
    keys = _keys(old, new)
    before, after = _rows(old, keys), _rows(new, keys)
    columns = [column for column in dict.fromkeys([*new.columns, *old.columns]) if column not in keys]
    scores = [c for c in columns if not any(c.endswith(a) and c.removesuffix(a) in columns for a in AUXILIARY)]
    for key in dict.fromkeys([*after, *before]):
        if not scores and (key in before) != (key in after):  # a table of names alone
            yield Change(name, key, "row", *(("there", None) if key in before else (None, "there")))
        for column in scores:
            was, now = before.get(key, {}).get(column), after.get(key, {}).get(column)
            if was != now:
                interval = interval_of(before[key], column) if key in before else None
                yield Change(name, key, column, was, now, interval)


def _parsed(text: str | None) -> pd.DataFrame:
    try:
        return pd.read_csv(io.StringIO(text or ""), keep_default_na=False, na_values=[""])
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


def _keys(old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """The first columns that name a row: as many as have names' names and as tell each table's rows apart."""
    sides = [side for side in (old, new) if len(side.columns)]
    if not sides:
        return []
    common = [column for column in sides[-1].columns if all(column in side for side in sides)]
    least = next((count for count, column in enumerate(common) if column not in NAMES), len(common))
    for count in range(max(1, least), len(common) + 1):
        if not any(side.duplicated(common[:count]).any() for side in sides):
            return common[:count]
    return common


def _rows(table: pd.DataFrame, keys: list[str]) -> dict[tuple[str, ...], dict[str, Cell]]:
    return {
        tuple(str(row[key]) for key in keys): {str(column): _cell(value) for column, value in row.items()}
        for row in table.to_dict("records")
    }


def _cell(value: Any) -> Cell:
    if isinstance(value, bool | str):
        return str(value)
    return None if math.isnan(value) else float(value)


def interval_of(row: dict[str, Cell], column: str) -> Interval | None:
    """The 95 % interval of a score: the table's own columns `…_low` and `…_high`, or Student's over the folds."""
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    if isinstance(low, float) and isinstance(high, float):
        return low, high
    mean, deviation, folds = row.get(column), row.get(f"{column}_sd"), row.get("folds")
    if not (isinstance(mean, float) and isinstance(deviation, float) and isinstance(folds, float)) or folds < 2:
        return None
    half = float(stats.t.ppf((1 + LEVEL) / 2, folds - 1)) * deviation / math.sqrt(folds)
    return mean - half, mean + half


def of_params(old: Tree, new: Tree) -> list[Setting]:
    """The changed keys of params.yaml, in its order."""
    return list(_of_branch("", *(yaml.safe_load(tree.read("params.yaml") or "") or {} for tree in (old, new))))


def _of_branch(prefix: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Setting]:
    for key in dict.fromkeys([*new, *old]):
        was, now, name = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _of_branch(f"{name}.", was, now)
        elif was != now or (key in old) != (key in new):
            yield Setting(name, was, now)


def of_data(old: Tree, new: Tree) -> list[Data]:
    """The data sets whose raw files aren't the same."""
    before, after = (_raw(_stages(tree)) for tree in (old, new))
    names = dict.fromkeys([*after, *before])
    return [Data(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _raw(stages: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {
        out["path"].removeprefix("data/raw/"): (out["md5"], out.get("nfiles", 1))
        for stage in stages.values()
        for out in stage.get("outs", [])
        if out["path"].startswith("data/raw/")
    }


def of_code(old: Tree, new: Tree) -> list[str]:
    """The code that stages of both sides depend on and that isn't the same, by path."""
    before, after = (_code(_stages(tree)) for tree in (old, new))
    return sorted(path for path in before.keys() & after.keys() if before[path] != after[path])


def _code(stages: dict[str, Any]) -> dict[str, str]:
    return {
        dep["path"]: dep["md5"]
        for stage in stages.values()
        for dep in stage.get("deps", [])
        if not dep["path"].startswith("data/")
    }


def _stages(tree: Tree) -> dict[str, Any]:
    lock = yaml.safe_load(tree.read("dvc.lock") or "") or {}
    stages: dict[str, Any] = lock.get("stages", {})
    return stages
