"""predict DATASET MODEL [SEED]: what a model's networks predict for the images that they haven't seen, and how well."""

from __future__ import annotations

import time
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from torch import nn

from multiresunet import arithmetic
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import calibration, predictions, tables
from multiresunet.evaluation.claims import low_contrast, robustness
from multiresunet.evaluation.masks import Masks, counted_pixels
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.inference.logits import label
from multiresunet.inference.samples import cross_validated, predict_samples
from multiresunet.nets.cost import cost
from multiresunet.nets.fused import fused
from multiresunet.nets.layers import keras_parameters
from multiresunet.paths import INFERENCE_SECONDS, PREPARED, predicted, trained
from multiresunet.training import checkpoint
from multiresunet.training.devices import use_threads
from multiresunet.training.loader import Loader
from stages.running import name_of, needs, parameters_for, run


def predict(
    dataset: str,
    model: str,
    seed: Annotated[int | None, typer.Argument(help="one of run.seeds; the first if absent")] = None,
) -> None:
    """Predict each image by the network that was trained without it, and measure the predictions.

    Writes data/predicted/<dataset>/<model>/<seed>: predictions.npz and tables; all of the last epoch, but for the
    columns that name the best one. images.csv: metrics of each image. low_contrast.csv: errors along the true boundary.
    perturbed.csv: metrics of perturbed images. reliability.csv, thresholds.csv: calibration. cost.json: what the
    network costs, as a mean over folds. classes.csv: metrics of each class by itself, where the data set has classes;
    all else is about their union.
    """
    loaded = parameters_for(dataset, model)
    needs(PREPARED / dataset, f"preprocess@{dataset}")
    arithmetic.check(loaded.recipe.arithmetic)
    seed = loaded.run.seed(seed)
    networks_at = trained(dataset, model, seed)
    needs(networks_at, name_of("train", loaded, dataset, model, seed))
    settings, batch = loaded.evaluate, loaded.recipe.batch
    device = use_threads(loaded.recipe.threads, deterministic=loaded.recipe.deterministic)
    data = PreparedDataset.open(PREPARED / dataset)
    best, last = (cache(partial(network_from, networks_at, which)) for which in ("best", "last"))

    @cache
    def ready(fold: int) -> nn.Module:  # which is asked for each perturbation
        return fused(last(fold).to(device), device)

    best_epoch = [one >= settings.threshold for one in cross_validated(best, data, batch, device)]
    since = time.perf_counter()
    probabilities = cross_validated(ready, data, batch, device)
    seconds = time.perf_counter() - since
    last_epoch = [one >= settings.threshold for one in probabilities]
    known = [counted_pixels(data, index) for index in range(len(last_epoch))]
    sure = [one[where] for one, where in zip(probabilities, known, strict=True)]
    truth = [data.truth(index)[where] for index, where in enumerate(known)]
    spec = checkpoint.spec_of(weights(networks_at, "last", int(data.folds.min())))

    def masks_of(fold: int, images: PreparedDataset) -> Masks:
        everything = np.arange(len(images.table))
        found = predict_samples(ready(fold), Loader(images, device), everything, batch)
        return [one >= settings.threshold for one in found]

    about = loaded.dataset(dataset)
    plan = robustness.PerturbationPlan(
        settings.perturbations, loaded.perturbed, about.normalisation == "zscore", loaded.seed, dataset, about.groups
    )
    perturbed = robustness.perturbed_scores(masks_of, data, plan)
    images = tables.per_image(data, model, best_epoch, last_epoch, settings.tolerances)
    # Networks that were tuned for their folds differ.
    networks = [last(int(fold)) for fold in np.unique(data.folds)]
    history = pd.read_csv(networks_at / "history.csv").assign(model=model)
    costs = [cost(network, data.channels, data.size) for network in networks]
    counted = {
        "network": spec.name,
        "parameters": round(np.mean([keras_parameters(network) for network in networks])),
        "multiply_adds": round(np.mean([one.multiply_adds for one in costs])),
        "work": round(np.mean([one.work for one in costs])),
        "updates": round(history.groupby("fold")["updates"].max().mean()),  # of its training
    }
    with replacing(predicted(dataset, model, seed)) as draft:
        write_csv(draft / "images.csv", images)
        write_csv(draft / "history.csv", history)
        write_csv(draft / "perturbed.csv", perturbed.assign(model=model))
        write_csv(draft / "reliability.csv", calibration.reliability(sure, truth).assign(model=model))
        write_csv(draft / "thresholds.csv", calibration.by_threshold(sure, truth).assign(model=model))
        write_json(draft / "cost.json", counted)
        write_csv(
            draft / "low_contrast.csv",
            low_contrast.measure(data, last_epoch, settings.low_contrast).assign(model=model),
        )
        predictions.save(draft / "predictions.npz", last_epoch)
        if data.classes:
            named = partial(label, threshold=settings.threshold)
            labels = [list(cross_validated(of_epoch, data, batch, device, named)) for of_epoch in (best, ready)]
            write_csv(draft / "classes.csv", tables.per_class(data, model, *labels))
    # Apart from the rest, since no two runs agree on it.
    speed = {"images": len(data.table), "seconds": seconds, "device": device.type}
    write_csv(INFERENCE_SECONDS / f"{dataset}-{model}-{seed}.csv", pd.DataFrame([speed]))
    print(f"{dataset} {model} seed {seed}: Jaccard {np.mean(images['jaccard']):.3f}")


def weights(folder: Path, which: str, fold: int) -> Path:
    """The file of the network that was trained without `fold`, after its `best` or `last` epoch."""
    return folder / f"fold{fold}-{which}.safetensors"


def network_from(folder: Path, which: str, fold: int) -> nn.Module:
    """That network."""
    return checkpoint.load(weights(folder, which, fold))


if __name__ == "__main__":
    run(predict)
