"""What tuning gained on the test folds, and what the tuned networks cost."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from multiresunet import params
from multiresunet.errors import UserError
from multiresunet.evaluation.comparison import bench_of
from multiresunet.files import replacing, write_csv
from multiresunet.params import Params
from multiresunet.report.tables import DIGITS
from multiresunet.seeds import seed_for
from multiresunet.tuning.figures import draw

COLUMNS = (
    *("dataset", "model", "against", "study", "folds", "units"),
    *("jaccard_honest", "jaccard_against", "difference", "low", "high", "p"),
    *("multiply_adds", "multiply_adds_against", "parameters", "parameters_against"),
)


def table(loaded: Params, tuned: Path, scores: Path) -> pd.DataFrame:
    """Every tuned model against the same network with its own values, on the same folds and images.

    The interval is of the mean difference of the honest Jaccard index over images, drawing whole groups. Costs are
    means over folds. `study` says whether the studies were nested, or shared and therefore optimistic. A tuned model
    whose network isn't in the run untuned, with the same values, has nothing to be held against and no line.

    This is what the report takes in, with the pictures that `stages.tune` writes beside its tables.

    Args:
        loaded: params.yaml.
        tuned: data/tuned.
        scores: data/scores.
    """
    rows = []
    for dataset in loaded.run.datasets:
        images = pd.read_csv(scores / dataset / "images.csv", dtype={"group": str}, keep_default_na=False)
        costs = pd.read_csv(scores / dataset / "cost.csv").set_index("model").to_dict("index")
        for model, other in pairs(loaded):
            ours, theirs = (images[images["model"] == name].reset_index(drop=True) for name in (model, other))
            bench = bench_of(
                ours,
                loaded.evaluate,
                seed_for(loaded.seed, dataset, "statistics"),
                grouped=loaded.dataset(dataset).groups,
            )
            score, other_score = (part["jaccard_honest"].to_numpy(dtype=np.float64) for part in (ours, theirs))
            found = bench.paired(score - other_score)
            trials = pd.read_csv(tuned / dataset / model / "trials.csv")
            cost = trials.loc[trials["chosen"], ["multiply_adds", "parameters"]].mean()
            rows.append(
                {
                    "dataset": dataset,
                    "model": model,
                    "against": other,
                    "study": "nested" if loaded.tune.scope == "nested" else "shared (optimistic)",
                    "folds": loaded.recipe.folds.count,
                    "units": found.units,
                    "jaccard_honest": score.mean(),
                    "jaccard_against": other_score.mean(),
                    "difference": found.value,
                    "low": found.low,
                    "high": found.high,
                    "p": found.p,
                    "multiply_adds": round(cost["multiply_adds"]),
                    "multiply_adds_against": costs[other]["multiply_adds"],
                    "parameters": round(cost["parameters"]),
                    "parameters_against": costs[other]["parameters"],
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def pairs(loaded: Params) -> list[tuple[str, str]]:
    """Each tuned model of the run, and the model that it is without tuning."""
    plain = {name: loaded.models[name] for name in loaded.run.models if not loaded.models[name].tuned}
    return [
        (name, other)
        for name in loaded.run.models
        for other, model in plain.items()
        if loaded.models[name] == model.model_copy(update={"tuned": True})
    ]


def keep(target: Path, tuned: Path = Path("data/tuned"), scores: Path = Path("data/scores")) -> None:
    """Add to a kept run what was tuned: tuning.csv, and each tuned model's trials, front and pictures.

    Raises:
        UserError: if the pipeline hasn't run, or `target` isn't there.
    """
    loaded = params.load()
    if not target.is_dir() or not scores.is_dir():
        raise UserError(
            f"{target} or {scores} is missing; run `dvc repro` and `multiresunet.report.keep {target}` first"
        )
    write_csv(target / "tuning.csv", table(loaded, tuned, scores), DIGITS)
    for dataset in loaded.run.datasets:
        for model in (name for name in loaded.run.models if loaded.models[name].tuned):
            with replacing(target / f"{dataset}-{model}") as draft:
                for name in ("trials.csv", "pareto.csv", "best.json"):
                    shutil.copyfile(tuned / dataset / model / name, draft / name)
                draw(pd.read_csv(draft / "trials.csv"), draft)


if __name__ == "__main__":
    try:
        keep(Path(sys.argv[1]))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except IndexError:
        raise SystemExit("usage: python -m multiresunet.report.tuning results/NAME") from None
