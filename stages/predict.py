"""predict DATASET MODEL: what a model's networks predict for the images that they haven't seen, and how well."""

from __future__ import annotations

import json
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import safe_open
from torch import nn

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import calibration, predictions, tables
from multiresunet.evaluation.claims import low_contrast, robustness
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.inference.predictor import cross_validated, label, predict
from multiresunet.nets.cost import multiply_adds
from multiresunet.nets.layers import keras_parameters
from multiresunet.paths import PREDICTED, PREPARED, STATE, TRAINED
from multiresunet.training import checkpoint
from multiresunet.training.job import use_threads
from multiresunet.training.loader import Loader
from stages.running import run


def network_from(folder: Path, which: str, fold: int) -> nn.Module:
    """The network that was trained without `fold`, after its `best` or `last` epoch."""
    return checkpoint.load(folder / f"fold{fold}-{which}.safetensors")


def predict_model(name: str, model: str) -> None:
    """Write data/predicted/<name>/<model>: tables and predictions.npz; all of the last epoch but the scores of the best one.

    images.csv: scores of each image. low_contrast.csv: errors along the true boundary. perturbed.csv: scores of perturbed
    images. reliability.csv, thresholds.csv: what the probabilities are worth. cost.json: what the network costs, as
    a mean over folds.
    classes.csv: overlap of each class by itself, where the data set has classes; all else is about their union.
    """
    loaded = config.load()
    settings, batch = loaded.evaluate, loaded.recipe.batch
    device = use_threads(loaded.recipe.threads, deterministic=loaded.recipe.deterministic)
    data = PreparedDataset.open(PREPARED / name)
    trained = TRAINED / name / model
    best, last = (cache(partial(network_from, trained, which)) for which in ("best", "last"))

    best_epoch = cross_validated(best, data, batch, device) >= settings.threshold
    since = time.perf_counter()
    probabilities = cross_validated(last, data, batch, device)
    seconds = time.perf_counter() - since
    last_epoch, truth = probabilities >= settings.threshold, np.asarray(data.masks, dtype=bool)

    def predicted(fold: int, images: PreparedDataset) -> NDArray[np.bool_]:
        everything = np.arange(len(images.table))
        return predict(last(fold).to(device), Loader(images, device), everything, batch) >= settings.threshold

    standardised = loaded.dataset(name).normalisation == "zscore"
    plan = robustness.PerturbationPlan(settings.perturbations, loaded.perturbed, standardised, loaded.seed, name)
    perturbed = robustness.perturbed_scores(predicted, data, plan)
    images = tables.per_image(data, model, best_epoch, last_epoch, settings.tolerances)
    folds = [int(fold) for fold in np.unique(data.folds)]
    with safe_open(trained / f"fold{folds[0]}-last.safetensors", "pt") as file:
        spec = json.loads(file.metadata()[checkpoint.KEY])
    # Networks that were tuned for their folds differ.
    parameters = [keras_parameters(last(fold)) for fold in folds]
    operations = [multiply_adds(last(fold), data.channels, data.masks.shape[1:]) for fold in folds]
    counted = {
        "network": spec["name"],
        "parameters": round(np.mean(parameters)),
        "multiply_adds": round(np.mean(operations)),
    }
    with replacing(PREDICTED / name / model) as draft:
        write_csv(draft / "images.csv", images)
        write_csv(draft / "history.csv", pd.read_csv(trained / "history.csv").assign(model=model))
        write_csv(draft / "perturbed.csv", perturbed.assign(model=model))
        write_csv(draft / "reliability.csv", calibration.reliability(probabilities, truth).assign(model=model))
        write_csv(draft / "thresholds.csv", calibration.by_threshold(probabilities, truth).assign(model=model))
        write_json(draft / "cost.json", counted)
        write_csv(
            draft / "low_contrast.csv",
            low_contrast.measure(data, last_epoch, settings.low_contrast).assign(model=model),
        )
        predictions.save(draft / "predictions.npz", last_epoch)
        if data.classes:
            named = partial(label, threshold=settings.threshold)
            labels = (cross_validated(networks, data, batch, device, named) for networks in (best, last))
            write_csv(draft / "classes.csv", tables.per_class(data, model, *labels))
    # Apart from the rest, since no two runs agree on it.
    speed = {"images": len(data.table), "seconds": seconds, "device": device.type}
    write_csv(STATE / "inference" / f"{name}-{model}.csv", pd.DataFrame([speed]))
    print(f"{name} {model}: Jaccard {np.mean(images['jaccard']):.3f}")


if __name__ == "__main__":
    run(predict_model)
