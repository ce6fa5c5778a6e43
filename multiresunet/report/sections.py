"""What the page says of one data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from multiresunet.config import Params
from multiresunet.data.geometry import input_size
from multiresunet.evaluation import BASELINES
from multiresunet.evaluation.calibration import expected_calibration_error
from multiresunet.paths import DATASET_PAGES, EVALUATED, PREPARED, VALIDATED
from multiresunet.report import advice, answer, charts, export, studies, tables


def section(name: str, loaded: Params, kept: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """A data set's part of the page.

    Args:
        name: the data set's.
        loaded: params.yaml.
        kept: the tables in metrics/, by name, the summary among them.
    """
    dataset = loaded.datasets[name]
    own = {table: content[content["dataset"] == name] for table, content in kept.items()}
    rows = own["summary"].to_dict("records")
    intervals = own["intervals"].set_index(["model", "measure"])
    for row in rows:
        row |= {"interval": tuple(intervals.loc[(row["model"], "jaccard"), ["low", "high"]])}
    learnt = [row for row in rows if row["model"] not in BASELINES]
    evaluated = tables.evaluated(name)
    warned = advice.warnings(own, evaluated["images"], loaded)
    return {
        "name": name,
        "modality": dataset.modality,
        "size": "×".join(map(str, input_size(dataset, loaded.recipe))),
        "source": dataset.source.kind,
        "images": rows[0]["images"],
        "folds": own["folds"].pivot_table(index="model", columns="fold", values="jaccard", sort=False),
        "rows": rows,
        "models": loaded.models_of(name),
        "best": {score: max(row[score] for row in learnt) for score in ("jaccard_best_epoch", "jaccard", "dice")},
        **_validation(name),
        "leak": _leak(name),
        "warned": warned,
        "poor": {one.model for one in warned if one.kind == advice.BASELINE},
        "use": "" if dataset.source.kind == "phantom" else answer.which_to_use(name, own, loaded, warned),
        "page": (DATASET_PAGES / f"{name}.html").is_file(),
        "charts": [(chart.caption, Markup(chart.svg)) for chart in charts.of_dataset(evaluated)],
        "findings": own["claims"].to_dict("records"),
        "scores": _wide(own["intervals"]),
        "unit": own["intervals"].set_index("measure").loc[["hd95"], "unit"].iloc[0],  # of distances
        "retained": own["perturbations"].pivot_table(index="kind", columns="model", values="retained", sort=False),
        "outliers": own["outliers"].to_dict("records"),
        "calibration": {
            str(model): expected_calibration_error(part)
            for model, part in own["reliability"].groupby("model", sort=False)
        },
        "comparisons": own["comparisons"].to_dict("records"),
        "tuning": own["tuning"].to_dict("records"),
        "studies": [
            {"model": folder.name, "pictures": studies.embedded(folder)}
            for folder in studies.of_run(loaded)
            if folder.parent.name == name
        ],
        "links": {table: export.links(f"{name}-{table}", content) for table, content in own.items()},
        # As a text of its own, so that the page opens without reading it; "<" can't end the element that holds it.
        "gallery": Markup((EVALUATED / name / "gallery.json").read_text(encoding="utf-8").replace("<", "\\u003c")),
    }


def _validation(name: str) -> dict[str, int]:
    """How many expectations the data met, of how many, and how many warnings there are."""
    findings = json.loads((VALIDATED / name / "validation.json").read_text(encoding="utf-8"))
    strict = [finding for finding in findings if finding["severity"] != "warning"]
    warnings = [finding for finding in findings if finding["severity"] == "warning"]
    return {
        "passed": sum(finding["success"] for finding in strict),
        "expectations": len(strict),
        "warnings": sum(not finding["success"] for finding in warnings),
    }


def _wide(intervals: pd.DataFrame) -> dict[str, Any]:
    """Every score of every model: for each measure a row of (mean, deviation) by model."""
    measures = [m for m in intervals["measure"].unique() if m not in ("jaccard", "jaccard_best_epoch")]
    models = list(intervals["model"].unique())
    at = intervals.set_index(["measure", "model"])[["mean", "sd"]]
    return {"models": models, "rows": {m: [tuple(at.loc[(m, model)]) for model in models] for m in measures}}


def _leak(name: str) -> dict[str, float] | None:
    """Mean share of test images with a near-duplicate in training, in these folds and in random ones."""
    path = PREPARED / name / "folds.csv"
    if not path.is_file():
        return None
    table = pd.read_csv(path)
    return {"here": table["leak"].mean(), "at_random": table["leak_of_random_folds"].mean()}
