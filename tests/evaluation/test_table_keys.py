"""Key columns: they name every row of the tables in metrics/ once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from multiresunet.evaluation.table_keys import SUMMARY, TABLES, keys_of

METRICS = Path(__file__).parents[2] / "metrics"


@pytest.mark.parametrize("name", [SUMMARY, *TABLES])
def test_keys_name_each_row_once(name: str) -> None:
    table = pd.read_csv(METRICS / f"{name}.csv")
    keys = list(keys_of(name))
    assert not table[keys].isna().any(axis=None)
    assert not table.duplicated(keys).any()


def test_every_table_of_the_commit_has_its_keys() -> None:
    assert {path.stem for path in METRICS.glob("*.csv")} == {SUMMARY, *TABLES}


def test_asking_for_keys_takes_no_library() -> None:
    code = (
        "import sys; import multiresunet.evaluation.table_keys; print({'torch', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
