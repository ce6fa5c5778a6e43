"""Whether the tables of a commit are those that it makes: the same bytes, the same within tolerance, or different."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from multiresunet import config
from multiresunet.config import Verify
from multiresunet.errors import UserError
from multiresunet.evaluation.tables import SCORES
from multiresunet.files import some_of
from multiresunet.paths import LOCK, METRICS, PARAMS
from multiresunet.review import changes
from multiresunet.review.changes import Change, TableDiff
from multiresunet.review.git import Tree, changed
from multiresunet.review.markdown import table

SHOWN = 12  # of the largest differences
BOUNDS, CENTRES = ("low", "high"), ("mean", "difference", "advantage")  # columns of intervals, and what they are around
VERDICT = "verdict"  # the column of words that follow from the numbers beside them


@dataclass(frozen=True)
class Difference:
    """A value of git's, and another one that was made, or none; and how far apart the two may lie."""

    change: Change
    tolerance: float

    @property
    def size(self) -> float:
        """Of the difference; infinite unless both are numbers."""
        return float("inf") if self.change.difference is None else round(abs(self.change.difference), 9)

    @property
    def is_beyond(self) -> bool:
        """Whether the tolerance doesn't cover it."""
        return self.size > self.tolerance

    @property
    def share(self) -> float:
        """Size by tolerance."""
        return self.size / self.tolerance if self.tolerance else float("inf")

    def __str__(self) -> str:
        return _said(self.change)


@dataclass(frozen=True)
class Judgement:
    """What was found.

    tables: those of metrics/ that differ, git's as old, those made as new.
    files: what git tracks and is other bytes now.
    rule: the tolerances.
    findings: what no arithmetic explains, a line each.
    notes: what the reader should know besides.
    exact: whether every byte has to be the same.
    """

    tables: list[TableDiff]
    files: list[str]
    rule: Verify
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    exact: bool = False

    @cached_property
    def differences(self) -> list[Difference]:
        """All compared values that differ, but for verdicts; the largest by its tolerance first."""
        cells = [_bounded(one, cell) for one in self.tables for cell in one.all_cells if cell.column != VERDICT]
        found = [(cell, self.rule.tolerance(cell.name)) for cell in cells]
        all_ = [Difference(cell, most) for cell, most in found if most is not None]
        return sorted(all_, key=lambda one: (-one.share, -one.size))

    @cached_property
    def borderline(self) -> list[Change]:
        """Verdicts of other words, whose numbers are the same within tolerance."""
        return [cell for cell in self._verdicts if not self._is_beyond(cell)]

    @property
    def is_same(self) -> bool:
        """Whether every byte is the same."""
        return not self.findings and not self.files

    @cached_property
    def wrong(self) -> list[str]:
        """What is different, beyond tolerance: first what no arithmetic explains."""
        found = [*self.findings, *self._shapes(), *map(str, self.beyond), *map(_said, self._wrong_verdicts)]
        return found or [f"{path}: other bytes" for path in self.files if self.exact]

    @property
    def largest(self) -> Difference | None:
        """The largest difference of a score, or of any number if no score differs."""
        scores = [one for one in self.differences if one.change.column.startswith(SCORES)]
        return max(scores or self.differences, key=lambda one: one.size, default=None)

    def passes(self, strict: bool = False) -> bool:
        """Whether the tables are the commit's own."""
        return self.is_same if strict else not self.wrong

    def line(self, strict: bool = False) -> str:
        """The verdict."""
        if self.is_same:
            return "same bytes"
        if self.wrong:
            return f"different: {some_of(self.wrong, 3)}"
        within = f"same within tolerance ({self._how_large()})"
        return f"different: {some_of(self.files)} isn't the same bytes; {within}" if strict else within

    def _how_large(self) -> str:
        verdicts = len(self.borderline)
        borderline = f"; {verdicts} verdict{'s' if verdicts > 1 else ''} borderline" if verdicts else ""
        if self.largest is None:
            same = borderline or ", same tables"
            return f"{some_of(self.files)}: other bytes{same}" if self.files else "same tables"
        return f"largest {self.largest.size:.4g}: {_where(self.largest.change)}{borderline}"

    def details(self) -> Iterator[str]:
        """Markdown: notes, findings, borderline verdicts, and the largest differences; each only if there is any."""
        lines = [*self.notes, *self.findings, *self._shapes(), *map(_said, self._wrong_verdicts)]
        lines += [f"borderline: {_said(cell)}" for cell in self.borderline]
        if lines:
            yield "\n".join(f"- {line}" for line in lines)
        if self.differences:
            rows = [
                (_where(one.change), _cell(one.change.old), _cell(one.change.new), f"{one.size:.4g}", _most(one))
                for one in self.differences[:SHOWN]
            ]
            yield f"{len(self.differences)} numbers differ, {len(self.beyond)} beyond tolerance. The largest:"
            yield table(("where", "in git", "made", "difference", "tolerance"), rows)

    @property
    def beyond(self) -> list[Difference]:
        """The differences that no tolerance covers."""
        return [one for one in self.differences if one.is_beyond]

    @property
    def _verdicts(self) -> list[Change]:
        return [cell for one in self.tables for cell in one.all_cells if cell.column == VERDICT]

    @property
    def _wrong_verdicts(self) -> list[Change]:
        return [cell for cell in self._verdicts if self._is_beyond(cell)]

    def _is_beyond(self, verdict: Change) -> bool:
        """Whether a number in a verdict's row is beyond tolerance, or none differs: then the word was edited.

        A number that isn't compared, such as a corrected p, counts as one that differs: the word follows from it, too.
        """
        row = [one for one in self.differences if (one.change.table, one.change.key) == (verdict.table, verdict.key)]
        return any(one.is_beyond for one in row) or not any(
            isinstance(value, float)
            for table in self.tables
            if table.name == verdict.table
            for cell in table.all_cells
            if cell.key == verdict.key
            for value in (cell.old, cell.new)
        )

    def _shapes(self) -> Iterator[str]:
        """Tables, rows and columns that one side alone has, and files other than tables."""
        for one in self.tables:
            path = _path(one.name)
            sides = [bool(rows or names) for rows, names in ((one.old, one.columns_old), (one.new, one.columns_new))]
            if not all(sides):
                yield f"{path}: {'the commit makes none' if sides[0] else 'git has none'}"
                continue
            rows = [[" · ".join(key) for key in keys] for keys in (one.rows_new, one.rows_gone)]
            new, old = one.columns_new, one.columns_old
            columns = [[name for name in new if name not in old], [name for name in old if name not in new]]
            for what, (here, there) in (("rows", rows), ("columns", columns)):
                if here:
                    yield f"{path}: git lacks the {what} {some_of(here, 2)}"
                if there:
                    yield f"{path}: the commit doesn't make the {what} {some_of(there, 2)}"
            if not any((one.all_cells, *rows, *columns)):
                yield f"{path}: the same values, written in another way"
        for path in self.files:
            if path != LOCK.as_posix() and not path.startswith(f"{METRICS}/"):
                yield f"{path}: the commit makes another one"


