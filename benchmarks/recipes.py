"""recipes DATASET MODEL RECIPE…: train a model by several recipes on the same folds, and compare the results.

Reads data/prepared/DATASET as the pipeline made it; the recipes must agree in what decides its content: folds and
longest_side. A run that was interrupted resumes.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.paths import PREPARED, STATE
from multiresunet.training import resume
from multiresunet.training.devices import SingleDevice, use_threads
from multiresunet.training.fit import fit
from multiresunet.training.job import TrainJob, network_of
from stages.running import code_digest


def compare(dataset: str, model: str, recipes: list[str]) -> None:
    """Print each fold's Jaccard index in %, after the last epoch and at the best, and a row for a table."""
    loaded = config.load()
    chosen = {name: loaded.recipes[name] for name in recipes}
    if len({(recipe.folds, recipe.longest_side) for recipe in chosen.values()}) > 1:
        raise UserError(
            f"{', '.join(recipes)}: folds and longest_side must be the same, since the data is prepared once"
        )
    data = PreparedDataset.open(PREPARED / dataset)
    prepared = resume.digest(sorted((PREPARED / dataset).iterdir()))
    for name, recipe in chosen.items():
        spec = network_of(loaded.models[model], recipe, data)
        last, best, seconds = [], [], []
        for fold in range(recipe.folds.count):
            inputs = {"recipe": recipe.model_dump(), "data": prepared, "spec": spec.as_dict(), "fold": fold}
            key = resume.key(inputs, code_digest("train"))
            train, test = data.split(fold)
            device = use_threads(recipe.threads, deterministic=recipe.deterministic)
            fitted = fit(
                TrainJob(
                    spec=spec,
                    data=data,
                    train=train,
                    test=test,
                    recipe=recipe,
                    epochs=recipe.epoch_count * loaded.models[model].longer.get(name, 1),
                    threshold=loaded.evaluate.threshold,
                    seed=loaded.seed,
                    names=(dataset, model, fold),
                    devices=SingleDevice(device),
                ),
                checkpointer=resume.Checkpointer(STATE / "recipes" / f"{key}.pt"),
            )
            last.append(100 * fitted.history[-1].test_jaccard)
            best.append(100 * fitted.best_jaccard)
            seconds.append(sum(fitted.seconds))
            print(f"{name} fold {fold}: last epoch {last[-1]:.1f}, best epoch {best[-1]:.1f}", flush=True)
        means = (f"{np.mean(scores):.1f} ± {np.std(scores, ddof=1):.1f}" for scores in (last, best))
        print("| " + " | ".join((dataset, model, name, *means, f"{sum(seconds):.0f} s")) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    parser.add_argument("recipes", nargs="+")
    words = parser.parse_args()
    try:
        compare(words.dataset, words.model, words.recipes)
    except UserError as error:
        sys.exit(f"error: {error}")
