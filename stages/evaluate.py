"""evaluate DATASET: compare the models of the run with each other and with the baselines."""

from __future__ import annotations

import pandas as pd

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import (
    baselines,
    comparison,
    examples,
    gallery,
    matched_cost,
    metrics,
    tables,
    tuning_improvement,
)
from multiresunet.evaluation.claims import low_contrast, outliers, robustness
from multiresunet.evaluation.comparison import Evidence
from multiresunet.evaluation.predicted import Predicted
from multiresunet.evaluation.table_keys import TABLES
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.paths import EVALUATED, PREDICTED, PREPARED, predicted
from multiresunet.seeds import seed_for
from stages.running import keep_only, name_of, needs, parameters_for, run


def evaluate(dataset: str) -> None:
    """Compare the models of the run with each other and with the baselines.

    Writes data/evaluated/<dataset>: images.csv, history.csv, the tables that go into metrics/, examples.npz and
    gallery.json. claims.csv, intervals.csv and comparisons.csv are the statistics; perturbations.csv, outliers.csv and
    low_contrast.csv the means behind the claims; tuning.csv says what tuning improved.
    """
    loaded = parameters_for(dataset)
    models, settings, grouped = loaded.models_of(dataset), loaded.evaluate, loaded.dataset(dataset).groups
    needs(PREPARED / dataset, f"preprocess@{dataset}")
    seeds = loaded.run.seeds
    for model in models:
        for seed in seeds:
            needs(predicted(dataset, model, seed), name_of("predict", loaded, dataset, model, seed))
        keep_only(PREDICTED / dataset / model, list(map(str, seeds)))
    keep_only(PREDICTED / dataset, models)
    data = PreparedDataset.open(PREPARED / dataset)

    found = Predicted(PREDICTED / dataset, models, seeds)
    images, segments = found.mean("images"), found.mean("low_contrast")
    of_baselines = [
        tables.per_image(data, baseline, foreground, foreground, settings.tolerances)
        for baseline, foreground in baselines.predict_all(data).items()
    ]
    distances = outliers.distance_to_training(outliers.features(data), data.folds)
    evidence = Evidence(
        images=pd.concat([images, *of_baselines]),
        history=found.mean("history"),
        lost=robustness.drops(images, found.mean("perturbed")),
        low_contrast={str(model): part for model, part in segments.groupby("model", sort=False)},
        distances=pd.Series(distances, index=data.table["sample"]),
    )
    drawn = seed_for(loaded.seed, dataset, "statistics")
    design = comparison.design_of(evidence.of(models[0]), settings, drawn, grouped=grouped)
    costs = found.costs()
    # Of two models with the same network (as it is, and tuned) the first stands for it in the ablation.
    networks = dict(zip(costs["network"][::-1], costs["model"][::-1], strict=True))
    claims = comparison.claims(evidence, models, networks, design, settings)

    made = {
        "folds": tables.per_fold(evidence.images),
        "learning_curves": tables.learning_curves(evidence.history),
        "claims": claims,
        "intervals": comparison.intervals(evidence, design, settings),
        "comparisons": comparison.comparisons(evidence, models, design, settings),
        "perturbations": robustness.table(evidence.lost),
        "outliers": outliers.table(evidence.images, evidence.distances, settings.outliers),
        "low_contrast": low_contrast.curves(evidence.low_contrast),
        "reliability": found.reliability(),
        "thresholds": found.mean("thresholds"),
        "cost": costs,
        "tuning": tuning_improvement.table(loaded, dataset, evidence.images, costs, design),
        "matched_cost": matched_cost.table(loaded.run.models, evidence.images, costs, design),
        "classes": tables.by_class(found.mean("classes") if data.classes else pd.DataFrame(columns=["model", "class"])),
    }
    for table in ("intervals", "comparisons"):
        made[table]["unit"] = metrics.units(made[table]["measure"].tolist(), settings.tolerances, data.unit)
    with replacing(EVALUATED / dataset) as draft:
        write_csv(draft / "images.csv", evidence.images)
        write_csv(draft / "history.csv", evidence.history)
        for table in TABLES:
            write_csv(draft / f"{table}.csv", made[table])
        # Masks can't be averaged: pictures, and the scores beside them, are those of the first seed.
        masks, every = found.masks(seeds[0]), found.table("images")
        shown = every[every["seed"] == seeds[0]]
        examples.save(draft / "examples.npz", data, masks, shown)
        write_json(draft / "gallery.json", gallery.build(data, masks, shown, distances))
    decisive = claims[claims["decisive"].astype(bool)]
    print(decisive[["claim", "model", "reference", "advantage", "verdict"]].to_string(index=False))


if __name__ == "__main__":
    run(evaluate)
