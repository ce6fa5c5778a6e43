"""The runs kept in results/ are read by today's code, with the functions that read metrics/."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from multiresunet.evaluation import tables as scores
from multiresunet.evaluation.table_keys import SUMMARY, TABLES, keys_of
from multiresunet.report import charts, export, tables, verdicts
from multiresunet.review.changes import interval_of, of_tables
from multiresunet.review.git import Tree

ROOT = Path(__file__).parents[2]
RUNS = sorted(path.parent for path in ROOT.glob("results/*/provenance.json"))


@pytest.fixture(params=[ROOT / "metrics", *RUNS], ids=lambda path: path.name)
def run(request: pytest.FixtureRequest) -> dict[str, pd.DataFrame]:
    """The tables of the default run, and of each kept one."""
    return tables.read(request.param)


def test_there_are_kept_runs() -> None:
    assert {"cpu", "tune-cpu"} <= {path.name for path in RUNS}


def test_every_table_has_its_keys_and_no_row_twice(run: dict[str, pd.DataFrame]) -> None:
    assert set(run) >= {SUMMARY, *TABLES} - {"tuning", "learning_curves"}  # a run may be older than these tables
    for name, table in run.items():
        keys = list(keys_of(name))
        assert set(keys) <= set(table.columns), name
        assert not table.duplicated(keys).any(), name


def test_the_summary_has_every_score_with_its_deviation(run: dict[str, pd.DataFrame]) -> None:
    for score in scores.SCORES:
        assert run[SUMMARY][score].between(0, 1).all()
        assert (run[SUMMARY][f"{score}_sd"] >= 0).all()


def test_every_verdict_is_one_that_the_page_knows(run: dict[str, pd.DataFrame]) -> None:
    assert set(run["claims"]["verdict"]) <= set(verdicts.SIGNS)
    decisive = run["claims"][run["claims"]["decisive"].astype(bool)]
    assert set(decisive["claim"]) in (set(), set(verdicts.CLAIMS))  # no claims without one of the references
    assert set(run["claims"]["claim"]) <= {*verdicts.CLAIMS, "ablation"}


def test_it_can_be_drawn_and_written(run: dict[str, pd.DataFrame]) -> None:
    datasets = list(dict.fromkeys(run[SUMMARY]["dataset"]))
    drawn = charts.overview(run["intervals"], datasets)
    assert len(list(ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}circle"))) == len(run[SUMMARY])
    tree = tables.as_tree(run[SUMMARY])
    assert list(tree) == datasets
    row = run[SUMMARY].iloc[0]
    assert tree[row["dataset"]][row["model"]]["jaccard"] == row["jaccard"]


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_its_tables_as_markdown_and_latex_are_those_of_its_csv_files(folder: Path) -> None:
    for name in (SUMMARY, "claims", "folds"):
        table = pd.read_csv(folder / f"{name}.csv")
        assert (folder / f"tables/{name}.md").read_text(encoding="utf-8") == export.markdown(table)
        assert (folder / f"tables/{name}.tex").read_text(encoding="utf-8") == export.latex(table)


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_its_summary_is_json_too(folder: Path) -> None:
    kept = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert kept == tables.as_tree(tables.read(folder)[SUMMARY])


class Folder(Tree):
    """A folder's tables in the place of metrics/."""

    def __init__(self, folder: Path) -> None:
        """Read from `folder`."""
        super().__init__(None)
        self._folder = folder

    def paths(self, folder: str, suffix: str) -> list[str]:
        """The folder's files, as if they lay in metrics/."""
        return [f"{folder}/{path.name}" for path in sorted(self._folder.glob(f"*{suffix}"))]

    def read(self, path: str) -> str | None:
        """A file's text."""
        file = self._folder / Path(path).name
        return file.read_text(encoding="utf-8") if file.is_file() else None


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_it_can_be_compared_with_the_default_run(folder: Path) -> None:
    compared = {one.name: one for one in of_tables(Folder(ROOT / "metrics"), Folder(folder))}
    assert len(compared[SUMMARY].new) == len(tables.read(folder)[SUMMARY])
    assert all(interval_of(row, "jaccard") for row in compared[SUMMARY].new.values())
