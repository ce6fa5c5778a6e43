"""The tables in metrics/, which git keeps: sorted, rounded, small. A column of the summary is added here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from multiresunet.evaluation import tables
from multiresunet.evaluation.table_keys import SUMMARY, TABLES
from multiresunet.paths import EVALUATED

DIGITS = 4
GATHERED = tuple(TABLES)
"""The tables of each data set that go into metrics/, one below the other."""

WORDS = {"reason": str, "note": str, "unit": str, "untuned": str, "study": str}
"""Columns of words, which pandas takes for numbers where all of them are empty."""


def files(folder: Path) -> list[Path]:
    """The tables' files in metrics/, or in another folder like it."""
    return [folder / f"{name}.csv" for name in (SUMMARY, *GATHERED)]


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables by name from metrics/, or from a folder of results/; a kept run may lack some.

    Empty reasons and notes are empty texts.
    """
    found = {path.stem: pd.read_csv(path, dtype=WORDS) for path in files(folder) if path.exists()}
    for name, column in (("claims", "reason"), ("comparisons", "note")):
        if name in found:
            found[name][column] = found[name][column].fillna("")
    return found


def evaluated(name: str) -> dict[str, pd.DataFrame]:
    """A data set's tables, as `stages.evaluate` wrote them."""
    return {table: pd.read_csv(EVALUATED / name / f"{table}.csv") for table in ("images", "history", *GATHERED)}


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows, by column."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def above(comparisons: pd.DataFrame, control: str, measure: str = "jaccard") -> pd.DataFrame:
    """How far each model is above a control: dataset, model, difference, low, high, and the rest of `comparisons`."""
    rows = comparisons[comparisons["measure"] == measure]
    as_they_are = rows[rows["other"] == control]
    turned = rows[rows["model"] == control].rename(columns={"model": "other", "other": "model"})
    turned = turned.assign(difference=-turned["difference"], low=-turned["high"], high=-turned["low"])
    return pd.concat([as_they_are, turned]).sort_index()


def gather(folder: Path, datasets: list[str], name: str) -> pd.DataFrame:
    """The table `name` of every data set, one below the other, with a first column `dataset`."""
    parts = []
    for dataset in datasets:
        part = pd.read_csv(folder / dataset / name)
        part.insert(0, "dataset", dataset)
        parts.append(part)
    # An empty table's columns have no type, and would take the others' from them.
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def summary(gathered: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row for each data set and model: mean and deviation over folds, in the order of params.yaml.

    Rows of tuned models have what sort of study they come from, and the tuning improvement.

    Args:
        gathered: the tables that `gather` makes, by name.
    """
    parts = []
    for dataset, part in gathered["folds"].groupby("dataset", sort=False):
        table = tables.summary(part)
        table.insert(0, "dataset", dataset)
        parts.append(table)
    joined = pd.concat(parts, ignore_index=True)
    key = ["dataset", "model"]
    improvement = [f"tuning_improvement{end}" for end in ("", "_low", "_high")]
    return joined.merge(gathered["tuning"][[*key, "study", *improvement]], on=key, how="left", validate="1:1")


def as_tree(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """The means of a summary as data set → model → score, which `dvc metrics diff` reads."""
    tree: dict[str, dict[str, dict[str, float]]] = {}
    for row in table.to_dict("records"):
        means = {score: round(float(row[score]), DIGITS) for score in tables.SCORES}
        tree.setdefault(str(row["dataset"]), {})[str(row["model"]).replace(" ", "_")] = means
    return tree


def beside_the_paper(summary: pd.DataFrame, modalities: dict[str, str]) -> pd.DataFrame:
    """The paper's table and ours: Jaccard index in %, of the epoch that is best on the test fold, as in the paper.

    Args:
        summary: of this run.
        modalities: of each data set; a phantom is compared with the modality that it imitates.
    """
    paper = pd.read_csv(Path(__file__).with_name("paper.csv")).set_index("modality")
    rows = []
    for name, modality in modalities.items():
        plain = modality.removesuffix(" (phantom)")
        if plain not in paper.index:
            continue
        row: dict[str, object] = {"modality": modality, "data set": name}
        means = dict[str, float]()
        for model, title in (("unet", "U-Net"), ("multiresunet", "MultiResUNet")):
            theirs = [float(paper[column][plain]) for column in (model, f"{model}_sd")]
            row[f"{title}, paper"] = f"{theirs[0]:.1f} ± {theirs[1]:.1f}"
            own = summary[(summary["dataset"] == name) & (summary["model"] == model)]
            row[f"{title}, ours"] = ""
            if len(own):
                means[model], deviation = (
                    100 * float(own[c].iloc[0]) for c in ("jaccard_best_epoch", "jaccard_best_epoch_sd")
                )
                row[f"{title}, ours"] = f"{means[model]:.1f} ± {deviation:.1f}"
        row["relative improvement, paper"] = f"{float(paper['improvement'][plain]):+.1f} %"
        # A share of a score near 0 has no meaning.
        known = len(means) == 2 and means["unet"] >= 5
        row["relative improvement, ours"] = (
            f"{100 * (means['multiresunet'] / means['unet'] - 1):+.1f} %" if known else ""
        )
        rows.append(row)
    return pd.DataFrame(rows)
