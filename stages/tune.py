"""tune DATASET MODEL: for a tuned model, search α and filters for each fold on its training images."""

from __future__ import annotations

import pandas as pd

from multiresunet import params
from multiresunet.files import replacing, write_csv, write_json
from stages.running import PREPARED, TUNED, run


def tune(name: str, model: str) -> None:
    """Write data/tuned/<name>/<model>: trials.csv and best.json, both empty for a model that isn't tuned."""
    loaded = params.load()
    trials = studies(loaded, name, model) if loaded.models[model].tuned else pd.DataFrame(columns=["fold", "trial"])
    best: dict[str, dict[str, float]] = {}
    if not trials.empty:
        from multiresunet.training import tuning

        best = tuning.best(trials)
    with replacing(TUNED / name / model) as draft:
        write_csv(draft / "trials.csv", trials)
        write_json(draft / "best.json", best)


def studies(loaded: params.Params, name: str, model: str) -> pd.DataFrame:
    """All trials of all folds."""
    # Imported here, since most models have nothing to tune and torch takes seconds.
    from multiresunet.data.arrays import Prepared
    from multiresunet.training import tuning
    from multiresunet.training.fit import use_threads
    from multiresunet.training.settings import network_of

    device = use_threads(loaded.recipe.threads)
    data = Prepared.open(PREPARED / name)
    spec = network_of(loaded.models[model], loaded.recipe, data)
    tables = []
    for fold in range(loaded.recipe.folds.count):
        tables.append(
            tuning.search(
                spec,
                data,
                fold,
                loaded.recipe,
                loaded.tune,
                threshold=loaded.evaluate.threshold,
                seed=loaded.seed,
                names=(name, model, fold),
                device=device,
                on_trial=lambda row: print(
                    f"{name} {model} fold {row['fold']} trial {row['trial']}: "
                    f"alpha {row['alpha']:.2f}, filters {row['filters']}, Jaccard {row['score']:.3f}",
                    flush=True,
                ),
            )
        )
    return pd.concat(tables)


if __name__ == "__main__":
    run(tune)
