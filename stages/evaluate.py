"""evaluate DATASET: score every model of the run, and the trivial baselines, on every image."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from multiresunet import params
from multiresunet.data.arrays import Prepared
from multiresunet.evaluation import baselines, examples, scores
from multiresunet.files import replacing, write_csv
from multiresunet.nets import UShape
from multiresunet.training import checkpoint
from multiresunet.training.fit import cross_validated, use_threads
from stages.running import PREPARED, SCORES, TRAINED, keep_only, run


def network_from(folder: Path, which: str, fold: int) -> UShape:
    """The network that was trained without `fold`, after its `best` or `last` epoch."""
    return checkpoint.load(folder / f"fold{fold}-{which}.safetensors")


def evaluate(name: str) -> None:
    """Write data/scores/<name>: images.csv, folds.csv, history.csv and examples.npz."""
    loaded = params.load()
    device = use_threads(loaded.recipe.threads)
    keep_only(TRAINED / name, loaded.run.models)
    data = Prepared.open(PREPARED / name)

    tables, predicted, histories = [], {}, []
    for model in loaded.run.models:
        folder = TRAINED / name / model
        paper, honest = (
            cross_validated(partial(network_from, folder, which), data, loaded.recipe.batch, device)
            >= loaded.evaluate.threshold
            for which in ("best", "last")
        )
        tables.append(scores.per_image(data, model, paper, honest))
        predicted[model] = honest
        histories.append(pd.read_csv(folder / "history.csv").assign(model=model))
    for baseline, foreground in baselines.predict_all(data).items():
        tables.append(scores.per_image(data, baseline, foreground, foreground))

    images = pd.concat(tables)
    with replacing(SCORES / name) as draft:
        write_csv(draft / "images.csv", images)
        write_csv(draft / "folds.csv", scores.per_fold(images))
        write_csv(draft / "history.csv", pd.concat(histories))
        examples.save(draft / "examples.npz", data, predicted, images)
    print(scores.summary(scores.per_fold(images))[["model", "jaccard_paper", "jaccard_honest"]].to_string(index=False))


if __name__ == "__main__":
    run(evaluate)
