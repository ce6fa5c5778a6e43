"""`multiresunet diff BASE`: what a reviewer of a pull request reads, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiresunet.evaluation.table_keys import SUMMARY
from multiresunet.files import some_of
from multiresunet.review import causes, changes, picture
from multiresunet.review.causes import Data, Setting
from multiresunet.review.changes import HEADLINE, Change, TableDiff
from multiresunet.review.git import Tree
from multiresunet.review.markdown import bullets, folded, table

VERDICTS = 6  # that are shown; the rest is folded
CELLS = 30  # of a folded table; a comment on GitHub has 65,536 characters
BELOW, ABOVE = "▼", "▲"


@dataclass(frozen=True)
class Diff:
    """All that differs between two trees."""

    old: str
    new: str
    tables: list[TableDiff]
    settings: list[Setting]
    data: list[Data]
    code: list[str]

    @classmethod
    def between(cls, old: Tree, new: Tree) -> Diff:
        """Compare what two trees have in metrics/, params.yaml and dvc.lock."""
        return cls(
            old=_name(old),
            new=_name(new),
            tables=changes.of_tables(old, new),
            settings=causes.of_params(old, new),
            data=causes.of_data(old, new),
            code=causes.of_code(old, new),
        )

    @property
    def headlines(self) -> list[Change]:
        """Scores of networks that changed, came or went."""
        return changes.headlines(self.tables)

    @property
    def regressions(self) -> list[Change]:
        """Scores that have fallen below the base's interval."""
        return [cell for cell in self.headlines if cell.is_regression]

    def draw(self, path: Path) -> bool:
        """Draw the scores that changed most as PNG; False if there is none."""
        return picture.draw(self.headlines, path)

    def markdown(self) -> str:
        """Verdicts and scores first, then causes, then each table folded; each part only if it has something to say."""
        parts = [
            f"## Tables: {self.old} → {self.new}",
            bullets(self._in_short()),
            *self._verdicts(),
            *self._scores(),
            *self._causes(),
        ]
        if self.tables:
            parts += ["### Tables that differ", "\n".join(_of_table(one) for one in self.tables)]
        return "\n\n".join(parts) + "\n"

    def _in_short(self) -> Iterator[str]:
        if not self.tables:
            yield "No table changed."
            return
        changed, total = changes.verdicts(self.tables)
        yield f"**{len(changed)} of {_count(total, 'verdict')} changed.**" if changed else "No verdict changed."
        if any(one.name == SUMMARY and not one.has_headline for one in self.tables):
            yield f"The summary of one side has no column `{HEADLINE}`, so its scores can't be compared."
            return
        cells = self.headlines
        fell = [f"{cell.key[-1]} on {cell.key[0]}" for cell in cells if cell.is_regression]
        rose = [f"{cell.key[-1]} on {cell.key[0]}" for cell in cells if cell.inside is False and not cell.is_regression]
        if not cells:
            yield f"No network's `{HEADLINE}` changed."
        for who, where in ((fell, "fell below"), (rose, "rose above")):
            if who:
                yield f"**{_count(len(who), 'score')} {where} the old interval**: {some_of(who)}."
        if rest := len(cells) - len(fell) - len(rose):
            yield f"{_count(rest, 'other score' if fell or rose else 'score')} changed."
        if others := [each.dataset for each in self.data if each.old and each.new]:
            yield f"Other images: {some_of(others)}."

    def _verdicts(self) -> Iterator[str]:
        rows = [
            (
                *(str(row.get(name) or "") for name in ("claim", "model", "reference", "dataset")),
                str(cell.old),
                f"**{cell.new}**",
            )
            for cell, row in changes.verdicts(self.tables)[0]
        ]
        header = ("claim", "model", "compared with", "data set", "old", "new")
        if rows:
            yield "### Verdicts"
            yield table(header, rows[:VERDICTS])
        if more := rows[VERDICTS:]:
            yield folded(f"and {_count(len(more), 'more verdict')}", table(header, more))

    def _scores(self) -> Iterator[str]:
        cells = {(" · ".join(cell.key[:-1]), cell.key[-1]): cell for cell in self.headlines}
        if not cells:
            return
        datasets, models = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
        yield f"### {HEADLINE.capitalize()}, last epoch"
        yield table(
            ("data set", *models),
            [(name, *(_score(cells.get((name, model))) for model in models)) for name in datasets],
        )
        yield f"{BELOW} below, {ABOVE} above the old score's 95 % interval over folds."

    def _causes(self) -> Iterator[str]:
        if self.settings:
            lines = [f"`{one.key}`: {_value(one.old)} → {_value(one.new)}" for one in self.settings]
            yield "### Parameters"
            yield bullets(lines[:CELLS]) + (f"\n- and {len(lines) - CELLS} more" if len(lines) > CELLS else "")
        if self.data:
            yield "### Data"
            yield bullets(f"{each.dataset}: {_data(each.old)} → {_data(each.new)}" for each in self.data)
        if self.code:
            yield folded(f"Code: {len(self.code)} changed", bullets(f"`{path}`" for path in self.code))


