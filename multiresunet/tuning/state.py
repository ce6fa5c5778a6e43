"""The finished trials of a study as a file, to resume from after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from multiresunet.files import write_json


def save(path: Path, trials: Sequence[FrozenTrial]) -> None:
    """Write finished trials, in one step."""
    write_json(
        path,
        [
            {
                "state": trial.state.name,
                "value": trial.value,
                "params": trial.params,
                "intermediate": trial.intermediate_values,  # a split that diverged leaves a gap in the steps
                "user": trial.user_attrs,
                "system": trial.system_attrs,  # Hyperband keeps there what a trial had at its rungs
            }
            for trial in trials
        ],
    )


def load(path: Path, distributions: Mapping[str, BaseDistribution]) -> list[FrozenTrial]:
    """The trials that `save` wrote; none if there is no such file."""
    if not path.exists():
        return []
    return [
        optuna.trial.create_trial(
            state=TrialState[saved["state"]],
            value=saved["value"],
            params=saved["params"],
            distributions=dict(distributions),
            intermediate_values={int(step): value for step, value in saved["intermediate"].items()},
            user_attrs=saved["user"],
            system_attrs=saved["system"],
        )
        for saved in json.loads(path.read_text(encoding="utf-8"))
    ]


def forget(folder: Path) -> None:
    """Remove what studies have saved, once their outputs are written."""
    shutil.rmtree(folder, ignore_errors=True)