def judge(root: Path, rule: Verify, findings: Sequence[str] = (), own: Sequence[str] = ()) -> Judgement:
    """Compare the tables in a folder with those of the commit that is checked out there.

    Args:
        root: the folder.
        rule: the tolerances.
        findings: what is known to be wrong.
        own: files that the caller has changed, and that don't count.
    """
    old, new = Tree("HEAD", root), Tree(None, root)
    files = [path for path in changed(root) if path not in own]
    return Judgement([*changes.of_tables(old, new), *_trees(old, new)], files, rule, list(findings))


def tolerances(root: Path) -> Verify:
    """The section `verify` of a folder's params.yaml, whatever else is in it; no tolerance if there is none.

    Raises:
        UserError: the file can't be read, or the section is wrong
    """
    tree = config.tree_of(config.text_of(root / PARAMS))
    section = tree.get("verify") if isinstance(tree, dict) else None
    try:
        return Verify.model_validate(section or {})
    except ValidationError as error:
        raise UserError(f"{PARAMS}: verify.{config.first_finding(error)}; fix it") from None


def _bounded(one: TableDiff, cell: Change) -> Change:
    """A bound that one side alone has, beside the other side's value: an interval of no width has no bounds."""
    if cell.column not in BOUNDS or (cell.old is None) == (cell.new is None):
        return cell

    def value(rows: Mapping[changes.Key, changes.Row]) -> changes.Cell:
        return next((rows[cell.key][name] for name in CENTRES if name in rows.get(cell.key, {})), None)

    return replace(cell, old=value(one.old)) if cell.old is None else replace(cell, new=value(one.new))


def _trees(old: Tree, new: Tree) -> Iterator[TableDiff]:
    """metrics/*.json, data set → model → score, as tables."""
    for path in dict.fromkeys([*new.paths(METRICS.as_posix(), ".json"), *old.paths(METRICS.as_posix(), ".json")]):
        before, after = old.read(path) or "", new.read(path) or ""
        if before != after:
            sides = [_rows(text, f"{path} of {tree.name}") for text, tree in ((before, old), (after, new))]
            columns = [tuple(dict.fromkeys(column for row in side.values() for column in row)) for side in sides]
            yield TableDiff(Path(path).name, sides[0], sides[1], columns[0], columns[1])


def _rows(text: str, origin: str) -> dict[changes.Key, changes.Row]:
    try:
        return _leaves(json.loads(text or "{}"))
    except (ValueError, AttributeError) as error:  # no JSON, or no mapping
        raise UserError(f"{origin} isn't a readable JSON object ({error}); restore it from git") from None


def _leaves(tree: Any, key: changes.Key = ()) -> dict[changes.Key, changes.Row]:
    """The innermost mappings of a tree by the keys that lead to them."""
    rows: dict[changes.Key, changes.Row] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            rows |= _leaves(value, (*key, name))
        else:
            rows.setdefault(key, {})[name] = float(value) if isinstance(value, int | float) else str(value)
    return rows


def _said(cell: Change) -> str:
    where = f"{_path(cell.table)}, {' · '.join(cell.key)}, {cell.column}"
    return f"{where}: {_cell(cell.old)} in git, {_cell(cell.new)} made"


def _where(cell: Change) -> str:
    return f"{cell.table}, {' · '.join(cell.key)}, {cell.column}"


def _path(name: str) -> str:
    return f"{METRICS}/{name}" if name.endswith(".json") else f"{METRICS}/{name}.csv"


def _cell(value: changes.Cell) -> str:
    return "nothing" if value is None else f"{value:g}" if isinstance(value, float) else value


def _most(one: Difference) -> str:
    return f"{one.tolerance:g}{', beyond' if one.is_beyond else ''}"
