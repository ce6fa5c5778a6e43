"""train DATASET MODEL [SEED]: train the model on every fold; a run that was interrupted resumes."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from multiresunet import arithmetic, config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.data.description import DataDescription
from multiresunet.files import DIGITS, replacing, sha256, write_csv
from multiresunet.inference.description import FINAL, ModelDescription, NetworkDescription
from multiresunet.paths import PREPARED, STATE, TRAINING_SECONDS, TUNED, trained
from multiresunet.seeds import seed_for
from multiresunet.training import checkpoint, resume
from multiresunet.training.course import Course
from multiresunet.training.devices import Devices, devices_of, gpu_in_words, use_threads
from multiresunet.training.fit import fit
from multiresunet.training.job import TrainJob, network_of, tuned
from multiresunet.training.loader import Indices
from multiresunet.training.result import Epoch, Fit
from multiresunet.training.stop_signal import stop_signals
from stages.running import code_digest, needs, parameters_for, run

OFTEN = 1.0  # seconds between two lines of a log


def train(
    dataset: str,
    model: str,
    seed: Annotated[int | None, typer.Argument(help="one of run.seeds; the first if absent")] = None,
) -> None:
    """Train a model on every fold of a data set.

    Writes data/trained/<dataset>/<model>/<seed>: history.csv, for each fold the weights of its best and last epoch, and
    model.json, which says all that a later prediction needs; of a model that is `final`, also the weights of a network
    that was trained on all images. Until that is in place, .state/train/<hash of all inputs> holds how far each is.
    """
    loaded = parameters_for(dataset, model)
    needs(PREPARED / dataset, f"preprocess@{dataset}")
    if untuned := loaded.untuned(model):
        needs(TUNED / dataset / untuned, f"tune@{dataset}-{untuned}")
    recipe, seed = loaded.recipe_of(model), loaded.run.seed(seed)
    device = use_threads(recipe.threads, deterministic=recipe.deterministic)
    devices = devices_of(loaded.machine, recipe, device)
    first = devices.global_rank == 0
    if not first:
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  (until the process ends)
    jobs = jobs_of(loaded, (dataset, model, seed), devices)
    state = STATE / "train" / key_of(jobs, dataset)
    machine = machine_in_words(jobs[0])
    folds, networks = recipe.folds.count, dict[str, NetworkDescription]()
    history: list[dict[str, object]] = []
    seconds: list[dict[str, object]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with (
        stop_signals() as stop_signal,
        replacing(trained(dataset, model, seed)) if first else nullcontext(Path()) as draft,
        Progress(*columns, TimeRemainingColumn()) as progress,
    ):
        for job in jobs:
            fold = job.names[-1]
            name, part = (FINAL, "all images") if fold == FINAL else (f"fold{fold}", f"fold {int(fold) + 1}/{folds}")
            fitted = fit(
                job,
                on_epoch=Shown(f"{dataset} {model} seed {seed} {part}", progress, job.epochs),
                checkpointer=resume.Checkpointer(state / f"{name}.pt", loaded.machine.save_every),
                stop_signal=stop_signal,
            )
            if not first:
                continue
            checkpoint.save(draft / f"{name}-last.safetensors", job.spec, fitted.last)
            networks[str(fold)] = described(draft / f"{name}-last.safetensors", job, fitted)
            if fold == FINAL:  # tested on nothing
                continue
            checkpoint.save(draft / f"{name}-best.safetensors", job.spec, fitted.best)
            history += [{"fold": fold, **asdict(line)} for line in fitted.history]
            course = Course(job.pool, job.recipe, job.own_seed)
            for epoch, taken in enumerate(fitted.seconds, start=1):
                shown = sum(map(len, course.batches_of(epoch)))
                line = {"fold": fold, "epoch": epoch, "seconds": taken, "images": shown}
                seconds.append({**line, "device": in_words(job), "machine": machine})
        if first:
            write_csv(draft / "history.csv", pd.DataFrame(history))
            jaccard = [network.jaccard for network in networks.values() if network.jaccard is not None]
            ModelDescription(
                model=model,
                data=DataDescription.open(PREPARED / dataset),
                networks=networks,
                threshold=loaded.evaluate.threshold,
                jaccard=round(float(np.mean(jaccard)), DIGITS),
                jaccard_sd=round(float(np.std(jaccard, ddof=1)), DIGITS),
                recipe={"name": loaded.run.recipe, **recipe.model_dump(mode="json")},
                seed=seed,
                digests={"data": digest_of(dataset), "code": code_digest("train")},
            ).write(draft)
    if not first:
        return
    # Apart from the history, since no two runs agree on it.
    write_csv(TRAINING_SECONDS / f"{dataset}-{model}-{seed}.csv", pd.DataFrame(seconds))
    shutil.rmtree(state)


def jobs_of(loaded: config.Params, names: tuple[str, str, int], devices: Devices) -> list[TrainJob]:
    """The training of each fold, with the numbers that tuning found for it; and that of a final network on all images.

    A model that was tuned fold by fold has no numbers for all images, and no final network.
    `names`: data set, model and seed.
    """
    dataset, model, seed = names
    recipe, data = loaded.recipe_of(model), PreparedDataset.open(PREPARED / dataset)
    spec = network_of(loaded.model(model), recipe, data)
    untuned = loaded.untuned(model)
    best = json.loads((TUNED / dataset / untuned / "best.json").read_text(encoding="utf-8")) if untuned else {}
    everything = np.arange(len(data.table))
    splits: dict[int | str, tuple[Indices, Indices]] = {fold: data.split(fold) for fold in range(recipe.folds.count)}
    if loaded.model(model).final and (untuned is None or loaded.tune.scope == "shared"):
        splits[FINAL] = everything, everything[:0]
    jobs = []
    for fold, (train, test) in splits.items():
        own, trained_by = tuned(spec, recipe, best, 0 if fold == FINAL else int(fold))
        jobs.append(
            TrainJob(
                spec=own,
                data=data,
                train=train,
                test=test,
                recipe=trained_by,
                epochs=loaded.epochs_of(model),
                threshold=loaded.evaluate.threshold,
                seed=seed_for(loaded.seed, dataset, seed, fold),
                names=(dataset, model, seed, fold),
                devices=devices,
            )
        )
    return jobs


def key_of(jobs: list[TrainJob], dataset: str) -> str:
    """What the trainings depend on, as a hash."""
    inputs = {
        "jobs": [
            [job.names, job.seed, job.epochs, job.threshold, job.spec.as_dict(), job.recipe.model_dump(mode="json")]
            for job in jobs
        ],
        "data": digest_of(dataset),
        "device": [jobs[0].devices.device.type, jobs[0].devices.world_size],
        "torch": torch.__version__,
    }
    return resume.key(inputs, code_digest("train"))


def digest_of(dataset: str) -> str:
    """SHA-256 over the prepared data."""
    return resume.digest(sorted((PREPARED / dataset).iterdir()))


def described(weights: Path, job: TrainJob, fitted: Fit) -> NetworkDescription:
    """A network of the model, with its scores if it was tested."""
    tested = len(job.test) > 0
    return NetworkDescription(
        file=weights.name,
        sha256=sha256(weights),
        spec=job.spec.as_dict(),
        updates=fitted.history[-1].updates,
        batch=job.recipe.batch,
        learning_rate=job.recipe.optimiser.learning_rate,
        jaccard=round(fitted.history[-1].test_jaccard, DIGITS) if tested else None,
        jaccard_best_epoch=round(fitted.best_jaccard, DIGITS) if tested else None,
    )


def in_words(job: TrainJob) -> str:
    """What a training runs on."""
    device, count = job.devices.device.type, job.devices.world_size
    free = ", not deterministic" if device == "cuda" and not job.recipe.deterministic else ""
    return (device if count == 1 else f"{count} × {device}") + free


def machine_in_words(job: TrainJob) -> str:
    """Whose arithmetic it is: the GPU's, or the CPU's."""
    gpu = job.devices.device.type == "cuda"
    return gpu_in_words(job.devices.device, job.recipe) if gpu else arithmetic.in_words()


class Shown:
    """Shows loss and Jaccard index in a progress bar; in a log, once a second and at the end."""

    def __init__(self, title: str, progress: Progress, epochs: int) -> None:
        self._title, self._progress, self._epochs = title, progress, epochs
        self._task = progress.add_task(title, total=epochs)
        self._said = -math.inf

    def __call__(self, line: Epoch) -> None:
        """Show an epoch that has ended."""
        text = f"{self._title}  loss {line.train_loss:.3f}  Jaccard {line.test_jaccard:.3f}"
        self._progress.update(self._task, completed=line.epoch, description=text)
        now = time.monotonic()
        if self._progress.console.is_terminal or (now - self._said < OFTEN and line.epoch < self._epochs):
            return
        self._said = now
        print(f"{text}  epoch {line.epoch}/{self._epochs}", flush=True)  # so the flow sees how far a stage is


if __name__ == "__main__":
    run(train)
