"""Small studies that tests share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from multiresunet.config import Select, Space, Span, Tune
from multiresunet.data.dataset import PreparedDataset
from multiresunet.files import write_csv
from multiresunet.seeds import seed_for
from multiresunet.training.devices import SingleDevice
from multiresunet.training.job import TrainJob
from multiresunet.training.result import Epoch, Fit
from multiresunet.tuning.study import Study, study_of
from tests.inference.making import described
from tests.training.making import SPEC, job_of

ROOT = Path(__file__).parents[2]
NOTHING: dict[str, Any] = dict.fromkeys(Space.model_fields)
SPACE = Space(
    **NOTHING
    | {
        "alpha": Span[float](low=1.5, high=3.0),
        "filters_factor": Span[float](choices=[1.0, 1.5]),
        "learning_rate": Span[float](low=0.003, high=0.02, log=True),
    }
)
TUNE = Tune(
    scope="nested",
    trials=4,
    startup=2,
    minutes=None,
    splits=2,
    validation_share=0.25,
    objectives="jaccard and cost",
    pruning=None,
    space=SPACE,
    select=Select(standard_errors=1.0, budget=1.0),
)


EPOCHS = 2  # of a trial, on each split


def make_study(data: PreparedDataset, fold: int | None = 0, grouped: bool = False, **changes: Any) -> Study:
    """A study of a few short trials."""
    everything = np.arange(len(data.table))
    train, test = (everything, everything[:0]) if fold is None else data.split(fold)
    names = ("discs", "tuned", "all" if fold is None else fold)
    job = job_of(data, train=train, test=test, names=names, epochs=EPOCHS, devices=SingleDevice(torch.device("cpu")))
    return study_of(job, TUNE.model_copy(update=changes), fold, grouped=grouped)


def scores_of_names(job: TrainJob, on_epoch: Callable[[Epoch], None], *more: str) -> Fit:
    """What `fit` gives, without training: scores that depend on the network, the recipe and the seed, as there.

    And on `more`.
    """
    result = Fit()
    for epoch in range(1, job.epochs + 1):
        score = seed_for(job.seed, repr(job.spec), repr(job.recipe), epoch, *more) / 2**32
        result.history.append(Epoch(epoch, 1.0, 1.0, score, epoch))
        on_epoch(result.history[-1])
    return result


def make_workplace(folder: Path, data: PreparedDataset, **tune: Any) -> Path:
    """A folder in which `stages.tune` runs on `data`, as the data set `discs` and the model `tuned`."""
    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["datasets"] = {"discs": tree["datasets"]["nuclei"] | {"size": [32, 32], "channels": 1}}
    tree["models"] = {"tuned": {"network": "multiresunet", "filters": 32, "alpha": 1.67}}
    tree["evaluate"]["references"] = []
    tree["evaluate"]["confirmatory"] = []
    tree["run"] = {"datasets": ["discs"], "models": ["tuned"], "recipe": "quick", "seeds": [1]}
    tree["run"]["tuned"] = {"datasets": ["discs"], "models": ["tuned"]}
    tree["recipes"]["quick"] |= {"filters": 4, "updates": None, "epochs": 2}
    tree["tune"] |= TUNE.model_dump(mode="json") | tune
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    write_prepared(folder / "data/prepared/discs", data)
    return folder


def write_prepared(folder: Path, data: PreparedDataset) -> None:
    """Write what `preprocess` would."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", data.images)
    np.save(folder / "masks.npy", data.masks)
    write_csv(folder / "samples.csv", data.table)
    described(replace(SPEC, dims=data.dims, in_channels=data.channels)).write(folder)


def outputs(folder: Path) -> Mapping[str, bytes]:
    """The bytes of all that `stages.tune` wrote."""
    made = folder / "data/tuned/discs/tuned"
    return {path.name: path.read_bytes() for path in sorted(made.iterdir())}
