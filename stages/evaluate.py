"""evaluate DATASET: hold the models of the run against each other and against what learns nothing."""

from __future__ import annotations

import pandas as pd

from multiresunet import params
from multiresunet.data.arrays import Prepared
from multiresunet.evaluation import baselines, examples, predictions, scores
from multiresunet.files import replacing, write_csv
from stages.running import PREPARED, SCORED, SCORES, keep_only, run


def evaluate(name: str) -> None:
    """Write data/scores/<name>: images.csv, folds.csv, history.csv and examples.npz."""
    loaded = params.load()
    models, settings = loaded.run.models, loaded.evaluate
    keep_only(SCORED / name, models)
    data = Prepared.open(PREPARED / name)

    def of_all(table: str) -> pd.DataFrame:
        text = {"sample": str, "group": str}
        return pd.concat([pd.read_csv(SCORED / name / m / table, dtype=text, keep_default_na=True) for m in models])

    learnt = of_all("images.csv").fillna({"group": ""})
    predicted = {model: predictions.load(SCORED / name / model / "predictions.npz") for model in models}
    trivial = [
        scores.per_image(data, baseline, foreground, foreground, settings.tolerances)
        for baseline, foreground in baselines.predict_all(data).items()
    ]
    images = pd.concat([learnt, *trivial])
    with replacing(SCORES / name) as draft:
        write_csv(draft / "images.csv", images)
        write_csv(draft / "folds.csv", scores.per_fold(images))
        write_csv(draft / "history.csv", of_all("history.csv"))
        examples.save(draft / "examples.npz", data, predicted, learnt)
    print(scores.summary(scores.per_fold(images))[["model", "jaccard_paper", "jaccard_honest"]].to_string(index=False))


if __name__ == "__main__":
    run(evaluate)
