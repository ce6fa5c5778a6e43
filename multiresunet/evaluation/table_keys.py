"""The tables of a data set that go into metrics/, and the columns that name a row of each. Imports nothing."""

from __future__ import annotations

TABLES: dict[str, tuple[str, ...]] = {
    "folds": ("model", "fold"),
    "learning_curves": ("model", "epoch"),
    "claims": ("claim", "measure", "model", "reference"),
    "intervals": ("model", "measure"),
    "comparisons": ("model", "other", "measure"),
    "perturbations": ("model", "kind", "severity"),
    "outliers": ("model",),
    "low_contrast": ("model", "contrast"),  # a bin's mean contrast: the data's, the same for every model
    "reliability": ("model", "bin"),
    "thresholds": ("model", "threshold"),
    "cost": ("model",),
    "classes": ("model", "class"),
    "tuning": ("model",),
    "matched_cost": ("model",),
}
"""What `evaluate` writes and `report` gathers, in this order, with the key columns of each."""

SUMMARY = "summary"
"""The table that `report` makes of the others: a row a model."""


def keys_of(table: str) -> tuple[str, ...]:
    """The columns that name a row of metrics/<table>.csv, the data set first.

    Raises:
        KeyError: there is no such table.
    """
    return ("dataset", *(("model",) if table == SUMMARY else TABLES[table]))
