"""Figures of the report, as PNG files whose bytes depend on their content alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multiresunet.evaluation import BASELINES

# Okabe & Ito's colours can be told apart by all; assigned by a network's name, so that no run recolours another.
COLOURS = {
    "unet": "#0072B2",
    "unet_bn": "#56B4E9",
    "unet_respath": "#009E73",
    "unet_multires": "#CC79A7",
    "multiresunet": "#D55E00",
    "multiresunet_tuned": "#E69F00",
}
OTHER = "#555555"
TRUTH = "#00C000"
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "multiresunet",
    "figure.facecolor": "white",
}


def overview(summary: pd.DataFrame, path: Path) -> None:
    """The honest Jaccard index of every model on every data set, mean ± deviation over folds."""
    datasets, models = (list(dict.fromkeys(summary[column])) for column in ("dataset", "model"))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 0.9 + 0.75 * len(datasets)), layout="constrained")
        axes = figure.subplots()
        offsets = np.linspace(-0.3, 0.3, len(models))
        for model, offset in zip(models, offsets, strict=True):
            part = summary[summary["model"] == model].set_index("dataset").reindex(datasets)
            baselines = model in BASELINES
            axes.errorbar(
                part["jaccard"],
                np.arange(len(datasets)) + offset,
                xerr=part["jaccard_sd"],
                fmt=("x" if model == BASELINES[0] else "+") if baselines else "o",
                markersize=5,
                elinewidth=1,
                color="#999999" if baselines else COLOURS.get(model, OTHER),
                label=model,
            )
        axes.set(yticks=range(len(datasets)), yticklabels=datasets, xlim=(0, 1))
        axes.invert_yaxis()
        axes.set_xlabel("Jaccard index after the last epoch, mean ± deviation over folds")
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        _save(figure, path)


def gallery(examples: Path, path: Path) -> None:
    """Worst, middle and best image: input, truth, and each network's prediction with the true outline."""
    with np.load(examples) as arrays, mpl.rc_context(STYLE):
        models = list(arrays["models"])
        rows, columns = len(arrays["samples"]), 2 + len(models)
        height, width = arrays["truth"].shape[1:]
        figure = Figure(figsize=(1.6 * columns, 1.6 * rows * height / width + 0.5), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for row in range(rows):
            image = _shown(arrays["image"][row])
            truth = arrays["truth"][row]
            _picture(grid[row, 0], image, arrays["ranks"][row], row == 0 and "input")
            _picture(grid[row, 1], truth, "", row == 0 and "truth")
            for column, model in enumerate(models, start=2):
                axes = grid[row, column]
                _picture(axes, arrays["predictions"][row, column - 2], "", row == 0 and model)
                axes.contour(truth, levels=[0.5], colors=TRUTH, linewidths=0.9)
                jaccard = arrays["jaccard"][row, column - 2]
                axes.set_xlabel(f"Jaccard {jaccard:.2f}", labelpad=2)
            grid[row, 0].set_xlabel(arrays["samples"][row], labelpad=2)
        _save(figure, path)


def _shown(image: np.ndarray) -> np.ndarray:
    if image.shape[0] == 3:
        return np.moveaxis(image, 0, -1)
    grey = image[0]
    # Dim fluorescence images are black otherwise.
    low, high = np.percentile(grey, (0.5, 99.5))
    return np.asarray(np.clip((grey - low) / max(high - low, 1e-9), 0, 1) * 255, dtype=np.uint8)


def _picture(axes: Axes, image: np.ndarray, side: str, title: str | bool) -> None:
    axes.imshow(image, cmap="gray", interpolation="nearest")
    axes.set(xticks=[], yticks=[], ylabel=side)
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(str(title), fontsize=9)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150, metadata={"Software": None})
