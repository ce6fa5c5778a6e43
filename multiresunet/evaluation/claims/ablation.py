"""What normalisation, ResPaths and MultiRes blocks do, one at a time and together, to overlap, regions and edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

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
"""Each pair differs in nothing but what the statement is about; all but the first have batch normalisation."""


def findings(
    sides: Mapping[str, Side], models: Mapping[str, str], design: ComparisonDesign, settings: Evaluate
) -> list[Finding]:
    """Those of `STATEMENTS` whose two networks are in the run.

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
            ours, theirs = (_measured(side, of, settings.tolerances[0]) for side in pair)
            sign = -1 if of == "regions" else 1
            means = known_mean(ours), known_mean(theirs)
            advantage = design.paired(sign * (ours - theirs))
            min_effect = settings.verdict.min_effect[of]
            found.append(Finding("ablation", words, pair.pair, *means, advantage, UNITS[of], min_effect))
    return found


def _measured(side: Side, of: Quality, tolerance: float) -> Values:
    if of == "regions":
        return side.scores("fragments") + side.scores("holes")
    return side.scores("jaccard" if of == "overlap" else f"boundary_f1_{tolerance:g}")
