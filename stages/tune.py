"""tune DATASET MODEL [--worker]: for a tuned model, search its numbers for each fold on that fold's training images.

With MULTIRESUNET_STUDIES set to a PostgreSQL URL, the studies lie there, and any number of `--worker` processes help.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.paths import PREPARED, STATE, TUNED
from stages.running import run

STUDIES = "MULTIRESUNET_STUDIES"

if TYPE_CHECKING:
    from multiresunet.tuning.study import Study


def tune(
    dataset: str,
    model: str,
    worker: Annotated[bool, typer.Option("--worker", help="help other processes, and write nothing")] = False,
) -> None:
    """Search a tuned model's numbers, for each fold on its training images.

    Writes data/tuned/<dataset>/<model>: trials.csv, pareto.csv, best.json (empty if it isn't tuned), pictures.
    """
    (work_along if worker else search)(config.load(), dataset, model)


def search(loaded: config.Params, name: str, model: str) -> None:
    """Run the studies and write the outputs."""
    if not loaded.models[model].tuned:
        empty = pd.DataFrame(columns=["fold", "trial"])
        with replacing(TUNED / name / model) as draft:
            write_csv(draft / "trials.csv", empty)
            write_csv(draft / "pareto.csv", empty)
            write_json(draft / "best.json", {})
        return
    # Imported here, since most models have nothing to tune and torch takes seconds.
    from multiresunet.tuning import outputs, state, workers
    from multiresunet.tuning.study import run_alone

    key = key_of(loaded, name, model)
    saved = STATE / "tune" / f"{name}-{model}"
    if url := os.environ.get(STUDIES):
        found = workers.work(studies(loaded, name, model), url, key, loaded.machine.heartbeat, outputs.say)
    else:
        found = [
            (study, run_alone(study, saved / key / f"{study.names[-1]}.json", outputs.say))
            for study in studies(loaded, name, model)
        ]
    with replacing(TUNED / name / model) as draft:
        outputs.write(draft, found, loaded.tune.select, loaded.recipe.folds.count)
    state.forget(saved)


def work_along(loaded: config.Params, name: str, model: str) -> None:
    """Finish trials until there are none left; the process without `--worker` writes the outputs."""
    from multiresunet.tuning import outputs, workers

    if not loaded.models[model].tuned:
        raise UserError(f"model {model} isn't tuned; there is nothing to work on")
    url = os.environ.get(STUDIES)
    if not url:
        raise UserError(f"--worker needs {STUDIES}, the URL of the PostgreSQL database that the workers share")
    workers.work(studies(loaded, name, model), url, key_of(loaded, name, model), loaded.machine.heartbeat, outputs.say)


def studies(loaded: config.Params, name: str, model: str) -> list[Study]:
    """The study of each fold, or the one that they share."""
    from multiresunet.data.dataset import PreparedDataset
    from multiresunet.training.job import use_threads
    from multiresunet.training.specification import network_of
    from multiresunet.tuning.study import study_of

    device = use_threads(loaded.recipe.threads, deterministic=loaded.recipe.deterministic)
    data = PreparedDataset.open(PREPARED / name)
    return [
        study_of(
            network_of(loaded.models[model], loaded.recipe, data),
            data,
            fold,
            loaded.recipe,
            loaded.tune,
            grouped=loaded.dataset(name).groups,
            threshold=loaded.evaluate.threshold,
            seed=loaded.seed,
            names=(name, model, "all" if fold is None else fold),
            device=device,
        )
        for fold in ([None] if loaded.tune.scope == "shared" else range(loaded.recipe.folds.count))
    ]


def key_of(loaded: config.Params, name: str, model: str) -> str:
    """What the studies' trials depend on, as a hash."""
    from multiresunet.tuning import state

    used = (loaded.models[model], loaded.recipe, loaded.tune, loaded.evaluate)
    parameters = [part.model_dump(mode="json") for part in used]
    return state.key([loaded.seed, loaded.dataset(name).groups, *parameters], PREPARED / name)


if __name__ == "__main__":
    run(tune)
