"""What differs between two versions of the tables in metrics/: facts, no wording."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from scipy.special import stdtrit  # Student's t; scipy.stats takes a second to load

from multiresunet.errors import UserError
from multiresunet.evaluation import BASELINES
from multiresunet.evaluation.table_keys import SUMMARY, TABLES, keys_of
from multiresunet.evaluation.tables import SCORES
from multiresunet.paths import METRICS
from multiresunet.review.git import Tree

HEADLINE = "jaccard"  # of metrics/summary.csv: it decides what is a regression
LEVEL = 0.95
DECISIVE = "True"  # in metrics/claims.csv: the rows that a claim stands or falls with
AUXILIARY = ("_sd", "_low", "_high")  # columns that state another column's uncertainty
MAIN = (HEADLINE, "advantage", "difference", "mean", "error", "probability")  # what a table is about, in this order

Cell = str | float | None
Key = tuple[str, ...]
Row = dict[str, Cell]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Change:
    """One cell of a table; None where a side has no such row, or no value."""

    table: str
    key: Key
    column: str
    old: Cell
    new: Cell
    interval: Interval | None = None  # around the old value

    @property
    def name(self) -> str:
        """What `verify.tolerances` call it: TABLE.KEYS.COLUMN."""
        return ".".join([self.table, *self.key, self.column])

    @property
    def difference(self) -> float | None:
        """New minus old, where both are numbers."""
        if isinstance(self.old, float) and isinstance(self.new, float):
            return self.new - self.old
        return None

    @property
    def inside(self) -> bool | None:
        """Whether the new value lies in the old one's interval; None without an interval or a new value."""
        if self.interval is None or not isinstance(self.new, float):
            return None
        return self.interval[0] <= self.new <= self.interval[1]

    @property
    def is_regression(self) -> bool:
        """Whether the value has fallen below its interval."""
        return self.inside is False and self.difference is not None and self.difference < 0


@dataclass(frozen=True)
class TableDiff:
    """A table of which the two sides differ; rows by key, in the table's order."""

    name: str
    old: dict[Key, Row]
    new: dict[Key, Row]
    columns_old: tuple[str, ...]
    columns_new: tuple[str, ...]

    @property
    def has_headline(self) -> bool:
        """Whether this is the summary, with the score that counts on each side that has the table."""
        columns = [side for side in (self.columns_old, self.columns_new) if side]
        return self.name == SUMMARY and all(HEADLINE in side for side in columns)

    @property
    def rows_new(self) -> list[Key]:
        """Rows that only the new side has."""
        return [key for key in self.new if key not in self.old]

    @property
    def rows_gone(self) -> list[Key]:
        """Rows that only the old side has."""
        return [key for key in self.old if key not in self.new]

    @cached_property
    def cells(self) -> list[Change]:
        """Changed values of the rows and columns that both sides have, row by row."""
        shared = [column for column in self.columns_new if column in self.columns_old]
        columns = [c for c in shared if not any(c.endswith(end) and c.removesuffix(end) in shared for end in AUXILIARY)]
        return self._changed(columns)

    @cached_property
    def all_cells(self) -> list[Change]:
        """As `cells`, with the columns that state another one's uncertainty."""
        return self._changed([column for column in self.columns_new if column in self.columns_old])

    def _changed(self, columns: Sequence[str]) -> list[Change]:
        return [
            Change(self.name, key, column, self.old[key][column], row[column], interval_of(self.old[key], column))
            for key, row in self.new.items()
            if key in self.old
            for column in columns
            if self.old[key][column] != row[column]
        ]

    @property
    def shown(self) -> list[Change]:
        """What a reader is shown: `cells` or, if only uncertainties changed, these."""
        return self.cells or self.all_cells

    @property
    def rows_changed(self) -> int:
        """How many rows of both sides have another value."""
        return len({cell.key for cell in self.shown})

    def largest(self) -> Change | None:
        """The largest difference in the column that the table is about; None if no number of it changed."""
        changed = [cell for cell in self.shown if cell.difference is not None]
        columns = [cell.column for cell in changed]
        main = next((column for column in (*MAIN, *columns) if column in columns), None)
        return max((c for c in changed if c.column == main), key=lambda c: abs(c.difference or 0), default=None)


