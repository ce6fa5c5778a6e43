"""What tuning leaves: trials.csv, pareto.csv, best.json, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from optuna.trial import FrozenTrial

from multiresunet.config import Select
from multiresunet.errors import UserError
from multiresunet.files import write_csv, write_json
from multiresunet.tuning import choose, figures
from multiresunet.tuning.space import Numbers
from multiresunet.tuning.study import Study


def table(found: Sequence[tuple[Study, Sequence[FrozenTrial]]], rule: Select) -> pd.DataFrame:
    """A line for each trial, in the order of folds and trials, with the columns `front` and `chosen`.

    Raises:
        UserError: the model's own values (trial 0) were given up, with which all others would be compared.
    """
    parts = []
    for study, trials in found:
        part = pd.DataFrame([study.row(trial) for trial in trials]).sort_values("trial", ignore_index=True)
        if not ((part["trial"] == 0) & (part["state"] == "complete")).any():
            raise UserError(
                f"{study.name}: the trial of the model's own values came to no end in three attempts, so nothing can "
                "be compared with them; see why its workers stopped, and tune again"
            )
        part[["lead", "standard_error"]] = choose.leads(part)
        part["front"] = choose.front(part)
        part["chosen"] = part.index == choose.chosen(part, rule, study.cost(study.space.own))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def best(trials: pd.DataFrame, names: Sequence[str], folds: int) -> dict[str, Numbers]:
    """From each fold to its chosen trial's numbers, those in `names`; a study that is shared speaks for all folds."""
    found = {
        str(row["fold"]): {name: row[name] for name in names} for row in trials[trials["chosen"]].to_dict("records")
    }
    return {str(fold): found["all"] for fold in range(folds)} if "all" in found else found


def write(draft: Path, found: Sequence[tuple[Study, Sequence[FrozenTrial]]], rule: Select, folds: int) -> None:
    """Write the tables and the pictures."""
    trials = table(found, rule)
    write_csv(draft / "trials.csv", trials)
    front = trials[trials["front"]].drop(columns=["state", "front"])
    write_csv(
        draft / "pareto.csv", front.sort_values("multiply_adds", kind="stable").sort_values("fold", kind="stable")
    )
    figures.draw(trials, draft)
    write_json(draft / "best.json", best(trials, list(found[0][0].space.own), folds))


def say(study: Study, row: Numbers) -> None:
    """Print a line about a trial that is finished."""
    numbers = ", ".join(f"{key} {row[key]:.4g}" for key in row if key in study.space.distributions)
    print(f"{study.name} trial {row['trial']}: {numbers}: Jaccard {row['score']:.3f} ({row['state']})", flush=True)
