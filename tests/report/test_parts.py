"""Archived runs side by side: a row for each, and networks that failed are told apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
import yaml

from multiresunet.errors import UserError
from multiresunet.paths import METRICS, PARAMS
from multiresunet.report.parts import below_baselines, draw

ROOT = Path(__file__).parents[2]
NETWORKS = 5
DATASETS = ["nuclei", "tumours"]


def folds(**scores: list[float]) -> pd.DataFrame:
    rows = [("a", model, fold, score) for model, several in scores.items() for fold, score in enumerate(several)]
    rows += [("a", "everything foreground", fold, 0.2) for fold in (0, 1)]
    rows += [("a", "Otsu threshold", fold, (0.5, 0.1)[fold]) for fold in (0, 1)]
    return pd.DataFrame(rows, columns=["dataset", "model", "fold", "jaccard"])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs: `one` of the default's data sets, and `both` of two."""
    for name, datasets in (("one", DATASETS[:1]), ("both", DATASETS)):
        folder = Path(shutil.copytree(ROOT / METRICS, tmp_path / name))
        for path in folder.glob("*.csv"):
            table = pd.read_csv(path)
            table[table["dataset"].isin(datasets)].to_csv(path, index=False)
        tree = yaml.safe_load((ROOT / PARAMS).read_text(encoding="utf-8"))
        tree["run"] |= {"datasets": datasets, "tuned": {"datasets": [], "models": []}}
        (folder / PARAMS).write_text(yaml.safe_dump(tree), encoding="utf-8")
    return tmp_path


def change(path: Path, **values: object) -> None:
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    tree["evaluate"] |= values
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")


def test_a_network_fails_that_is_not_above_the_better_baseline_in_every_fold() -> None:
    table = folds(good=[0.6, 0.3], once=[0.6, 0.22], late=[0.54, 0.9])
    assert below_baselines(table, 0.05) == {"a": {"once", "late"}}
    assert below_baselines(table, 0.01) == {"a": set()}


def test_every_run_has_a_row_for_each_of_its_data_sets(runs: Path) -> None:
    drawn = ElementTree.parse(draw(runs)).getroot()
    titles = [element.text or "" for element in drawn.iter("{http://www.w3.org/2000/svg}title")]
    rows = [title.partition(",")[0] for title in titles]
    assert list(dict.fromkeys(rows)) == ["both nuclei", "both tumours", "one"]
    assert rows.count("one") >= NETWORKS - 1
    one, both = ([title.partition(", ")[2] for title in titles if title.startswith(run)] for run in ("one", "both n"))
    assert one == both  # the same numbers


def test_a_control_that_failed_is_compared_with_nothing(runs: Path) -> None:
    path = runs / "one/folds.csv"
    table = pd.read_csv(path)
    table.loc[(table["model"] == "unet_bn") & (table["fold"] == 1), "jaccard"] = 0.1
    table.to_csv(path, index=False)
    text = draw(runs).read_text(encoding="utf-8")
    assert "nothing to compare: unet_bn fails" in text
    assert "one, " not in text


def test_runs_without_a_control_in_common_are_one_line(runs: Path, tmp_path: Path) -> None:
    change(runs / "one" / PARAMS, confirmatory=["multiresunet", "unet"])
    with pytest.raises(UserError, match="no archived runs with one control"):
        draw(runs)
    with pytest.raises(UserError, match="no archived runs"):
        draw(tmp_path / "one")


def test_a_run_without_its_tables_is_one_line(runs: Path) -> None:
    (runs / "one/folds.csv").unlink()
    with pytest.raises(UserError, match=r"one has no folds.csv; restore it from git, or archive the run again"):
        draw(runs)
