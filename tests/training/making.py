"""Short trainings that tests share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from multiresunet.config import Folds, Optimiser, Recipe, Schedule
from multiresunet.data.dataset import PreparedDataset
from multiresunet.nets import NetworkSpec
from multiresunet.training.devices import SingleDevice, use_threads
from multiresunet.training.job import TrainJob

RECIPE = Recipe(
    folds=Folds(count=3, by="image"),
    longest_side=None,
    filters=None,
    epochs=8,
    batch=3,
    loss="bce",
    deep_supervision=None,
    optimiser=Optimiser(name="adam", learning_rate=0.01, epsilon=1e-7),
    schedule=Schedule(name="constant"),
    ema=None,
    augment=None,
    normalisation_momentum=0.3,
    precision="float32",
    deterministic=True,
    threads=1,
    arithmetic="portable",
)
SPEC = NetworkSpec("multiresunet", 2, 1, filters=4)
LEAN = NetworkSpec("unet_bn", 2, 1, filters=4)  # less than half the time a step, where any network will do


def job_of(data: PreparedDataset, **changes: Any) -> TrainJob:
    """A short training on the first fold."""
    train, test = data.split(0)
    job = TrainJob(
        spec=SPEC,
        data=data,
        train=train,
        test=test,
        recipe=RECIPE,
        epochs=8,
        threshold=0.5,
        seed=1,
        names=("t",),
        devices=SingleDevice(use_threads(1)),
    )
    return replace(job, **changes)
