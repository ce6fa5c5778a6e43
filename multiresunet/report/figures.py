"""Example images of a data set as a PNG file, whose bytes depend on its content alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import find_contours

from multiresunet.report.svg import broken

TRUTH = "#00C000"
DPI = 150
# Inches.
WIDE, GAP = 1.5, 0.1  # a picture, and what is beside it
LEFT, BELOW, LINE = 0.25, 0.22, 0.16  # for the names of rows, of pictures, and for each line of a column's


def examples(arrays_of: Path, path: Path) -> None:
    """Draw the worst, middle and best image: input, truth, and each network's prediction with the true outline.

    All lie in one pair of axes, whose unit is the inch: a pair for each picture takes twice as long.

    Args:
        arrays_of: examples.npz, as `stages.evaluate` writes it.
        path: of the PNG file.
    """
    with np.load(arrays_of) as arrays, mpl.rc_context({"font.size": 9}):
        titles = [broken(str(title)) for title in ("input", "truth", *arrays["models"])]
        rows, (height, width) = len(arrays["samples"]), arrays["truth"].shape[1:]
        top, high = 0.08 + LINE * max(map(len, titles)), WIDE * height / width
        size = LEFT + len(titles) * (WIDE + GAP), top + rows * (high + BELOW)
        figure = Figure(figsize=size, dpi=DPI)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(size[1], 0))
        axes.set_axis_off()
        canvas = Image.new("RGB", (round(size[0] * DPI), round(size[1] * DPI)), "white")
        outlines = []
        for column, title in enumerate(titles):
            axes.text(_left(column) + WIDE / 2, top - 0.05, "\n".join(title), ha="center", va="bottom")
        for row in range(rows):
            above, truth = top + row * (high + BELOW), arrays["truth"][row]
            outline = [(line[:, ::-1] + 0.5) * WIDE / width for line in find_contours(truth, 0.5)]
            pictures = [_shown(arrays["image"][row]), truth * 255, *arrays["predictions"][row] * 255]
            jaccard = [f"Jaccard {one:.2f}" for one in arrays["jaccard"][row]]
            axes.text(LEFT / 2, above + high / 2, arrays["ranks"][row], ha="center", va="center", rotation=90)
            for column, (picture, name) in enumerate(
                zip(pictures, [arrays["samples"][row], "", *jaccard], strict=True)
            ):
                left = _left(column)
                shown = Image.fromarray(np.asarray(picture, np.uint8)).convert("RGB")
                shown = shown.resize((round(WIDE * DPI), round(high * DPI)), Image.Resampling.NEAREST)
                canvas.paste(shown, (round(left * DPI), round(above * DPI)))
                axes.text(left + WIDE / 2, above + high + 0.03, name, ha="center", va="top")
                outlines += [line + np.array((left, above)) for line in outline] if column > 1 else []
        axes.imshow(canvas, extent=(0, size[0], size[1], 0), aspect="auto", interpolation="none")
        axes.add_collection(LineCollection(outlines, colors=TRUTH, linewidths=0.9))
        drawn: Any = FigureCanvasAgg(figure)  # which has no types
        drawn.draw()
    # Archives keep the file in git: with 256 colours it takes less than half, and looks the same.
    Image.fromarray(np.asarray(drawn.buffer_rgba())).convert("RGB").quantize(256).save(path, optimize=True)


def _left(column: int) -> float:
    return LEFT + column * (WIDE + GAP)


def _shown(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.shape[0] == 3:
        return np.moveaxis(image, 0, -1)
    grey = image[0]
    # Dim fluorescence images are black otherwise.
    low, high = np.percentile(grey, (0.5, 99.5))
    return np.asarray(np.clip((grey - low) / max(high - low, 1e-9), 0, 1) * 255, dtype=np.uint8)
