"""How much tuning improved the scores, on tables with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from multiresunet import config
from multiresunet.evaluation import tuning_improvement
from multiresunet.evaluation.comparison import design_of
from multiresunet.evaluation.evidence import Evidence
from tests.tuning.making import ROOT

MODELS = ["unet", "multiresunet", "multiresunet_tuned"]
TUNED = ("multiresunet",)


def loaded(tuned: Sequence[str] = TUNED, **tune: Any) -> config.Params:
    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["run"] = {"datasets": ["nuclei"], "models": MODELS[:2], "recipe": "quick", "seeds": [1]}
    tree["run"]["tuned"] = {"datasets": ["nuclei"], "models": list(tuned)}
    tree["tune"] |= tune
    return config.parse(tree)


def table(settings: config.Params) -> pd.DataFrame:
    """Of 30 images that tuning improves by 0.05 ± 0.01 an image."""
    rng = np.random.default_rng(2)
    base = rng.uniform(0.5, 0.8, 30)
    scores = {"unet": base - 0.2, "multiresunet": base, "multiresunet_tuned": base + rng.normal(0.05, 0.01, 30)}
    parts = [
        pd.DataFrame({"model": name, "seed": 1, "fold": np.arange(30) % 3, "group": "", "jaccard": score})
        for name, score in scores.items()
    ]
    cost = pd.DataFrame({"model": MODELS, "parameters": [50, 40, 30], "multiply_adds": [500, 400, 300]})
    design = design_of(parts[0], settings.evaluate, 1, grouped=False)
    images, none = pd.concat(parts), pd.DataFrame({"model": []})
    evidence = Evidence(images, none, none, none, np.zeros(30), {})
    return tuning_improvement.table(settings, "nuclei", evidence, cost, design)


def test_a_tuned_model_is_compared_with_itself_untuned() -> None:
    found = table(loaded())
    assert len(found) == 1
    row = found.iloc[0]
    assert (row["model"], row["untuned"], row["study"]) == ("multiresunet_tuned", "multiresunet", "nested")
    assert row["tuning_improvement"] == pytest.approx(0.05, abs=0.01)
    assert row["tuning_improvement"] == pytest.approx(row["jaccard"] - row["jaccard_untuned"])
    assert 0.03 < row["tuning_improvement_low"] < row["tuning_improvement"] < row["tuning_improvement_high"]
    assert (row["multiply_adds"], row["parameters"]) == (300, 30)
    assert (row["multiply_adds_untuned"], row["parameters_untuned"]) == (400, 40)
    assert (row["folds"], row["units"]) == (3, 30)


def test_a_shared_study_is_marked() -> None:
    assert list(table(loaded(scope="shared"))["study"]) == ["shared (optimistic)"]


def test_without_tuned_models_there_are_no_rows() -> None:
    found = table(loaded(tuned=[]))
    assert found.empty
    assert list(found.columns) == list(tuning_improvement.COLUMNS)
