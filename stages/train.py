"""train DATASET MODEL: train the model on every fold."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import pandas as pd
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from multiresunet import params
from multiresunet.data.arrays import Prepared
from multiresunet.files import replacing, write_csv
from multiresunet.training import checkpoint
from multiresunet.training.fit import Epoch, fit, use_threads
from multiresunet.training.settings import network_of, tuned
from stages.running import PREPARED, STATE, TRAINED, TUNED, run


def train(name: str, model: str) -> None:
    """Write data/trained/<name>/<model>: history.csv, and for each fold the weights of its best and last epoch."""
    loaded = params.load()
    recipe = loaded.recipe
    device = use_threads(recipe.threads)
    data = Prepared.open(PREPARED / name)
    spec = network_of(loaded.models[model], recipe, data)
    best = json.loads((TUNED / name / model / "best.json").read_text(encoding="utf-8"))
    history: list[dict[str, object]] = []
    seconds: list[dict[str, object]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with replacing(TRAINED / name / model) as draft, Progress(*columns, TimeRemainingColumn()) as progress:
        for fold in range(recipe.folds.count):
            title = f"{name} {model} fold {fold + 1}/{recipe.folds.count}"
            report = Reporter(fold, title, progress, recipe.epochs, device.type)
            network = tuned(spec, best, fold)
            fitted = fit(
                network,
                data,
                *data.split(fold),
                recipe,
                epochs=recipe.epochs,
                threshold=loaded.evaluate.threshold,
                seed=loaded.seed,
                names=(name, model, fold),
                device=device,
                on_epoch=report,
            )
            history += [{"fold": fold, **asdict(line)} for line in fitted.history]
            seconds += report.seconds
            checkpoint.save(draft / f"fold{fold}-best.safetensors", network, fitted.best)
            checkpoint.save(draft / f"fold{fold}-last.safetensors", network, fitted.last)
        write_csv(draft / "history.csv", pd.DataFrame(history))
    # Apart from the history, since no two runs agree on it.
    write_csv(STATE / "seconds" / f"{name}-{model}.csv", pd.DataFrame(seconds))


class Reporter:
    """Shows loss and Jaccard index in a progress bar, and takes the time of each epoch."""

    def __init__(self, fold: int, title: str, progress: Progress, epochs: int, device: str) -> None:
        self.seconds: list[dict[str, object]] = []
        self._fold, self._title, self._progress, self._device = fold, title, progress, device
        self._task = progress.add_task(title, total=epochs)
        self._since = time.perf_counter()

    def __call__(self, line: Epoch) -> None:
        """Take note of an epoch that has ended."""
        now = time.perf_counter()
        taken = {"fold": self._fold, "epoch": line.epoch, "seconds": now - self._since, "device": self._device}
        self.seconds.append(taken)
        self._since = now
        text = f"{self._title}  loss {line.train_loss:.3f}  Jaccard {line.test_jaccard:.3f}"
        self._progress.update(self._task, advance=1, description=text)


if __name__ == "__main__":
    run(train)
