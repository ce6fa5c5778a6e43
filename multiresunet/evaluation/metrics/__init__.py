"""The scores of a predicted mask, a module a family.

A metric is a function of a `MaskPair`, registered by name; a module in this folder with such a function is all it
takes to have it in every table:

    @METRICS.register("thickness", lower_is_better=True)
    def thickness(masks: MaskPair) -> float: ...

Facts of a registration, all False if not said:
headline: it stands first, in the summary, and for the best epoch beside the last one.
compared: it has a row for each pair of models in comparisons.csv.
lower_is_better: a model is better if it is lower.
distance: it is a length, in mm where all of a data set's files say how large their pixels are, else in their pixels.
per_tolerance: the function takes a distance as well, in pixels of the masks compared, and has a column for each of
    `evaluate.tolerances`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multiresunet.evaluation.masks import GRID_UNIT, MaskPair
from multiresunet.registries import METRICS

BEST_EPOCH = "_best_epoch"
"""End of the columns that are about the epoch which was best on the test fold."""


@dataclass(frozen=True)
class Column:
    """A column of the per-image table: a metric, at one of the tolerances if it has them."""

    name: str
    metric: str
    tolerance: float | None = None
    headline: bool = False
    compared: bool = False
    lower_is_better: bool = False
    distance: bool = False

    def __call__(self, masks: MaskPair) -> float:
        """The score of one image."""
        score: float = METRICS[self.metric](masks, *([] if self.tolerance is None else [self.tolerance]))
        return score


def columns(tolerances: Sequence[float]) -> list[Column]:
    """The scores of the last epoch's predictions: headline metrics first, the others in the registry's order."""
    found = list[Column]()
    for name, entry in METRICS.entries.items():
        facts = dict(entry.facts)
        if facts.pop("per_tolerance", False):
            found += [Column(f"{name}_{tolerance:g}", name, tolerance, **facts) for tolerance in tolerances]
        else:
            found.append(Column(name, name, **facts))
    return sorted(found, key=lambda column: not column.headline)


def names(tolerances: Sequence[float]) -> list[str]:
    """All score columns of the per-image table, in their order; a tolerance is in the column's name."""
    return [
        name
        for column in columns(tolerances)
        for name in ([f"{column.name}{BEST_EPOCH}"] * column.headline + [column.name])
    ]


def units(measures: Sequence[str], tolerances: Sequence[float], unit: str) -> list[str]:
    """The unit of each measure's distances, `unit` (mm, or pixels of the files), or of its tolerance; empty of others.

    Args:
        measures: names of columns, with or without `BEST_EPOCH`.
        tolerances: of the tables.
        unit: of the data set, from `PreparedDataset.unit`.
    """
    found = {c.name: unit if c.distance else "" if c.tolerance is None else GRID_UNIT for c in columns(tolerances)}
    return [found.get(measure.removesuffix(BEST_EPOCH), "") for measure in measures]