def of_tables(old: Tree, new: Tree) -> list[TableDiff]:
    """The tables in metrics/ that differ, the summary first.

    Raises:
        UserError: one of them can't be read
    """
    folder = METRICS.as_posix()
    paths = {*new.paths(folder, ".csv"), *old.paths(folder, ".csv")}
    found = []
    for path in sorted(paths, key=lambda path: (not path.endswith(f"/{SUMMARY}.csv"), path)):
        before, after = old.read(path) or "", new.read(path) or ""
        if before != after:
            sides = [_lines(text, f"{path} of {tree.name}") for text, tree in ((before, old), (after, new))]
            found.append(_compared(path.removeprefix(f"{folder}/").removesuffix(".csv"), sides))
    return found


def _lines(text: str, origin: str) -> list[list[str]]:
    """The cells of a table, line by line; at least one line, the header."""
    try:
        return list(csv.reader(io.StringIO(text))) or [[]]
    except csv.Error as error:
        raise UserError(f"{origin} isn't a readable CSV file ({error}); restore it from git") from None


def _compared(name: str, sides: Sequence[list[list[str]]]) -> TableDiff:
    headers = [side[0] for side in sides if side[0]]
    # A table that this version doesn't know is compared by whole rows, and an older one by the keys that it has.
    declared = keys_of(name) if name in (SUMMARY, *TABLES) else next(reversed(headers), [])
    keys = [column for column in declared if all(column in header for header in headers)]
    old, new = (_rows(side[0], side[1:], keys) for side in sides)
    columns = [tuple(column for column in side[0] if column not in keys) for side in sides]
    return TableDiff(name, old, new, columns[0], columns[1])


def _rows(header: Sequence[str], lines: Sequence[Sequence[str]], keys: Sequence[str]) -> dict[Key, Row]:
    rows: dict[Key, Row] = {}
    seen = Counter[Key]()
    for line in lines:
        texts = dict(zip(header, line, strict=False))
        key = tuple(texts.get(name, "") for name in keys)
        seen[key] += 1
        if seen[key] > 1:  # where an older table lacks one of the keys
            key = (*key, f"no. {seen[key]}")
        rows[key] = {name: _cell(texts.get(name, "")) for name in header}
    return rows


def _cell(text: str) -> Cell:
    try:
        value = float(text)
    except ValueError:
        return text or None
    return None if math.isnan(value) else value


def interval_of(row: Row, column: str) -> Interval | None:
    """The 95 % interval of a value: the table's own columns `…_low` and `…_high`, or Student's t over the folds.

    That of a score ends at 0 and 1.
    """
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    if not (isinstance(low, float) and isinstance(high, float)):
        mean, deviation, folds = row.get(column), row.get(f"{column}_sd"), row.get("folds")
        if not (isinstance(mean, float) and isinstance(deviation, float) and isinstance(folds, float)) or folds < 2:
            return None
        half = float(stdtrit(folds - 1, (1 + LEVEL) / 2)) * deviation / math.sqrt(folds)
        low, high = mean - half, mean + half
    return (max(low, 0.0), min(high, 1.0)) if column in SCORES else (low, high)


def headlines(tables: Sequence[TableDiff]) -> list[Change]:
    """The networks' scores in the summary that changed, came or went, in the order of the new side."""
    found = []
    for table in (one for one in tables if one.has_headline):
        for key in dict.fromkeys([*table.new, *table.old]):
            old, new = (side[key][HEADLINE] if key in side else None for side in (table.old, table.new))
            if key and old != new and not set(BASELINES) & set(key):
                interval = interval_of(table.old[key], HEADLINE) if key in table.old else None
                found.append(Change(SUMMARY, key, HEADLINE, old, new, interval))
    return found


def verdicts(tables: Sequence[TableDiff]) -> tuple[list[tuple[Change, Row]], int]:
    """The decisive verdicts that changed, each with the new side's row; and how many decisive verdicts there are."""
    claims = [one for one in tables if one.name == "claims"]
    found = [(cell, one.new[cell.key]) for one in claims for cell in one.cells if cell.column == "verdict"]
    total = sum(row.get("decisive") == DECISIVE for one in claims for row in one.new.values())
    return [(cell, row) for cell, row in found if row.get("decisive") == DECISIVE], total
