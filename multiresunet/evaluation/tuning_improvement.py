"""How much tuning improved the scores on the test folds, and what the tuned networks cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multiresunet.config import Params
from multiresunet.evaluation.evidence import Evidence
from multiresunet.evaluation.statistics.design import ComparisonDesign

COLUMNS = (
    *("model", "untuned", "study", "folds", "units"),
    *("jaccard", "jaccard_untuned", "tuning_improvement", "tuning_improvement_low", "tuning_improvement_high", "p"),
    *("multiply_adds", "multiply_adds_untuned", "parameters", "parameters_untuned"),
)
OPTIMISTIC = "shared (optimistic)"
COSTS = ("multiply_adds", "parameters")


def table(
    loaded: Params, dataset: str, evidence: Evidence, cost: pd.DataFrame, design: ComparisonDesign
) -> pd.DataFrame:
    """Every tuned model beside the same model untuned, on the same folds and images.

    The interval is of the mean difference of the Jaccard index (last epoch) over images and seeds, drawing whole
    groups. `study` says whether the studies were nested, or shared and therefore optimistic.

    Args:
        loaded: params.yaml.
        dataset: the data set's name.
        evidence: what was measured.
        cost: model, multiply_adds, parameters; means over folds.
        design: of the data set's images.
    """
    costs, rows = cost.set_index("model"), []
    for model in loaded.models_of(dataset):
        other = loaded.untuned(model)
        if other is None:
            continue
        score, before = (evidence.side(name).scores("jaccard") for name in (model, other))
        found = design.paired(score - before)
        rows.append(
            {
                "model": model,
                "untuned": other,
                "study": "nested" if loaded.tune.scope == "nested" else OPTIMISTIC,
                "folds": np.unique(design.folds).size,
                "units": found.units,
                "jaccard": score.mean(),
                "jaccard_untuned": before.mean(),
                "tuning_improvement": found.value,
                "tuning_improvement_low": found.low,
                "tuning_improvement_high": found.high,
                "p": found.p,
                **{name: costs.loc[model, name] for name in COSTS},
                **{f"{name}_untuned": costs.loc[other, name] for name in COSTS},
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
