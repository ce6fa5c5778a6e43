"""tune DATASET MODEL [--worker]: search a model's numbers, for each fold on that fold's training images.

With MULTIRESUNET_STUDIES set to a PostgreSQL URL, the studies lie there, and any number of `--worker` processes help.
"""

from __future__ import annotations

import importlib.metadata
import os
from typing import TYPE_CHECKING, Annotated

import typer

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.files import replacing
from multiresunet.paths import PREPARED, STATE, TUNED
from multiresunet.seeds import seed_for
from stages.running import code_digest, needs, parameters_for, run

STUDIES = "MULTIRESUNET_STUDIES"

if TYPE_CHECKING:
    from multiresunet.tuning.study import Study


def tune(
    dataset: str,
    model: str,
    worker: Annotated[bool, typer.Option("--worker", help="help other processes, and write nothing")] = False,
) -> None:
    """Search a model's numbers, for each fold on its training images.

    Writes data/tuned/<dataset>/<model>: trials.csv, pareto.csv, best.json, pictures.
    """
    loaded = parameters_for(dataset, model)
    if f"{model}{config.TUNED}" not in loaded.models_of(dataset):
        raise UserError(f"model {model} isn't tuned on {dataset}; name both in run.tuned of params.yaml")
    needs(PREPARED / dataset, f"preprocess@{dataset}")
    (work_along if worker else search)(loaded, dataset, model)


def search(loaded: config.Params, dataset: str, model: str) -> None:
    """Run the studies and write the outputs."""
    # Imported here, so that --help needn't wait for torch.
    from multiresunet.tuning import outputs, state, workers
    from multiresunet.tuning.local import run_alone

    key = key_of(loaded, dataset, model)
    saved = STATE / "tune" / f"{dataset}-{model}"
    if url := os.environ.get(STUDIES):
        found = workers.work(studies(loaded, dataset, model), url, key, loaded.machine.heartbeat, outputs.say)
    else:
        found = [
            (study, run_alone(study, saved / key / f"{study.job.names[-1]}.json", outputs.say))
            for study in studies(loaded, dataset, model)
        ]
    with replacing(TUNED / dataset / model) as draft:
        outputs.write(draft, found, loaded.tune.select, loaded.recipe.folds.count)
    state.forget(saved)


def work_along(loaded: config.Params, dataset: str, model: str) -> None:
    """Finish trials until there are none left; the process without `--worker` writes the outputs."""
    from multiresunet.tuning import outputs, workers

    url = os.environ.get(STUDIES)
    if not url:
        raise UserError(f"--worker needs {STUDIES}, the URL of the PostgreSQL database that the workers share")
    key = key_of(loaded, dataset, model)
    workers.work(studies(loaded, dataset, model), url, key, loaded.machine.heartbeat, outputs.say)


def studies(loaded: config.Params, dataset: str, model: str) -> list[Study]:
    """The study of each fold, or the one that they share."""
    import numpy as np

    from multiresunet.data.dataset import PreparedDataset
    from multiresunet.training.devices import SingleDevice, use_threads
    from multiresunet.training.job import TrainJob, network_of
    from multiresunet.tuning.study import study_of

    recipe = loaded.recipe_of(model)
    device = use_threads(recipe.threads, deterministic=recipe.deterministic)
    data = PreparedDataset.open(PREPARED / dataset)

    def job(fold: int | None) -> TrainJob:
        everything = np.arange(len(data.table))
        train, test = (everything, everything[:0]) if fold is None else data.split(fold)
        return TrainJob(
            spec=network_of(loaded.model(model), recipe, data),
            data=data,
            train=train,
            test=test,
            recipe=recipe,
            epochs=loaded.epochs_of(model),
            threshold=loaded.evaluate.threshold,
            seed=seed_for(loaded.seed, dataset, "tune", place := "all" if fold is None else fold),
            names=(dataset, model, place),
            devices=SingleDevice(device),
        )

    folds = [None] if loaded.tune.scope == "shared" else range(recipe.folds.count)
    grouped = loaded.dataset(dataset).groups
    return [study_of(job(fold), loaded.tune, fold, grouped=grouped) for fold in folds]


def key_of(loaded: config.Params, dataset: str, model: str) -> str:
    """What the studies' trials depend on, as a hash."""
    from multiresunet.training import resume

    used = (loaded.model(model), loaded.recipe_of(model), loaded.tune, loaded.evaluate)
    inputs = {
        "epochs": loaded.epochs_of(model),
        "seed": loaded.seed,
        "groups": loaded.dataset(dataset).groups,
        "parameters": [part.model_dump(mode="json") for part in used],
        "data": resume.digest(sorted((PREPARED / dataset).iterdir())),
        # "2.13.0+cpu" and "2.13.0+cu130" are one version: workers may run on either.
        "versions": [importlib.metadata.version(name).split("+")[0] for name in ("torch", "optuna", "numpy")],
    }
    return resume.key(inputs, code_digest("tune"))


if __name__ == "__main__":
    run(tune)
