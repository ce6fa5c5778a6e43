"""score DATASET MODEL: what a model's networks predict for the images that they haven't seen, and how well."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from multiresunet import params
from multiresunet.data.arrays import Prepared
from multiresunet.evaluation import predictions, scores
from multiresunet.files import replacing, write_csv
from multiresunet.nets import UShape
from multiresunet.training import checkpoint
from multiresunet.training.fit import cross_validated, use_threads
from stages.running import PREPARED, SCORED, STATE, TRAINED, run


def network_from(folder: Path, which: str, fold: int) -> UShape:
    """The network that was trained without `fold`, after its `best` or `last` epoch."""
    return checkpoint.load(folder / f"fold{fold}-{which}.safetensors")


def score(name: str, model: str) -> None:
    """Write data/scored/<name>/<model>: images.csv and predictions.npz (of the last epoch)."""
    loaded = params.load()
    settings = loaded.evaluate
    device = use_threads(loaded.recipe.threads)
    data = Prepared.open(PREPARED / name)
    trained = TRAINED / name / model

    best, last = (partial(network_from, trained, which) for which in ("best", "last"))
    paper = cross_validated(best, data, loaded.recipe.batch, device) >= settings.threshold
    since = time.perf_counter()
    honest = cross_validated(last, data, loaded.recipe.batch, device) >= settings.threshold
    seconds = time.perf_counter() - since

    images = scores.per_image(data, model, paper, honest, settings.tolerances)
    with replacing(SCORED / name / model) as draft:
        write_csv(draft / "images.csv", images)
        write_csv(draft / "history.csv", pd.read_csv(trained / "history.csv").assign(model=model))
        predictions.save(draft / "predictions.npz", honest)
    # Apart from the rest, since no two runs agree on it.
    speed = {"images": len(data.table), "seconds": seconds, "device": device.type}
    write_csv(STATE / "inference" / f"{name}-{model}.csv", pd.DataFrame([speed]))
    print(f"{name} {model}: Jaccard {np.mean(images['jaccard_honest']):.3f}")


if __name__ == "__main__":
    run(score)
