"""How much tuning improved the scores on the test folds, and what the tuned networks cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multiresunet.config import Params
from multiresunet.evaluation.statistics.design import ComparisonDesign

COLUMNS = (
    *("model", "untuned", "study", "folds", "units"),
    *("jaccard", "jaccard_untuned", "tuning_improvement", "tuning_improvement_low", "tuning_improvement_high", "p"),
    *("multiply_adds", "multiply_adds_untuned", "parameters", "parameters_untuned"),
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


def table(loaded: Params, images: pd.DataFrame, cost: pd.DataFrame, design: ComparisonDesign) -> pd.DataFrame:
    """Every tuned model beside the same model untuned, on the same folds and images.

    The interval is of the mean difference of the Jaccard index (last epoch) over images, drawing whole groups. `study`
    says whether the studies were nested, or shared and therefore optimistic. Without its untuned model in the run, a
    tuned model has nothing to be compared with: those columns are empty.

    Args:
        loaded: params.yaml.
        images: each model's scores, model by model in the data set's order.
        cost: model, multiply_adds, parameters; means over folds.
        design: of the data set's images.
    """
    untuned, costs = dict(pairs(loaded)), cost.set_index("model")
    rows = []
    for model in (name for name in loaded.run.models if loaded.models[name].tuned):
        other = untuned.get(model)
        score = _jaccard(images, model)
        row = {
            "model": model,
            "untuned": other,
            "study": "nested" if loaded.tune.scope == "nested" else OPTIMISTIC,
            "folds": np.unique(design.folds).size,
            "jaccard": score.mean(),
            **{name: costs.loc[model, name] for name in ("multiply_adds", "parameters")},
        }
        if other is not None:
            found = design.paired(score - _jaccard(images, other))
            row |= {
                "units": found.units,
                "jaccard_untuned": _jaccard(images, other).mean(),
                "tuning_improvement": found.value,
                "tuning_improvement_low": found.low,
                "tuning_improvement_high": found.high,
                "p": found.p,
                **{f"{name}_untuned": costs.loc[other, name] for name in ("multiply_adds", "parameters")},
            }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _jaccard(images: pd.DataFrame, model: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return images.loc[images["model"] == model, "jaccard"].to_numpy(dtype=np.float64)
