"""Archived runs side by side: `python -m multiresunet.report.parts results/study` draws the runs in that folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.evaluation import BASELINES
from multiresunet.evaluation.evidence import above_baselines
from multiresunet.files import write_text
from multiresunet.paths import PARAMS
from multiresunet.report import answer, charts, svg, tables

FIGURE = "beside_the_control.svg"


def draw(folder: Path) -> Path:
    """Draw how far each network is above the control, on each data set of each run archived in `folder`.

    A row is called by the run, and by the data set too where the run has several.

    Raises:
        UserError: there is no run, one lacks a table, or the runs have no control in common.
    """
    found, controls = [], set()
    poor: dict[str, set[str]] = {}
    for run in sorted(path.parent for path in folder.glob(f"*/{PARAMS}")):
        loaded, kept = config.load(run / PARAMS), tables.read(run)
        if lacking := [f"{name}.csv" for name in ("folds", "comparisons") if name not in kept]:
            raise UserError(f"{run} has no {' and no '.join(lacking)}; restore it from git, or archive the run again")
        controls.add(answer.control_of(loaded))
        several = len(loaded.run.datasets) > 1
        rows = {name: f"{run.name} {name}" if several else run.name for name in loaded.run.datasets}
        failed = below_baselines(kept["folds"], loaded.evaluate.verdict.above_baselines)
        poor |= {rows[name]: failed[name] for name in rows}
        found.append(kept["comparisons"].assign(dataset=kept["comparisons"]["dataset"].map(rows)))
    control = controls.pop() if len(controls) == 1 else None
    if control is None:
        raise UserError(f"{folder}: no archived runs with one control (evaluate.confirmatory or evaluate.references)")
    drawn = charts.forest(pd.concat(found, ignore_index=True), control, poor)
    write_text(folder / FIGURE, svg.standalone(drawn))
    return folder / FIGURE


def below_baselines(folds: pd.DataFrame, margin: float) -> dict[str, set[str]]:
    """For each data set the models that aren't `margin` (Jaccard index) above the better baseline in every fold.

    A fold's score is the mean over its seeds; that a single one has failed is said in metrics/claims.csv.

    Args:
        folds: metrics/folds.csv.
        margin: of `evaluate.verdict`.
    """
    found = {}
    for name, part in folds.groupby("dataset", sort=False):
        means = part.set_index(["model", "fold"])["jaccard"]
        networks = [str(model) for model in part["model"].unique() if model not in BASELINES]
        found[str(name)] = {model for model in networks if (above_baselines(means, model) < margin).any()}
    return found


if __name__ == "__main__":
    try:
        print(draw(Path(sys.argv[1])))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except IndexError:
        raise SystemExit("usage: python -m multiresunet.report.parts results/NAME") from None
