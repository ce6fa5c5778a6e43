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
    """Write data/trained/<name>/<model>: history.csv, and for each fold the weights of the best and the last epoch."""
    loaded = params.load()
    recipe = loaded.recipe
    device = use_threads(loaded.recipe.threads)
    data = Prepared.open(PREPARED / name)
    spec = network_of(loaded.models[model], recipe, data)
    best = json.loads((TUNED / name / model / "best.json").read_text(encoding="utf-8"))
    history, seconds = [], []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with replacing(TRAINED / name / model) as draft, Progress(*columns, TimeRemainingColumn()) as progress:
        for fold in range(recipe.folds.count):
            title = f"{name} {model} fold {fold + 1}/{recipe.folds.count}"
            task = progress.add_task(title, total=recipe.epochs)

            def report(line: Epoch, fold: int = fold, task: object = task, title: str = title) -> None:
                history.append({"fold": fold, **asdict(line)})
                seconds.append({"fold": fold, "epoch": line.epoch, "seconds": time.perf_counter() - start, "device": device.type})
                text = f"{title}  loss {line.train_loss:.3f}  Jaccard {line.test_jaccard:.3f}"
                progress.update(task, advance=1, description=text)  # type: ignore[arg-type]

            start = time.perf_counter()
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
            checkpoint.save(draft / f"fold{fold}-best.safetensors", network, fitted.best)
            checkpoint.save(draft / f"fold{fold}-last.safetensors", network, fitted.last)
        write_csv(draft / "history.csv", pd.DataFrame(history))
    write_csv(STATE / "seconds" / f"{name}-{model}.csv", pd.DataFrame(seconds))


if __name__ == "__main__":
    run(train)
