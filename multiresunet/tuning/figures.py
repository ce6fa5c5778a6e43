"""Pictures of a study, from its trials.csv alone: PNG files whose bytes depend on the table alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from multiresunet.tuning.space import SHARE_NAMES

VARIED = ("alpha", "filters", *SHARE_NAMES, "respath", "learning_rate", "batch")
ENOUGH = 8  # complete trials, below which a forest of trees says nothing of what matters
STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "white"}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#555555")


def draw(trials: pd.DataFrame, folder: Path) -> list[Path]:
    """Write history.png, importance.png, slices.png and front.png into `folder`; each study in a colour of its own.

    Args:
        trials: content of trials.csv, with at least one line.
        folder: is there already.

    Returns:
        The files.
    """
    panels: dict[str, Callable[[pd.DataFrame, Axes], None]] = {
        "history": history,
        "importance": importance,
        "front": front,
    }
    made = []
    with mpl.rc_context(STYLE):
        for name, panel in panels.items():
            figure = Figure(figsize=(4.6, 3.2), layout="constrained")
            panel(trials, figure.subplots())
            made.append(_saved(figure, folder / f"{name}.png"))
        figure = Figure(figsize=(7.2, 3.2), layout="constrained")
        for axes, key in zip(figure.subplots(1, 2, sharey=True), ("alpha", "filters"), strict=True):
            _slice(trials, key, axes)
        made.append(_saved(figure, folder / "slices.png"))
    return made


def history(trials: pd.DataFrame, axes: Axes) -> None:
    """Each trial's score, and the best so far."""
    for colour, fold, part in _studies(trials):
        complete = part[part["state"] == "complete"]
        pruned = part[part["state"] == "pruned"]
        axes.plot(complete["trial"], complete["score"], "o", color=colour, markersize=3.5, label=f"fold {fold}")
        axes.plot(pruned["trial"], pruned["score"], "x", color=colour, markersize=3.5)
        axes.step(complete["trial"], complete["score"].cummax(), color=colour, linewidth=1, where="post")
    axes.set(xlabel="trial (× pruned; line: best so far)", ylabel="Jaccard index, inner validation")
    axes.legend(frameon=False, fontsize=7, ncols=2)


def importance(trials: pd.DataFrame, axes: Axes) -> None:
    """How much a forest's prediction of the score suffers if a number's values are shuffled, as shares of the total.

    Permutation importance (Breiman 2001), over all studies together, with each study's mean taken off the scores.
    """
    complete = trials[trials["state"] == "complete"]
    varied = [key for key in VARIED if complete[key].min() < complete[key].max()]
    axes.set_xlabel("share of importance for the score")
    if len(complete) < ENOUGH or not varied:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, f"fewer than {ENOUGH} complete trials: too few to tell", ha="center", va="center")
        return
    scores = (complete["score"] - complete.groupby("fold")["score"].transform("mean")).to_numpy()
    forest = RandomForestRegressor(n_estimators=64, min_samples_leaf=2, random_state=0).fit(complete[varied], scores)
    found = permutation_importance(forest, complete[varied], scores, n_repeats=10, random_state=0)
    means = np.maximum(found.importances_mean, 0)
    shares = means / max(means.sum(), 1e-12)
    order = np.argsort(shares, kind="stable")
    axes.barh([varied[i] for i in order], shares[order], color=COLOURS[0])
    axes.set_xlim(0, 1)


def front(trials: pd.DataFrame, axes: Axes) -> None:
    """Score against multiply-adds: all complete trials, the front, and what was chosen."""
    for colour, fold, part in _studies(trials):
        complete = part[part["state"] == "complete"]
        best = complete[complete["front"]].sort_values("multiply_adds")
        chosen = complete[complete["chosen"]]
        axes.plot(complete["multiply_adds"] / 1e6, complete["score"], "o", color=colour, markersize=3, alpha=0.35)
        axes.plot(best["multiply_adds"] / 1e6, best["score"], "-o", color=colour, markersize=3, linewidth=1)
        axes.plot(
            chosen["multiply_adds"] / 1e6,
            chosen["score"],
            "*",
            color=colour,
            markersize=10,
            markeredgecolor="black",
            label=f"fold {fold}",
        )
    axes.set(xlabel="million multiply-adds per image (★ chosen)", ylabel="Jaccard index, inner validation")
    axes.legend(frameon=False, fontsize=7, ncols=2)


def _slice(trials: pd.DataFrame, key: str, axes: Axes) -> None:
    for colour, fold, part in _studies(trials[trials["state"] == "complete"]):
        axes.plot(part[key], part["score"], "o", color=colour, markersize=3.5, label=f"fold {fold}")
    axes.set_xlabel({"alpha": "α", "filters": "filters U"}[key])
    if key == "alpha":
        axes.set_ylabel("Jaccard index, inner validation")
    else:
        axes.legend(frameon=False, fontsize=7)


def _studies(trials: pd.DataFrame) -> list[tuple[str, object, pd.DataFrame]]:
    parts = trials.groupby("fold", sort=False)
    return [(COLOURS[i % len(COLOURS)], fold, part) for i, (fold, part) in enumerate(parts)]


def _saved(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=150, metadata={"Software": None})
    return path
