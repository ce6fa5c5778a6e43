"""What tuning gained, on tables with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from multiresunet import params
from multiresunet.errors import UserError
from multiresunet.report import tuning
from tests.tuning.making import ROOT


def loaded(**tune: Any) -> params.Params:
    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["run"] = {"datasets": ["nuclei"], "models": ["unet", "multiresunet", "multiresunet_tuned"], "recipe": "quick"}
    tree["tune"] |= tune
    return params.parse(tree)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Scores of 30 images in which tuning gains 0.05 ± 0.01 an image, and the trials of three folds."""
    rng = np.random.default_rng(2)
    base = rng.uniform(0.5, 0.8, 30)
    scores = {"unet": base - 0.2, "multiresunet": base, "multiresunet_tuned": base + rng.normal(0.05, 0.01, 30)}
    parts = [
        pd.DataFrame(
            {"model": name, "fold": np.arange(30) % 3, "sample": np.arange(30), "group": "", "jaccard_honest": s}
        )
        for name, s in scores.items()
    ]
    (tmp_path / "scores/nuclei").mkdir(parents=True)
    pd.concat(parts).to_csv(tmp_path / "scores/nuclei/images.csv", index=False)
    costs = {"model": list(scores), "parameters": [50, 40, 30], "multiply_adds": [500, 400, 300]}
    pd.DataFrame(costs).to_csv(tmp_path / "scores/nuclei/cost.csv", index=False)
    folder = tmp_path / "tuned/nuclei/multiresunet_tuned"
    folder.mkdir(parents=True)
    trials = {"fold": [0, 0, 1, 2], "chosen": [False, True, True, True], "multiply_adds": [9, 100, 200, 600]}
    pd.DataFrame(trials | {"parameters": [9, 10, 20, 30]}).to_csv(folder / "trials.csv", index=False)
    return tmp_path


def test_a_tuned_model_is_held_against_itself_untuned(made: Path) -> None:
    table = tuning.table(loaded(), made / "tuned", made / "scores")
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["model"], row["against"], row["study"]) == ("multiresunet_tuned", "multiresunet", "nested")
    assert row["difference"] == pytest.approx(0.05, abs=0.01)
    assert row["difference"] == pytest.approx(row["jaccard_honest"] - row["jaccard_against"])
    assert row["low"] < row["difference"] < row["high"]
    assert row["low"] > 0.03
    assert (row["multiply_adds"], row["parameters"]) == (300, 20)  # means of the chosen trials
    assert (row["multiply_adds_against"], row["parameters_against"]) == (400, 40)
    assert (row["folds"], row["units"]) == (3, 30)


def test_a_shared_study_is_marked(made: Path) -> None:
    assert list(tuning.table(loaded(scope="shared"), made / "tuned", made / "scores")["study"]) == [
        "shared (optimistic)"
    ]


def test_nothing_tuned_nothing_said(made: Path) -> None:
    run = loaded().run.model_copy(update={"models": ["unet", "multiresunet_tuned"]})
    alone = loaded().model_copy(update={"run": run})
    assert tuning.table(alone, made / "tuned", made / "scores").empty


def test_what_is_kept_says_what_was_tuned_and_what_it_gained(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params, "load", loaded)
    monkeypatch.setattr(tuning, "draw", lambda trials, folder: [])  # has tests of its own
    for name in ("pareto.csv", "best.json"):
        (made / "tuned/nuclei/multiresunet_tuned" / name).write_text("x")
    target = made / "kept"
    with pytest.raises(UserError, match=r"kept or .* is missing"):
        tuning.keep(target, made / "tuned", made / "scores")
    target.mkdir()
    tuning.keep(target, made / "tuned", made / "scores")
    assert len(pd.read_csv(target / "tuning.csv")) == 1
    kept = sorted(path.name for path in (target / "nuclei-multiresunet_tuned").iterdir())
    assert kept == ["best.json", "pareto.csv", "trials.csv"]
