"""Warnings about trainings, and what to do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from multiresunet import config
from multiresunet.evaluation import BASELINES
from multiresunet.report import advice
from tests.report.making import loaded

NO_COST = pd.DataFrame(columns=["model", "network", "updates"])


def warned(curve: list[float], losses: list[float], scores: dict[int, list[float]], baseline: float) -> list[str]:
    curves = pd.DataFrame({"model": "unet_bn", "test_jaccard": curve, "train_loss": losses})
    rows = [("unet_bn", seed, fold, s) for seed, folds in scores.items() for fold, s in enumerate(folds)]
    rows += [(name, 0, fold, baseline) for name in BASELINES for fold in range(2)]
    images = pd.DataFrame(rows, columns=["model", "seed", "fold", "jaccard"])
    found = loaded("nuclei")
    only = found.model_copy(update={"run": found.run.model_copy(update={"models": ["unet_bn"]})})
    told = advice.warnings({"learning_curves": curves, "cost": NO_COST}, images, only)
    assert all(one.remedy for one in told)
    return [one.kind for one in told]


def test_warnings_name_what_went_wrong() -> None:
    falling = list(np.linspace(0.6, 0.1, 10))
    flat, good = [0.5, *[0.8] * 9], {1: [0.8, 0.8]}
    assert warned(flat, falling, good, 0.5) == []
    assert warned(list(np.linspace(0.3, 0.8, 10)), falling, good, 0.5) == ["undertrained"]
    assert warned([0.5, 0.8, 0.8, 0.8, 0.78, 0.77, 0.76, 0.74, 0.73, 0.72], falling, good, 0.5) == ["overfitted"]
    # One that fell to nothing isn't told to train less, too.
    assert warned([0.5, 0.4, *[0.0] * 8], falling, {1: [0.0, 0.0]}, 0.5) == ["hardly beats the baselines"]
    assert warned(flat, falling, {1: [0.8, 0.52]}, 0.5) == ["hardly beats the baselines"]
    assert warned(flat, falling, {1: [0.8, 0.8], 2: [0.7, 0.7]}, 0.5) == ["seeds disagree"]


@pytest.mark.parametrize(
    ("model", "rates", "searched", "key"),
    [
        ("unet", {}, None, "recipes.quick.optimiser.learning_rate"),
        ("unet", {"paper": 0.1}, None, "recipes.quick.optimiser.learning_rate"),
        ("unet", {"quick": 0.1}, None, "models.unet.learning_rate.quick"),
        ("unet_tuned", {"quick": 0.1}, None, "models.unet.learning_rate.quick"),
        ("unet_tuned", {"quick": 0.1}, {"choices": [0.1, 0.2]}, "tune.space.learning_rate"),
    ],
)
def test_the_advice_names_the_key_that_sets_the_learning_rate(
    model: str, rates: dict[str, float], searched: dict[str, list[float]] | None, key: str
) -> None:
    tree = config.load().model_dump()
    tree["run"] |= {"models": ["unet"], "tuned": {"datasets": ["nuclei"], "models": ["unet"]}}
    tree["models"]["unet"]["learning_rate"] = rates
    tree["tune"]["space"]["learning_rate"] = searched
    rows = [(name, 1, fold, 0.5) for name in (model, *BASELINES) for fold in range(2)]
    images = pd.DataFrame(rows, columns=["model", "seed", "fold", "jaccard"])
    curves = pd.DataFrame(columns=["model", "test_jaccard", "train_loss"])
    own = {"learning_curves": curves, "cost": NO_COST}
    [told] = advice.warnings(own, images, config.Params.model_validate(tree))
    assert told.remedy.startswith(f"train longer (recipes.quick) or with another learning rate ({key}), and look at")


@pytest.mark.parametrize(
    ("network", "recipe", "updates", "first"),
    [
        # As in results/paper/isbi2012, where all that is normalised hardly beats the baselines.
        (
            "unet_bn",
            "paper",
            450,
            "raise recipes.paper.normalisation_momentum (now 0.01: after 450 updates the statistics",
        ),
        ("unet_bn", "paper", 1200, "train longer (recipes.paper)"),
        ("unet_bn", "cpu", 450, "train longer (recipes.cpu)"),
        ("unet", "paper", 450, "train longer (recipes.paper)"),
        ("monai.networks.nets.AttentionUnet", "paper", 450, "train longer (recipes.paper)"),
    ],
)
def test_statistics_that_cannot_have_caught_up_come_first(network: str, recipe: str, updates: int, first: str) -> None:
    found = loaded("nuclei")
    run = found.run.model_copy(update={"models": ["unet_bn"], "recipe": recipe})
    rows = [(name, 1, fold, 0.5) for name in ("unet_bn", *BASELINES) for fold in range(2)]
    images = pd.DataFrame(rows, columns=["model", "seed", "fold", "jaccard"])
    curves = pd.DataFrame(columns=["model", "test_jaccard", "train_loss"])
    cost = pd.DataFrame({"model": ["unet_bn"], "network": [network], "updates": [updates]})
    own = {"learning_curves": curves, "cost": cost}
    [told] = advice.warnings(own, images, found.model_copy(update={"run": run}))
    assert told.remedy.startswith(first)
