"""`multiresunet diff BASE`: what a reviewer of a pull request reads, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from multiresunet.review import changes
from multiresunet.review.changes import Change, Data, Setting
from multiresunet.review.git import Tree

MOST = 100  # rows of a folded table; a comment on GitHub has 65,536 characters
WRITING = {"unet": "U-Net", "multiresunet": "MultiResUNet", "multiresunet_tuned": "tuned MultiResUNet"}


@dataclass(frozen=True)
class Diff:
    """All that differs between two trees."""

    old: str
    new: str
    cells: list[Change]
    settings: list[Setting]
    data: list[Data]
    code: list[str]

    @classmethod
    def between(cls, old: Tree, new: Tree) -> Diff:
        """Compare what two trees have in metrics/, params.yaml and dvc.lock."""
        return cls(
            old=_name(old),
            new=_name(new),
            cells=changes.of_tables(old, new),
            settings=changes.of_params(old, new),
            data=changes.of_data(old, new),
            code=changes.of_code(old, new),
        )

    @property
    def regressions(self) -> list[Change]:
        """Scores that have fallen below the base's interval."""
        return [cell for cell in self.cells if cell.is_regression]

    def markdown(self) -> str:
        """Verdicts first, then rows, parameters, data and code, each part only if there is something to say."""
        parts = [
            f"## Tables: {self.old} → {self.new}",
            "\n".join(f"- {line}" for line in self._verdicts()),
            *self._tables(),
        ]
        if self.settings:
            rows = [(f"`{each.key}`", _value(each.old), _value(each.new)) for each in self.settings]
            parts += ["### Parameters", _table(("key", "old", "new"), rows)]
        if self.data:
            data = [(each.dataset, _data(each.old), _data(each.new)) for each in self.data]
            parts += ["### Data", _table(("data set", "old", "new"), data)]
        if self.code:
            parts.append(_folded(f"Code: {len(self.code)} changed", "\n".join(f"- `{path}`" for path in self.code)))
        return "\n\n".join(parts) + "\n"

    def _verdicts(self) -> Iterator[str]:
        headlines = [cell for cell in self.cells if cell.is_headline]
        # A changed word of a table, say "holds" for a claim, says more than any number.
        words = [cell for cell in self.cells if isinstance(cell.old, str) and isinstance(cell.new, str)]
        if not self.cells:
            yield "No table changed."
        elif not headlines and not words:
            yield f"No model's `{changes.HEADLINE}` changed; other scores did."
        others = {each.dataset for each in self.data if each.old and each.new}
        for cell in sorted(headlines, key=lambda cell: not cell.is_regression):
            yield verdict(cell) + (" (on other images)" if cell.key[0] in others else "")
        for cell in words:
            yield f"{cell.table}, {' · '.join(cell.key)}: {cell.column} {cell.old} → **{cell.new}**"

    def _tables(self) -> Iterator[str]:
        shown = [cell for cell in self.cells if cell.table == "summary" and cell.column == changes.HEADLINE]
        if shown:
            header = ("row", "old", "new", "difference", "95 % interval of old")
            yield f"### {changes.HEADLINE}"
            yield _table(header, [_row(cell) for cell in shown])
        for name, group in groupby((cell for cell in self.cells if cell not in shown), key=lambda cell: cell.table):
            cells = list(group)
            rows = [(first, cell.column, *rest) for cell in cells[:MOST] for first, *rest in [_row(cell)]]
            text = _table(("row", "score", "old", "new", "difference", "95 % interval of old"), rows)
            if len(cells) > MOST:
                text += f"\n\nand {len(cells) - MOST} more"
            yield _folded(f"metrics/{name}.csv, {'other ' if shown else ''}changes: {len(cells)}", text)

    def picture(self, path: Path, most: int = 12) -> bool:
        """Draw the rows whose score changed most, old beside new, as PNG; False if there is none to draw."""
        pairs = [
            (cell, cell.old, cell.new)
            for cell in self.cells
            if cell.is_headline and isinstance(cell.old, float) and isinstance(cell.new, float)
        ]
        pairs = sorted(pairs, key=lambda pair: -abs(pair[2] - pair[1]))[:most][::-1]
        if not pairs:
            return False
        import matplotlib  # a second, and only here

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(8, 1 + 0.4 * len(pairs)), layout="constrained")
        for place, (cell, old, new) in enumerate(pairs):
            if cell.interval:
                axes.plot(cell.interval, [place, place], color="0.8", linewidth=8, solid_capstyle="butt")
            colour = "tab:red" if cell.is_regression else "tab:blue"
            axes.plot([old, new], [place, place], color=colour)
            axes.plot([old], [place], "o", color=colour, markerfacecolor="white")
            axes.plot([new], [place], "o", color=colour)
        axes.set_ylim(-0.6, len(pairs) - 0.4)
        axes.set_yticks(range(len(pairs)), [" · ".join(cell.key) for cell, _, _ in pairs])
        axes.set_xlabel(f"{changes.HEADLINE}: old (hollow), its 95 % interval (grey), new (filled)")
        axes.spines[["top", "right"]].set_visible(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120, metadata={"Software": None})
        plt.close(figure)
        return True


def verdict(cell: Change) -> str:
    """One line for a reader in a hurry: "MultiResUNet on murphy 0.913 → 0.921, inside the interval"."""
    dataset, model = cell.key[0], cell.key[-1]
    who = f"{WRITING.get(model, model)} on {dataset}"
    if not isinstance(cell.new, float):
        return f"{who} has gone (was {_number(cell.old)})"
    if not isinstance(cell.old, float):
        return f"{who} is new: {_number(cell.new)}"
    said = "no interval known" if cell.inside is None else "inside the interval"
    if cell.is_regression:
        said = "**worse, beyond the interval**"
    elif cell.inside is False:
        said = "**better, beyond the interval**"
    return f"{who} {cell.old:.3f} → {cell.new:.3f}, {said}"


def _name(tree: Tree) -> str:
    if tree.commit is None or tree.name == tree.commit:
        return f"`{tree.commit[:9]}`" if tree.commit else tree.name
    return f"`{tree.name}` ({tree.commit[:9]})" if not tree.commit.startswith(tree.name) else f"`{tree.name}`"


def _row(cell: Change) -> Sequence[str]:
    difference = "" if cell.difference is None else f"{cell.difference:+.4f}"
    interval = "" if cell.interval is None else f"{cell.interval[0]:.4f} … {cell.interval[1]:.4f}"
    if cell.inside is False and cell.old is not None:
        difference = f"**{difference}**"
    return (" · ".join(cell.key), _number(cell.old), _number(cell.new), difference, interval)


def _number(cell: changes.Cell) -> str:
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) > 1 else f"{cell:.4f}"
    return cell or "–"


def _value(value: Any) -> str:
    return "–" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _data(side: tuple[str, int] | None) -> str:
    return f"{side[1]} files, `{side[0][:8]}`" if side else "–"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
