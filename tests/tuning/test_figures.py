"""Pictures are drawn from any table of trials, and the same table gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from multiresunet.tuning import figures


def trials(count: int) -> pd.DataFrame:
    """Two studies in which the score depends on α alone."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "fold": np.repeat([0, 1], count),
            "trial": np.tile(np.arange(count), 2),
            "state": "complete",
            "alpha": rng.uniform(1, 3, 2 * count),
            "filters": rng.integers(4, 16, 2 * count),
            **dict.fromkeys(figures.SHARE_NAMES, 0.3),
            "respath": 4,
            "learning_rate": rng.uniform(0.001, 0.01, 2 * count),
            "batch": 4,
            "multiply_adds": rng.integers(10**6, 10**7, 2 * count),
        }
    )
    table["score"] = table["alpha"] / 4
    table.loc[1, "state"] = "pruned"
    return table.assign(front=table["trial"] == 0, chosen=table["trial"] == 0)


@pytest.mark.parametrize("count", [2, 20])
def test_same_table_same_bytes(count: int, tmp_path: Path) -> None:
    drawn = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = figures.draw(trials(count), tmp_path / name)
        assert [path.name for path in made] == ["history.png", "importance.png", "front.png", "slices.png"]
        drawn.append([path.read_bytes() for path in made])
    assert drawn[0] == drawn[1]


def test_what_the_score_depends_on_is_what_matters() -> None:
    axes = Figure().subplots()
    figures.importance(trials(20), axes)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert set(names) == {"alpha", "filters", "learning_rate"}  # the others weren't varied
    assert names[-1] == "alpha"
    assert axes.patches[-1].get_width() > 0.8  # type: ignore[attr-defined]  # a bar is a rectangle


def test_too_few_trials_say_so() -> None:
    axes = Figure().subplots()
    figures.importance(trials(3), axes)
    assert "too few to tell" in axes.texts[0].get_text()
