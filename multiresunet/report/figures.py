"""Example images of a data set as a PNG file, whose bytes depend on its content alone."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from multiresunet.report.svg import broken

TRUTH = "#00C000"
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}


def examples(arrays_of: Path, path: Path) -> None:
    """Draw the worst, middle and best image: input, truth, and each network's prediction with the true outline.

    Args:
        arrays_of: examples.npz, as `stages.evaluate` writes it.
        path: of the PNG file.
    """
    with np.load(arrays_of) as arrays, mpl.rc_context(STYLE):
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
        drawn = BytesIO()
        figure.savefig(drawn, dpi=150, metadata={"Software": None})
    # Archives keep the file in git: with 256 colours it takes less than half, and looks the same.
    Image.open(drawn).convert("RGB").quantize(256).save(path, optimize=True)


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
        axes.set_title("\n".join(broken(str(title))), fontsize=9)