def _of_table(one: TableDiff) -> str:
    """One line for a table, with its changed cells folded into it."""
    if not one.columns_old or not one.columns_new:
        return folded(f"{one.name}: {'new' if one.columns_new else 'gone'}", f"{len(one.new or one.old)} rows")
    shared = len(one.new) - len(one.rows_new)
    parts = [f"{one.rows_changed} of {shared} rows changed"] if one.shown else []
    if largest := one.largest():
        parts.append(f"largest {_number(largest.difference, '+')} in {largest.column} ({' · '.join(largest.key)})")
    detail = []
    for keys, what in ((one.rows_new, "new"), (one.rows_gone, "gone")):
        if keys:
            parts.append(f"{_count(len(keys), 'row')} {what}")
            detail.append(f"Rows {what}: {some_of([' · '.join(key) for key in keys], CELLS)}")
    for here, there, what in ((one.columns_new, one.columns_old, "new"), (one.columns_old, one.columns_new, "gone")):
        if names := [column for column in here if column not in there]:
            parts.append(f"{_count(len(names), 'column')} {what}")
            detail.append(f"Columns {what}: {', '.join(names)}")
    if one.shown:
        header = ("row", "column", "old", "new", "difference", "95 % interval of old")
        more = f"\n\nand {len(one.shown) - CELLS} more" if len(one.shown) > CELLS else ""
        detail.append(table(header, [_row(cell) for cell in one.shown[:CELLS]]) + more)
    same = "the same values, written in another way" if [*one.old] == [*one.new] else "rows in another order"
    return folded(f"{one.name}: {', '.join(parts) or same}", "\n\n".join(detail))


def _score(cell: Change | None) -> str:
    """A score of the matrix: "0.913 → 0.921 (+0.008)", marked where it left the interval."""
    if cell is None:
        return "same"
    if not isinstance(cell.new, float):
        return f"gone (was {cell.old:.3f})" if isinstance(cell.old, float) else "gone"
    if not isinstance(cell.old, float):
        return f"new: {cell.new:.3f}"
    text = f"{cell.old:.3f} → {cell.new:.3f} ({cell.new - cell.old:+.3f})"
    if cell.inside is False:
        return f"**{text} {BELOW if cell.is_regression else ABOVE}**"
    return text if cell.inside else f"{text}, no interval"


def _row(cell: Change) -> Sequence[str]:
    difference = "" if cell.difference is None else _number(cell.difference, "+")
    interval = "" if cell.interval is None else f"{cell.interval[0]:.4f} … {cell.interval[1]:.4f}"
    marked = f"**{difference}**" if cell.inside is False else difference
    return (" · ".join(cell.key), cell.column, _number(cell.old), _number(cell.new), marked, interval)


def _number(value: str | float | None, sign: str = "") -> str:
    if not isinstance(value, float):
        return value or "–"
    return f"{value:{sign}.0f}" if value.is_integer() and abs(value) >= 1 else f"{value:{sign}.4f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _name(tree: Tree) -> str:
    if tree.commit is None or tree.name == tree.commit:
        return f"`{tree.commit[:9]}`" if tree.commit else tree.name
    return f"`{tree.name}` ({tree.commit[:9]})" if not tree.commit.startswith(tree.name) else f"`{tree.name}`"


def _value(value: Any) -> str:
    return "–" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _data(side: tuple[str, int] | None) -> str:
    return f"{side[1]} files, `{side[0][:8]}`" if side else "–"
