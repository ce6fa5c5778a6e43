"""What MultiRes blocks and ResPaths do, each alone and both together, to regions and to edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from multiresunet.config import ClaimName
from multiresunet.evaluation.claims.verdict import NOT_SUPPORTED, SUPPORTED, Finding, Pair
from multiresunet.evaluation.statistics.design import ComparisonDesign
from multiresunet.evaluation.statistics.effects import Values

NETWORKS = ("unet", "unet_respath", "unet_multires", "multiresunet")

Quality = Literal["regions", "edges"]
STATEMENTS: tuple[tuple[str, str, str, Quality, str], ...] = (
    # statement, network, network that it is compared with, of what, verdict that the paper leads one to expect
    (
        "MultiRes blocks alone break up regions, ResPaths fix them",
        "multiresunet",
        "unet_multires",
        "regions",
        SUPPORTED,
    ),
    ("ResPaths alone sharpen edges", "unet_respath", "unet", "edges", NOT_SUPPORTED),
    ("both together keep regions whole", "multiresunet", "unet", "regions", SUPPORTED),
    ("both together sharpen edges", "multiresunet", "unet", "edges", SUPPORTED),
)


def flaws(images: pd.DataFrame) -> pd.Series:
    """Fragments beyond the first, and holes, per true region found, of each image."""
    return images["fragments"] - 1 + images["holes"]


def findings(
    images: Mapping[str, pd.DataFrame],
    models: Mapping[str, str],
    design: ComparisonDesign,
    tolerance: float,
    min_effect: Mapping[ClaimName, float],
) -> list[Finding]:
    """Those of `STATEMENTS` whose two networks are in the run.

    Args:
        images: each model's scores, in the data set's order.
        models: from a network's name to the model of the run that stands for it.
        design: the data set's.
        tolerance: of the boundary F1 that stands for edges.
        min_effect: smallest effects of interest, of `regions` and `edges`.
    """

    def measured(model: str, of: Quality) -> Values:
        table = images[model]
        column = -flaws(table) if of == "regions" else table[f"boundary_f1_{tolerance:g}"]
        return column.to_numpy(dtype=float)

    found = []
    for statement, network, other, of, _ in STATEMENTS:
        if network in models and other in models:
            ours, theirs = measured(models[network], of), measured(models[other], of)
            sign = -1 if of == "regions" else 1
            means = [sign * float(pd.Series(side).mean()) for side in (ours, theirs)]
            unit = "flaws per region" if of == "regions" else "boundary F1"
            pair = Pair(models[network], models[other])
            found.append(
                Finding(
                    "ablation", statement, *pair, means[0], means[1], design.paired(ours - theirs), unit, min_effect[of]
                )
            )
    return found
