"""Warnings that help: what went wrong with a model on a data set, and what to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Params
from multiresunet.evaluation import BASELINES
from multiresunet.evaluation.evidence import above_baselines
from multiresunet.registries import NETWORKS

RISING = 0.01  # Jaccard index between the last fifth of a training and the fifth before
FALLEN = 0.02  # Jaccard index below the best epoch's
LEFT = 0.001  # share of the initial running statistics; a layer's variance was seen at 1/600 of its initial value
NOT_NORMALISED = "unet"  # of our own networks, for images
BASELINE = "hardly beats the baselines"
"""The gravest kind of warning."""
RISES = "undertrained"
OVERFITTED = "overfitted"


class Warning(NamedTuple):
    """What is wrong with a model, and the remedy."""

    model: str
    kind: str
    words: str
    remedy: str


def warnings(own: Mapping[str, pd.DataFrame], images: pd.DataFrame, loaded: Params) -> list[Warning]:
    """What is wrong with the models on a data set, the gravest first.

    Args:
        own: the data set's rows of the tables in metrics/, by name.
        images: model, seed, fold, jaccard of each image; the baselines', too.
        loaded: params.yaml.
    """
    recipe = f"recipes.{loaded.run.recipe}"
    found: list[Warning] = []
    means = images.groupby(["model", "seed", "fold"])["jaccard"].mean()
    for model in (str(name) for name in images["model"].unique() if name not in BASELINES):
        curve = own["learning_curves"][own["learning_curves"]["model"] == model]
        first = _of_statistics(own["cost"][own["cost"]["model"] == model], loaded)
        poor = [*_beside_baselines(model, means, first, loaded)]
        curved = [one for one in _of_curve(model, curve, recipe) if not (poor and one.kind == OVERFITTED)]
        found += [*poor, *curved]  # who fails has not learnt too much: "train less" would be wrong
        found += _of_seeds(
            model, means.loc[[model]].groupby("seed").mean(), loaded.evaluate.verdict.min_effect["overlap"]
        )
    order = [BASELINE, RISES, OVERFITTED, "seeds disagree"]
    return sorted(found, key=lambda one: order.index(one.kind))


def _of_statistics(cost: pd.DataFrame, loaded: Params) -> str:
    """What to do first where running statistics can't have caught up with the weights; cost: a model's."""
    momentum = loaded.recipe.normalisation_momentum
    for network, updates in zip(cost["network"], cost["updates"], strict=True):
        left = (1 - momentum) ** updates
        if network in NETWORKS and network != NOT_NORMALISED and left > LEFT:
            return (
                f"raise recipes.{loaded.run.recipe}.normalisation_momentum (now {momentum:g}: after {updates:.0f} "
                "updates the statistics that normalisation predicts with still hold "
                f"{100 * left:.1f} % of their initial values), or "
            )
    return ""


def _beside_baselines(model: str, means: pd.Series[float], first: str, loaded: Params) -> Iterator[Warning]:
    gap, margin = above_baselines(means, model), loaded.evaluate.verdict.above_baselines
    if poor := int((gap < margin).sum()):
        yield Warning(
            model,
            BASELINE,
            f"in {poor} of {len(gap)} trainings it isn’t {100 * margin:.0f} points better than the better baseline of "
            "the same fold, so that no claim on it can be decided",
            f"{first}train longer (recipes.{loaded.run.recipe}) or with another learning rate "
            f"({_rate(model, loaded)}), and look at the masks on the data set’s page",
        )


def _rate(model: str, loaded: Params) -> str:
    """The key of params.yaml that a model's learning rate comes from."""
    if loaded.untuned(model) and loaded.tune.space.learning_rate is not None:
        return "tune.space.learning_rate"
    if (recipe := loaded.run.recipe) in loaded.model(model).learning_rate:
        return f"models.{loaded.untuned(model) or model}.learning_rate.{recipe}"
    return f"recipes.{recipe}.optimiser.learning_rate"


def _of_curve(model: str, curve: pd.DataFrame, recipe: str) -> Iterator[Warning]:
    scores, losses = (curve[name].to_numpy(dtype=np.float64) for name in ("test_jaccard", "train_loss"))
    part = max(1, len(scores) // 5)
    if len(scores) < 2 * part + 1:
        return
    rise = _mean(scores[-part:]) - _mean(scores[-2 * part : -part])
    best = int(scores.argmax())
    if rise > RISING:
        words = f"its curve still rises, by {100 * rise:.1f} points in the last fifth of the training"
        yield Warning(model, RISES, words, f"train longer ({recipe})")
    elif scores[best] - _mean(scores[-part:]) > FALLEN and losses[-1] < losses[best]:
        more = f"{100 * (scores[best] - _mean(scores[-part:])):.1f} points more than the end"
        words = f"epoch {best + 1} of {len(scores)} scored {more}, while the training loss went on falling"
        yield Warning(model, OVERFITTED, words, f"add images, or set {recipe}.augment, or train less")


def _of_seeds(model: str, seeds: pd.Series[float], effect: float) -> Iterator[Warning]:
    spread = float(seeds.max() - seeds.min())
    if len(seeds) > 1 and spread > effect:
        words = f"its {len(seeds)} seeds differ by {100 * spread:.1f} points, with nothing else changed"
        yield Warning(
            model, "seeds disagree", words, "train longer, or add seeds (run.seeds) until intervals are narrow"
        )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean())
