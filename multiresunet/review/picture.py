"""The scores that changed most, old beside new, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from multiresunet.review.changes import HEADLINE, Change


def draw(cells: Sequence[Change], path: Path, most: int = 12) -> bool:
    """Draw the `most` cells of the largest differences as PNG; False, and no file, if no number changed."""
    pairs = [
        (cell, cell.old, cell.new)
        for cell in cells
        if isinstance(cell.old, float) and isinstance(cell.new, float) and cell.old != cell.new
    ]
    pairs = sorted(pairs, key=lambda pair: -abs(pair[2] - pair[1]))[:most][::-1]
    if not pairs:
        return False
    import matplotlib  # takes a second, and only here

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 1 + 0.4 * len(pairs)), layout="constrained")
    for place, (cell, old, new) in enumerate(pairs):
        if cell.interval:
            axes.plot(cell.interval, [place, place], color="0.8", linewidth=8, solid_capstyle="butt")
        colour = "tab:red" if cell.is_regression else "tab:blue"
        axes.plot([old, new], [place, place], color=colour)
        axes.plot([old], [place], "o", color=colour, markerfacecolor="white")
        axes.plot([new], [place], "o", color=colour)
    axes.set_ylim(-0.6, len(pairs) - 0.4)
    axes.set_yticks(range(len(pairs)), [" · ".join(cell.key) for cell, _, _ in pairs])
    axes.set_xlabel(f"{HEADLINE}: old (hollow) with its 95 % interval over folds (grey), new (filled)")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
    return True
