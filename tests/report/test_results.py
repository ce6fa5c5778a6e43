"""The default run's tables, and archived ones, are read by the functions that read metrics/."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from multiresunet import config
from multiresunet.evaluation import BASELINES
from multiresunet.evaluation import tables as scores
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE
from multiresunet.evaluation.table_keys import SUMMARY, keys_of
from multiresunet.evaluation.table_keys import TABLES as TABLE_KEYS
from multiresunet.files import write_csv, write_json, write_text
from multiresunet.paths import FIGURES, METRICS, TABLES
from multiresunet.report import charts, export, tables, verdicts
from multiresunet.report.archive import archive
from multiresunet.review.changes import interval_of, of_tables
from multiresunet.review.git import Tree

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two of the default run's data sets; written as the stage writes its tables."""
    folder = tmp_path_factory.mktemp("archived")
    for name in ("params.yaml", "dvc.lock", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / FIGURES).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("multiresunet.report.archive.made_otherwise", list)  # there is no pipeline
        for name, table in tables.read(ROOT / METRICS).items():
            part = table[table["dataset"].isin(["nuclei", "tumours"])]
            write_csv(METRICS / f"{name}.csv", part, tables.DIGITS)
            write_text(TABLES / f"{name}.md", export.markdown(part))
            write_text(TABLES / f"{name}.tex", export.latex(part))
            if name == SUMMARY:
                write_json(METRICS / "summary.json", tables.as_tree(part))
        archive(Path("results/trial"))
    return folder / "results/trial"


@pytest.fixture(params=["default", "archived"])
def run(request: pytest.FixtureRequest) -> dict[str, pd.DataFrame]:
    """The tables of the default run, and of an archived one."""
    return tables.read(ROOT / METRICS if request.param == "default" else request.getfixturevalue("archived"))


def test_every_table_has_its_keys_and_no_row_twice(run: dict[str, pd.DataFrame]) -> None:
    assert set(run) >= {SUMMARY, *TABLE_KEYS}
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


def failed(folds: pd.DataFrame, margin: float) -> set[tuple[str, str]]:
    """Data sets and models that aren't `margin` above both baselines in every fold."""
    scores = folds.pivot_table(index=["dataset", "fold"], columns="model", values="jaccard")
    gaps = scores.drop(columns=list(BASELINES)).sub(scores[list(BASELINES)].max(axis=1), axis=0)
    low = (gaps < margin).groupby("dataset").any()
    return {(str(name), str(model)) for model in low for name in low.index[low[model]]}


def test_every_network_beats_both_baselines_or_nothing_on_it_is_decided(run: dict[str, pd.DataFrame]) -> None:
    poor = failed(run["folds"], config.load(ROOT / "params.yaml").evaluate.verdict.above_baselines)
    networks = run["folds"][~run["folds"]["model"].isin(BASELINES)]
    assert len(poor) < len(networks.groupby(["dataset", "model"])) / 2
    claims = run["claims"][run["claims"]["model"] != run["claims"]["reference"]]
    sides = [pd.MultiIndex.from_frame(claims[["dataset", side]]) for side in ("model", "reference")]
    on_poor = claims[sides[0].isin(poor) | sides[1].isin(poor)]
    assert on_poor.empty == (not poor)
    assert set(on_poor["verdict"]) <= {INCONCLUSIVE}
    assert on_poor["reason"].str.contains("hardly beat").all()


def test_each_claim_has_a_verdict_beside_the_fair_control(run: dict[str, pd.DataFrame]) -> None:
    planned = run["claims"][run["claims"]["family"] == "confirmatory"]
    assert set(planned["model"] + " " + planned["reference"]) == {"multiresunet unet_bn"}
    assert planned["decisive"].all()
    for _, part in planned.groupby("dataset"):
        assert list(part["claim"]) == list(verdicts.CLAIMS)
    assert set(planned["dataset"]) == set(run["folds"]["dataset"])


def test_a_claims_row_counts_what_its_cells_show() -> None:
    [planned, *_] = verdicts.matrices(tables.read(ROOT / METRICS)["claims"], config.load(ROOT / "params.yaml"))
    for row in planned["rows"]:
        shown = [cell["sign"] for cell in row["cells"]]
        assert row["counts"] == {verdict: shown.count(sign) for verdict, (_, sign) in verdicts.SIGNS.items()}


def test_it_can_be_drawn_and_written(run: dict[str, pd.DataFrame]) -> None:
    datasets = list(dict.fromkeys(run[SUMMARY]["dataset"]))
    drawn = charts.overview(run["intervals"], datasets)
    assert len(list(ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}circle"))) == len(run[SUMMARY])
    tree = tables.as_tree(run[SUMMARY])
    assert list(tree) == datasets
    row = run[SUMMARY].iloc[0]
    assert tree[row["dataset"]][row["model"]]["jaccard"] == row["jaccard"]


def test_its_tables_as_markdown_and_latex_are_those_of_its_csv_files(archived: Path) -> None:
    for name in (SUMMARY, "claims", "folds"):
        table = pd.read_csv(archived / f"{name}.csv")
        assert (archived / f"tables/{name}.md").read_text(encoding="utf-8") == export.markdown(table)
        assert (archived / f"tables/{name}.tex").read_text(encoding="utf-8") == export.latex(table)


def test_its_summary_is_json_too(archived: Path) -> None:
    kept = json.loads((archived / "summary.json").read_text(encoding="utf-8"))
    assert kept == tables.as_tree(tables.read(archived)[SUMMARY])


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


def test_it_can_be_compared_with_the_default_run(archived: Path) -> None:
    compared = {one.name: one for one in of_tables(Folder(ROOT / "metrics"), Folder(archived))}
    assert compared[SUMMARY].new
    assert {key[0] for key in compared[SUMMARY].rows_gone} == {
        "membranes",
        "lesions",
        "polyps",
    }
    assert all(interval_of(row, "jaccard") for row in compared[SUMMARY].new.values())
