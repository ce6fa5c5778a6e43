"""What tuning gained on the test folds, and what the tuned networks cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multiresunet.evaluation.verdict import Bench
from multiresunet.params import Params

COLUMNS = (
    *("model", "against", "study", "folds", "units"),
    *("jaccard_honest", "jaccard_against", "gain", "gain_low", "gain_high", "p"),
    *("multiply_adds", "multiply_adds_against", "parameters", "parameters_against"),
)
OPTIMISTIC = "shared (optimistic)"


def pairs(loaded: Params) -> list[tuple[str, str]]:
    """Each tuned model of the run, and the model that it is without tuning."""
    plain = {name: loaded.models[name] for name in loaded.run.models if not loaded.models[name].tuned}
    return [
        (name, other)
        for name in loaded.run.models
        for other, model in plain.items()
        if loaded.models[name] == model.model_copy(update={"tuned": True})
    ]


def table(loaded: Params, images: pd.DataFrame, cost: pd.DataFrame, bench: Bench) -> pd.DataFrame:
    """Every tuned model against the same network with its own values, on the same folds and images.

    The interval is of the mean difference of the honest Jaccard index over images, drawing whole groups. `study` says
    whether the studies were nested, or shared and therefore optimistic. A tuned model whose network isn't in the run
    untuned, with the same values, has nothing to be held against: its numbers are empty.

    Args:
        loaded: params.yaml.
        images: each model's scores, model by model in the data set's order.
        cost: model, multiply_adds, parameters; means over folds.
        bench: of the data set's images.
    """
    against, costs = dict(pairs(loaded)), cost.set_index("model")
    rows = []
    for model in (name for name in loaded.run.models if loaded.models[name].tuned):
        other = against.get(model)
        score = _honest(images, model)
        row = {
            "model": model,
            "against": other,
            "study": "nested" if loaded.tune.scope == "nested" else OPTIMISTIC,
            "folds": np.unique(bench.folds).size,
            "jaccard_honest": score.mean(),
            **{name: costs.loc[model, name] for name in ("multiply_adds", "parameters")},
        }
        if other is not None:
            found = bench.paired(score - _honest(images, other))
            row |= {
                "units": found.units,
                "jaccard_against": _honest(images, other).mean(),
                "gain": found.value,
                "gain_low": found.low,
                "gain_high": found.high,
                "p": found.p,
                **{f"{name}_against": costs.loc[other, name] for name in ("multiply_adds", "parameters")},
            }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _honest(images: pd.DataFrame, model: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return images.loc[images["model"] == model, "jaccard_honest"].to_numpy(dtype=np.float64)
