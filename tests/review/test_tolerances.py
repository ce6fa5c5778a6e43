"""The tolerances of params.yaml: which values they are for, whatever a data set or a model is called."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest

from multiresunet.evaluation.table_keys import SUMMARY, TABLES, keys_of
from multiresunet.paths import METRICS
from multiresunet.review.judgement import tolerances
from tests import small

RULE = tolerances(small.ROOT)
COUNTED = ("epoch", "bin", "threshold", "contrast", "fold", "severity")  # keys that are numbers, in no pattern
NAMED = ("dataset", "model", "reference", "other")
CHOSEN = [
    *("p_study", "hd95_x", "asd_children", "false_alarms", "fragments", "holes", "nsd_x", "boundary_f1_x", "p", "note"),
    *("brain_regions", "epochs", "low_contrast", "of_x", "multiply_adds_x", "parameters_x", "units", "images", "low"),
]


def rows() -> Iterator[tuple[str, tuple[str, ...], dict[str, str]]]:
    """A table's name, its key columns, and a row, one of each kind, of all that is in metrics/."""
    for table in (SUMMARY, *TABLES):
        keys, seen = keys_of(table), set()
        with (small.ROOT / METRICS / f"{table}.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                kind = tuple(row[key] for key in keys if key not in (*NAMED, *COUNTED))
                if kind not in seen:
                    seen.add(kind)
                    yield table, keys, row


def tolerance(table: str, keys: tuple[str, ...], row: dict[str, str], column: str) -> float | None:
    return RULE.tolerance(".".join([table, *(row[key] for key in keys), column]))


@pytest.mark.parametrize("part", NAMED)
def test_no_name_of_a_data_set_or_model_changes_what_is_tolerated(part: str) -> None:
    checked = 0
    for table, keys, row in rows():
        if part not in keys:
            continue
        plain = row | {key: "plain" for key in keys if key in NAMED}
        for column in row.keys() - set(keys):
            meant = tolerance(table, keys, plain, column)
            for name in [*CHOSEN, *(["x_tuned"] if part == "dataset" else [])]:
                assert tolerance(table, keys, plain | {part: name}, column) == meant, (table, name, column, row)
                checked += 1
    assert checked


def test_what_the_search_has_chosen_is_not_compared() -> None:
    assert RULE.tolerance("cost.a.unet_tuned.parameters") is None
    assert RULE.tolerance("cost.a.unet.parameters") is not None
