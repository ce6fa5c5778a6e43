"""Which learning rate suits each network? `python -m benchmarks.learning_rates OUT.csv RATE… [--folds N]`

Trains each of `run.models` on each of `run.datasets` and each fold (or the first N) at each rate, with the first of
`run.seeds`, and compares the last epochs' scores. The data sets must be prepared (`dvc repro preprocess`), and must not
be those whose tables are to be published: for phantoms, draw others by another `source.seed`. Trainings that OUT.csv
has already are left out.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from multiresunet import config
from multiresunet.errors import DivergedError, UserError
from multiresunet.training.devices import SingleDevice, use_threads
from multiresunet.training.fit import fit
from stages.train import jobs_of

KEYS = ["dataset", "model", "rate", "fold"]


def main(out: Path, rates: list[float], folds: int | None = None) -> None:
    """Train, write one row a training, and print means over folds and data sets, in Jaccard points."""
    loaded = config.load()
    rows: list[dict[Any, Any]] = pd.read_csv(out).to_dict("records") if out.exists() else []
    done = {tuple(row[key] for key in KEYS) for row in rows}
    device = SingleDevice(use_threads(loaded.recipe.threads, deterministic=loaded.recipe.deterministic))
    for dataset in loaded.run.datasets:
        for model in loaded.run.models:
            for job in jobs_of(loaded, (dataset, model, loaded.run.seeds[0]), device)[:folds]:
                for rate in rates:
                    names = (dataset, model, rate, int(job.names[-1]))
                    if names in done:
                        continue
                    optimiser = job.recipe.optimiser.model_copy(update={"learning_rate": rate})
                    recipe = job.recipe.model_copy(update={"optimiser": optimiser})
                    try:
                        score = fit(replace(job, recipe=recipe)).history[-1].test_jaccard
                    except DivergedError:
                        score = 0.0
                    rows.append(dict(zip(KEYS, names, strict=True)) | {"jaccard": score})
                    pd.DataFrame(rows).to_csv(out, index=False)
    table = pd.DataFrame(rows)
    means = table.pivot_table(index=["model", "dataset"], columns="rate", values="jaccard", sort=False)
    print((100 * means).round(1).to_string())
    print((100 * means.groupby("model", sort=False).mean()).round(1).to_string())
    lowest = table.pivot_table(index="model", columns="rate", values="jaccard", aggfunc="min", sort=False)
    print(f"lowest of all folds:\n{(100 * lowest).round(1).to_string()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("rates", type=float, nargs="+")
    parser.add_argument("--folds", type=int)
    try:
        main(**vars(parser.parse_args()))
    except UserError as error:
        sys.exit(f"error: {error}")
