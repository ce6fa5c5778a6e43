"""train DATASET MODEL: train the model on every fold; a run that is broken off goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.files import replacing, write_csv
from multiresunet.paths import PREPARED, STATE, TRAINED, TUNED
from multiresunet.training import checkpoint, resume
from multiresunet.training.devices import devices_of
from multiresunet.training.job import fit, use_threads
from multiresunet.training.specification import network_of, tuned
from multiresunet.training.stop_signal import stop_signals
from multiresunet.training.trainer import Epoch
from stages.running import run


def train(name: str, model: str) -> None:
    """Write data/trained/<name>/<model>: history.csv, and for each fold the weights of its best and last epoch.

    Until that is in place, .state/train/<hash of all inputs> holds how far each fold is.
    """
    loaded = config.load()
    recipe = loaded.recipe
    device = use_threads(recipe.threads, deterministic=recipe.deterministic)
    devices = devices_of(loaded.machine, recipe, device)
    first = devices.global_rank == 0
    if not first:
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  (until the process ends)
    data = PreparedDataset.open(PREPARED / name)
    spec = network_of(loaded.models[model], recipe, data)
    best = json.loads((TUNED / name / model / "best.json").read_text(encoding="utf-8"))
    networks = [tuned(spec, recipe, best, fold) for fold in range(recipe.folds.count)]
    key = resume.key(
        {
            "names": [name, model],
            "seed": loaded.seed,
            "threshold": loaded.evaluate.threshold,
            "networks": [[network.as_dict(), trained_as.model_dump()] for network, trained_as in networks],
            "data": resume.digest(sorted((PREPARED / name).iterdir())),
            "device": [device.type, devices.world_size],
        }
    )
    on = device.type if devices.world_size == 1 else f"{devices.world_size} × {device.type}"
    on += ", not deterministic" if device.type == "cuda" and not recipe.deterministic else ""
    history: list[dict[str, object]] = []
    seconds: list[dict[str, object]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with (
        stop_signals() as stop_signal,
        replacing(TRAINED / name / model) if first else nullcontext(Path()) as draft,
        Progress(*columns, TimeRemainingColumn()) as progress,
    ):
        for fold, (network, trained_as) in enumerate(networks):
            fitted = fit(
                network,
                data,
                *data.split(fold),
                trained_as,
                epochs=recipe.epochs,
                threshold=loaded.evaluate.threshold,
                seed=loaded.seed,
                names=(name, model, fold),
                device=device,
                on_epoch=Shown(f"{name} {model} fold {fold + 1}/{recipe.folds.count}", progress, recipe.epochs),
                checkpointer=resume.Checkpointer(STATE / "train" / key / f"fold{fold}.pt", loaded.machine.save_every),
                stop_signal=stop_signal,
                devices=devices,
            )
            if not first:
                continue
            history += [{"fold": fold, **asdict(line)} for line in fitted.history]
            for epoch, taken in enumerate(fitted.seconds, start=1):
                seconds.append({"fold": fold, "epoch": epoch, "seconds": taken, "device": on})
            checkpoint.save(draft / f"fold{fold}-best.safetensors", network, fitted.best)
            checkpoint.save(draft / f"fold{fold}-last.safetensors", network, fitted.last)
        if first:
            write_csv(draft / "history.csv", pd.DataFrame(history))
    if not first:
        return
    # Apart from the history, since no two runs agree on it.
    write_csv(STATE / "seconds" / f"{name}-{model}.csv", pd.DataFrame(seconds))
    shutil.rmtree(STATE / "train" / key)


class Shown:
    """Shows loss and Jaccard index in a progress bar."""

    def __init__(self, title: str, progress: Progress, epochs: int) -> None:
        self._title, self._progress, self._epochs = title, progress, epochs
        self._task = progress.add_task(title, total=epochs)

    def __call__(self, line: Epoch) -> None:
        """Take note of an epoch that has ended."""
        text = f"{self._title}  loss {line.train_loss:.3f}  Jaccard {line.test_jaccard:.3f}"
        self._progress.update(self._task, completed=line.epoch, description=text)
        if not self._progress.console.is_terminal:  # the flow reads from its log how far a stage is
            print(f"{text}  epoch {line.epoch}/{self._epochs}", flush=True)


if __name__ == "__main__":
    run(train)
