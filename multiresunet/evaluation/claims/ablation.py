"""What normalisation, ResPaths and MultiRes blocks do, one at a time and together, to overlap, regions and edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from multiresunet.config import Evaluate
from multiresunet.evaluation.claims.verdict import NOT_SUPPORTED, SUPPORTED, Finding
from multiresunet.evaluation.evidence import Side, Sides
from multiresunet.evaluation.statistics.design import ComparisonDesign
from multiresunet.evaluation.statistics.effects import Values, known_mean

Quality = Literal["overlap", "regions", "edges"]
UNITS: dict[Quality, str] = {"overlap": "Jaccard", "regions": "flaws per region", "edges": "boundary F1"}


class Statement(NamedTuple):
    """What is said of a network beside another that lacks something; `expected`: what the paper suggests."""

    words: str
    network: str
    other: str
    of: Quality
    expected: str


STATEMENTS = (
    Statement("normalisation alone raises the overlap", "unet_bn", "unet", "overlap", SUPPORTED),
    Statement("ResPaths raise the overlap", "unet_bn_respath", "unet_bn", "overlap", SUPPORTED),
    Statement("MultiRes blocks raise the overlap", "multiresunet", "unet_bn_respath", "overlap", SUPPORTED),
    Statement(
        *("MultiRes blocks alone break up regions, ResPaths fix them", "multiresunet", "unet_multires", "regions"),
        SUPPORTED,
    ),
    Statement("ResPaths alone sharpen edges", "unet_bn_respath", "unet_bn", "edges", NOT_SUPPORTED),
    Statement("both together keep regions whole", "multiresunet", "unet_bn", "regions", SUPPORTED),
    Statement("both together sharpen edges", "multiresunet", "unet_bn", "edges", SUPPORTED),
)
"""Each pair differs in nothing but what the statement is about.

Of images, all networks but `unet` have batch normalisation; of volumes, all have.
"""


def networks(costs: pd.DataFrame, dims: int) -> dict[str, str]:
    """From a network's name to the model of the run that stands for it.

    Of two models with the same network (as it is, and tuned) it is the first. Of volumes U-Net is always normalised
    (Çiçek 2016), so that there `unet` is no network without normalisation.

    Args:
        costs: network and model of each model of the run.
        dims: 2 for images, 3 for volumes.
    """
    found = {str(row.network): str(row.model) for row in costs[::-1].itertuples()}
    if dims == 3:
        found.pop("unet", None)
    return found


def findings(
    sides: Mapping[str, Side], models: Mapping[str, str], design: ComparisonDesign, settings: Evaluate
) -> list[Finding]:
    """Those of `STATEMENTS` whose two networks are in the run, and were trained for the same number of updates.

    Args:
        sides: what was measured, by model.
        models: from a network's name to the model of the run that stands for it.
        design: the data set's.
        settings: the smallest effects of interest; the first of the tolerances is that of the edges' boundary F1.
    """
    found = []
    for words, network, other, of, _ in STATEMENTS:
        if network in models and other in models:
            pair = Sides(sides[models[network]], sides[models[other]])
            if len({side.history["epoch"].nunique() for side in pair}) > 1:
                continue  # longer training is none of the statements
            ours, theirs = (_measured(side, of, settings.tolerances[0]) for side in pair)
            sign = -1 if of == "regions" else 1
            means = known_mean(ours), known_mean(theirs)
            advantage = design.paired(sign * (ours - theirs))
            min_effect = settings.verdict.min_effect[of]
            found.append(Finding("ablation", words, pair.pair, *means, advantage, UNITS[of], min_effect))
    return found


def _measured(side: Side, of: Quality, tolerance: float) -> Values:
    if of == "regions":
        # Holes aren't known where no region is found; the lost regions count among the fragments.
        return side.scores("fragments") + np.nan_to_num(side.scores("holes"))
    return side.scores("jaccard" if of == "overlap" else f"boundary_f1_{tolerance:g}")
