"""evaluate DATASET: hold the models of the run against each other and against what learns nothing."""

from __future__ import annotations

import json

import pandas as pd

from multiresunet import params
from multiresunet.data.arrays import Prepared
from multiresunet.evaluation import (
    baselines,
    comparison,
    examples,
    faint,
    gain,
    gallery,
    outliers,
    predictions,
    robustness,
    scores,
)
from multiresunet.evaluation.comparison import Evidence
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.seeds import seed_for
from stages.running import PREPARED, SCORED, SCORES, keep_only, run


def evaluate(name: str) -> None:
    """Write data/scores/<name>: images.csv and folds.csv, what is said of them, examples.npz and gallery.json.

    claims.csv, intervals.csv, comparisons.csv: see `comparison`. perturbations.csv, outliers.csv, faint.csv: the means
    behind the claims. history.csv, reliability.csv, thresholds.csv, cost.csv: of all models.
    tuning.csv: see `gain`.
    """
    loaded = params.load()
    models, settings = loaded.run.models, loaded.evaluate
    keep_only(SCORED / name, models)
    data = Prepared.open(PREPARED / name)

    def of_all(table: str) -> pd.DataFrame:
        return pd.concat([pd.read_csv(SCORED / name / m / table, dtype={"sample": str, "group": str}) for m in models])

    learnt = of_all("images.csv").fillna({"group": ""})
    trivial = [
        scores.per_image(data, baseline, foreground, foreground, settings.tolerances)
        for baseline, foreground in baselines.predict_all(data).items()
    ]
    segments = of_all("faint.csv")
    evidence = Evidence(
        images=pd.concat([learnt, *trivial]),
        history=of_all("history.csv"),
        lost=robustness.drops(learnt, of_all("perturbed.csv")),
        faint={str(model): part for model, part in segments.groupby("model", sort=False)},
        distances=pd.Series(
            outliers.distance_to_training(outliers.features(data), data.folds), index=data.table["sample"]
        ),
    )
    seed, grouped = seed_for(loaded.seed, name, "statistics"), loaded.dataset(name).groups
    bench = comparison.bench_of(evidence.of(models[0]), settings, seed, grouped=grouped)
    costs = pd.DataFrame(
        {"model": m, **json.loads((SCORED / name / m / "cost.json").read_text(encoding="utf-8"))} for m in models
    )
    # Of two models with the same network (as it is, and tuned) the first stands for it in the ablation.
    networks = dict(zip(costs["network"][::-1], costs["model"][::-1], strict=True))
    claims = comparison.claims(evidence, models, networks, bench, settings)

    with replacing(SCORES / name) as draft:
        for table, content in {
            "images": evidence.images,
            "folds": scores.per_fold(evidence.images),
            "history": evidence.history,
            "claims": claims,
            "intervals": comparison.intervals(evidence, bench, settings),
            "comparisons": comparison.comparisons(evidence, models, bench, settings),
            "perturbations": robustness.table(evidence.lost),
            "outliers": outliers.table(evidence.images, evidence.distances, settings.outliers),
            "faint": faint.curves(evidence.faint),
            "reliability": of_all("reliability.csv"),
            "thresholds": of_all("thresholds.csv"),
            "cost": costs,
            "tuning": gain.table(loaded, evidence.images, costs, bench),
            "classes": scores.by_class(
                of_all("classes.csv") if data.classes else pd.DataFrame(columns=["model", "class"])
            ),
        }.items():
            write_csv(draft / f"{table}.csv", content)
        predicted = {model: predictions.load(SCORED / name / model / "predictions.npz") for model in models}
        examples.save(draft / "examples.npz", data, predicted, learnt)
        write_json(
            draft / "gallery.json", gallery.build(data, predicted, learnt, evidence.distances.to_numpy(dtype=float))
        )
    decisive = claims[claims["decisive"].astype(bool)]
    print(decisive[["claim", "model", "reference", "advantage", "verdict"]].to_string(index=False))


if __name__ == "__main__":
    run(evaluate)
