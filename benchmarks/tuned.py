"""Does tuning do harm? `python -m benchmarks.tuned OUT.csv` trains what `run.tuned` names, tuned and untuned.

Searches each model's numbers on each data set's folds (`stages.tune`), trains both with each of `run.seeds` as the
stages do, and compares the last epochs' scores. Where the search left the numbers as they are, tuned and untuned are
the same bytes, and nothing is trained twice. Trainings that OUT.csv has already are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.paths import TUNED
from multiresunet.training.devices import SingleDevice, use_threads
from multiresunet.training.fit import fit
from multiresunet.training.job import TrainJob
from stages.train import jobs_of
from stages.tune import tune

KEYS = ["dataset", "model", "seed", "fold"]


def pairs(loaded: config.Params) -> Iterator[tuple[list[str | int], TrainJob, TrainJob]]:
    """For each data set, model, seed and fold the untuned training and the tuned one."""
    device = SingleDevice(use_threads(loaded.recipe.threads, deterministic=loaded.recipe.deterministic))
    for dataset in loaded.run.tuned.datasets:
        for model in loaded.run.tuned.models:
            if not (TUNED / dataset / model / "best.json").is_file():
                tune(dataset, model)
            for seed in loaded.run.seeds:
                both = (jobs_of(loaded, (dataset, name, seed), device) for name in (model, f"{model}{config.TUNED}"))
                for before, after in zip(*both, strict=True):
                    yield [dataset, model, seed, before.names[-1]], before, after


def main(out: Path) -> None:
    """Train, write one row a pair of trainings, and print means in Jaccard points."""
    rows = pd.read_csv(out).to_dict("records") if out.exists() else []
    for names, before, after in pairs(config.load()):
        about = dict(zip(KEYS, names, strict=True))
        if any(all(row[key] == value for key, value in about.items()) for row in rows):
            continue
        same = (before.spec, before.recipe) == (after.spec, after.recipe)
        untuned = fit(before).history[-1].test_jaccard
        tuned = untuned if same else fit(after).history[-1].test_jaccard
        rows.append(about | {"untuned": untuned, "tuned": tuned, "changed": not same})
        pd.DataFrame(rows).to_csv(out, index=False)
    table = pd.DataFrame(rows).assign(difference=lambda t: t["tuned"] - t["untuned"])
    means = table.groupby(["dataset", "model"], sort=False)[["untuned", "tuned", "difference", "changed"]].mean()
    print((100 * means).round(2).to_string())
    print(f"mean difference over data sets: {100 * means['difference'].mean():.2f} points")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except UserError as error:
        sys.exit(f"error: {error}")
