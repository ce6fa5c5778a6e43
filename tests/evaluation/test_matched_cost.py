"""Networks of equal cost are compared with MultiResUNet, and no others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from multiresunet.config import Statistics
from multiresunet.evaluation.evidence import Evidence
from multiresunet.evaluation.matched_cost import COLUMNS, table
from multiresunet.evaluation.statistics.design import ComparisonDesign
from tests.evaluation.test_tuning_improvement import loaded

COSTS = pd.DataFrame(
    {
        "model": ["unet_bn", "wide", "multiresunet", "dear"],
        "network": ["unet_bn", "unet_bn", "multiresunet", "unet_multires"],
        "multiply_adds": [80, 105, 100, 120],
        "parameters": [8, 10, 11, 12],
    }
)


def design() -> ComparisonDesign:
    statistics: Statistics = loaded().evaluate.statistics
    return ComparisonDesign(np.arange(30) % 3, np.arange(30), statistics, 1)


def measured() -> Evidence:
    base = np.random.default_rng(1).uniform(0.5, 0.8, 30)
    better = {"unet_bn": 0.0, "wide": 0.04, "multiresunet": 0.0, "dear": 0.1}
    scores = [pd.DataFrame({"model": name, "seed": 1, "jaccard": base + by}) for name, by in better.items()]
    none = pd.DataFrame({"model": []})
    return Evidence(pd.concat(scores), none, none, none, np.zeros(30), {})


def test_equal_cost_is_within_a_tenth() -> None:
    found = table(list(COSTS["model"]), measured(), COSTS, design()).set_index("model")
    assert list(found.index) == ["wide", "multiresunet"]
    assert found.loc["wide", "share"] == pytest.approx(1.05)
    assert found.loc["wide", "difference"] == pytest.approx(0.04)
    assert found.loc["wide", "units"] == 30
    assert np.isnan(found.loc["multiresunet", "difference"])


@pytest.mark.parametrize("models", [["unet_bn", "wide"], ["unet_bn", "multiresunet", "dear"]])
def test_without_a_match_the_table_is_empty(models: list[str]) -> None:
    found = table(models, measured(), COSTS, design())
    assert found.empty
    assert list(found.columns) == list(COLUMNS)
