"""The colours of networks in charts, pictures and legends."""

from __future__ import annotations

from multiresunet.evaluation import BASELINES

# Okabe & Ito's, which colour-blind readers can distinguish. By a network's name, so that all runs show it alike.
NETWORKS = {
    "unet": "#0072B2",
    "unet_bn": "#56B4E9",
    "unet_respath": "#009E73",
    "unet_bn_respath": "#009E73",
    "unet_multires": "#CC79A7",
    "multiresunet": "#D55E00",
    "multiresunet_tuned": "#E69F00",
}
OTHER = "#555555"
OF_BASELINES = dict(zip(BASELINES, ("#8a8a94", "#9c6b30"), strict=True))


def of(model: str) -> str:
    """A model's or a baseline's colour."""
    return OF_BASELINES.get(model) or NETWORKS.get(model, OTHER)
