"""A study in one process, which resumes after a kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from optuna.trial import FrozenTrial

from multiresunet.tuning import state
from multiresunet.tuning.space import Numbers
from multiresunet.tuning.study import Study
from multiresunet.tuning.trials import seconds_of


def run_alone(
    study: Study, saved: Path, on_trial: Callable[[Study, Numbers], None] = lambda *_: None
) -> list[FrozenTrial]:
    """Run the study in this process, from where the file `saved` says it was; the finished trials, in their order.

    A trial that was cut off is trained again from its beginning.
    """
    running = study.create()
    running.add_trials(state.load(saved, study.space.distributions))
    while len(running.trials) < study.tune.trials:
        if seconds_of(running.trials) >= study.limit:
            break
        running.optimize(study.objective, n_trials=1)
        state.save(saved, running.trials)
        on_trial(study, study.row(running.trials[-1]))
    return running.trials
