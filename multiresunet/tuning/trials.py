"""Facts about a study's trials, as Optuna holds them."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

NUMBER = "number"  # a planned trial's own number, which a retry keeps; Optuna's counts retries too
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def number_of(trial: optuna.Trial | FrozenTrial) -> int:
    """A trial's number in the plan."""
    return int(trial.user_attrs.get(NUMBER, trial.number))


def seconds_of(trials: Sequence[FrozenTrial]) -> float:
    """What finished trials have taken, added up."""
    return float(sum(trial.user_attrs.get("seconds", 0.0) for trial in trials))


def value_of(trial: FrozenTrial) -> float:
    """A finished trial's Jaccard index; a pruned one's after its last epoch."""
    if trial.state is TrialState.COMPLETE:
        assert trial.value is not None
        return trial.value
    assert trial.last_step is not None
    return trial.intermediate_values[trial.last_step]
