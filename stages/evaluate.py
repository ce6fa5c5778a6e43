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
from multiresunet.evaluation.claims import ablation, low_contrast, outliers, robustness
from multiresunet.evaluation.evidence import NO_SEED, Evidence
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
    models, settings, about = loaded.models_of(dataset), loaded.evaluate, loaded.dataset(dataset)
    needs(PREPARED / dataset, f"preprocess@{dataset}")
    seeds = loaded.run.seeds
    for model in models:
        for seed in seeds:
            needs(predicted(dataset, model, seed), name_of("predict", loaded, dataset, model, seed))
        keep_only(PREDICTED / dataset / model, list(map(str, seeds)))
    keep_only(PREDICTED / dataset, models)
    data = PreparedDataset.open(PREPARED / dataset)

    found = Predicted(PREDICTED / dataset, models, seeds)
    images, costs = found.table("images"), found.costs()
    of_baselines = [
        tables.per_image(data, baseline, foreground, foreground, settings.tolerances).assign(seed=NO_SEED)
        for baseline, foreground in baselines.predict_all(data).items()
    ]
    evidence = Evidence(
        images=pd.concat([images, *of_baselines]),
        history=found.table("history"),
        lost=robustness.drops(images, found.table("perturbed")),
        segments=found.table("low_contrast"),
        distances=outliers.distance_to_training(outliers.features(data), data.folds),
        work=dict(zip(costs["model"], costs["work"], strict=True)),
    )
    drawn = seed_for(loaded.seed, dataset, "statistics")
    first = images[(images["model"] == models[0]) & (images["seed"] == seeds[0])]
    design = comparison.design_of(first, settings, drawn, grouped=about.groups, one_block=about.one_block)
    networks = ablation.networks(costs, data.dims)
    claims = comparison.claims(evidence, models, networks, design, settings)

    made = {
        "folds": tables.per_fold(evidence.images),
        "learning_curves": tables.learning_curves(evidence.history),
        "claims": claims,
        "intervals": comparison.intervals(evidence, design, settings),
        "comparisons": comparison.comparisons(evidence, models, design, settings),
        "perturbations": robustness.table(evidence.lost),
        "outliers": outliers.table(evidence.images, evidence.distances, settings.outliers),
        "low_contrast": low_contrast.curves(evidence.segments),
        "reliability": found.reliability(),
        "thresholds": found.mean("thresholds"),
        "cost": costs,
        "tuning": tuning_improvement.table(loaded, dataset, evidence, costs, design),
        "matched_cost": matched_cost.table(loaded.run.models, evidence, costs, design),
        "classes": tables.by_class(
            found.table("classes") if data.classes else pd.DataFrame(columns=["model", "class"])
        ),
    }
    for table in ("intervals", "comparisons"):
        made[table]["unit"] = metrics.units(made[table]["measure"].tolist(), settings.tolerances, data.unit)
    with replacing(EVALUATED / dataset) as draft:
        write_csv(draft / "images.csv", evidence.images)
        write_csv(draft / "history.csv", evidence.history)
        for table in TABLES:
            write_csv(draft / f"{table}.csv", made[table])
        # Masks can't be averaged: pictures, and the scores beside them, are those of the first seed.
        masks, shown = found.masks(seeds[0]), images[images["seed"] == seeds[0]]
        examples.save(draft / "examples.npz", data, masks, shown)
        write_json(draft / "gallery.json", gallery.build(data, masks, shown, evidence.distances))
    decisive = claims[claims["decisive"].astype(bool)]
    print(decisive[["claim", "model", "reference", "advantage", "verdict"]].to_string(index=False))


if __name__ == "__main__":
    run(evaluate)
