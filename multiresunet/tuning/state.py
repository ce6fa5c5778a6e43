"""What a study that is killed goes on from: its finished trials, and the key of the inputs that they belong to."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from multiresunet.files import sha256, write_json

PACKAGE = Path(__file__).parents[1]


def key(parameters: Any, inputs: Path) -> str:
    """A hash of all that trials depend on: parameters, the files in `inputs`, this package's code, the libraries."""
    files = [*sorted(path for path in inputs.iterdir() if path.is_file()), *sorted(PACKAGE.rglob("*.py"))]
    # "2.13.0+cpu" and "2.13.0+cu130" are one version: workers may run on either.
    versions = [importlib.metadata.version(name).split("+")[0] for name in ("torch", "optuna", "numpy")]
    content = [parameters, [(path.name, sha256(path)) for path in files], versions]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def save(path: Path, trials: Sequence[FrozenTrial]) -> None:
    """Write finished trials, in one step."""
    write_json(
        path,
        [
            {
                "state": trial.state.name,
                "value": trial.value,
                "params": trial.params,
                "intermediate": [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)],
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
            intermediate_values=dict(enumerate(saved["intermediate"], start=1)),
            user_attrs=saved["user"],
            system_attrs=saved["system"],
        )
        for saved in json.loads(path.read_text(encoding="utf-8"))
    ]


def forget(folder: Path) -> None:
    """Remove what studies have saved, once their outputs are written."""
    shutil.rmtree(folder, ignore_errors=True)
