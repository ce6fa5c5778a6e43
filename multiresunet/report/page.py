"""reports/index.html: one self-contained page: verdicts, tables, curves, every image, and where it all comes from."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.evaluation import BASELINES
from multiresunet.evaluation.calibration import expected_calibration_error
from multiresunet.evaluation.claims.ablation import STATEMENTS
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED
from multiresunet.evaluation.comparison import pairs
from multiresunet.files import some_of, write_text
from multiresunet.paths import (
    DATASET_PAGES,
    EVALUATED,
    INFERENCE_SECONDS,
    METRICS,
    PAGE,
    PREPARED,
    RAW,
    SUMMARY,
    TRAINING_SECONDS,
    TUNED,
    VALIDATED,
)
from multiresunet.report import charts, export, tables
from multiresunet.report import dataset_page as dataset_page

PICTURES = {
    "history": "Each trial’s score, and the best so far.",
    "slices": "Scores over α and over the filters U.",
    "importance": "What matters for the score.",
    "front": "Score against cost; ★ was taken.",
}
"""Of a study, as `stages.tune` draws them."""
PACKAGES = (
    "torch",
    "numpy",
    "pandas",
    "scikit-learn",
    "scikit-image",
    "optuna",
    "great-expectations",
    "dvc",
    "prefect",
)
CLAIMS = {
    "epochs": "Better in fewer epochs",
    "low_contrast": "Faint boundaries drawn better",
    "perturbations": "More immune to perturbations",
    "outliers": "More reliable on outliers",
}
SIGNS = {SUPPORTED: ("yes", "✓"), NOT_SUPPORTED: ("no", "✗"), INCONCLUSIVE: ("untold", "?")}
OF_DATASET = ("images", "history", *tables.GATHERED)


def render() -> Path:
    """Render the page from metrics/, data/evaluated/ and data/validated/.

    Raises:
        UserError: if one of them isn't there.
    """
    loaded = config.load()
    needed = [METRICS / f"{name}.csv" for name in ("summary", *tables.GATHERED)]
    needed += [EVALUATED / name / "gallery.json" for name in loaded.run.datasets]
    for path in needed:
        if not path.exists():
            raise UserError(f"{path} is missing; run `dvc repro`")
    environment = Environment(
        loader=PackageLoader("multiresunet.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    summary = pd.read_csv(SUMMARY)
    # Words are no numbers, even where all of them are empty.
    words = {"reason": str, "note": str, "untuned": str, "study": str}
    kept = {name: pd.read_csv(METRICS / f"{name}.csv", dtype=words) for name in tables.GATHERED}
    for name, column in (("claims", "reason"), ("comparisons", "note")):
        kept[name][column] = kept[name][column].fillna("")
    claims = kept["claims"]
    modalities = {name: loaded.datasets[name].modality for name in loaded.run.datasets}
    paper = tables.beside_the_paper(summary, modalities)
    made = provenance()
    commit = made["commit"]
    text = environment.get_template("page.html.j2").render(
        matrices=_matrices(claims, loaded),
        ablation=_ablation(claims),
        sections=[_section(name, loaded, summary, kept) for name in loaded.run.datasets],
        overview=Markup(charts.overview(kept["intervals"], loaded.run.datasets)),
        colours={model: charts.colour(model) for model in (*loaded.run.models, *BASELINES)},
        paper=paper.to_dict("records"),
        links={
            name: _links(name, table)
            for name, table in {
                "summary": summary,
                "paper": paper,
                "claims": claims,
                "cost": kept["cost"],
                "classes": kept["classes"],
            }.items()
        },
        classes=kept["classes"].to_dict("records"),
        cost=_cost(kept["cost"]),
        signs=SIGNS,
        recipe_name=loaded.run.recipe,
        recipe=loaded.recipe,
        run=loaded.run,
        rule=loaded.evaluate.verdict,
        evaluate=loaded.evaluate,
        baselines=BASELINES,
        parameters=Path("params.yaml").read_text(encoding="utf-8"),
        provenance=made,
        short=commit[:10] + ("*" if " with changes" in commit else ""),
    )
    write_text(PAGE, text)
    for name in loaded.run.datasets:
        # DVC may have restored a data set without running what writes its page.
        if not (DATASET_PAGES / f"{name}.html").is_file() and (RAW / name).is_dir():
            dataset_page.render(name, loaded.datasets[name])
    return PAGE


def studied(loaded: config.Params) -> list[Path]:
    """What the studies of the run left: a folder for each data set and tuned model, where this clone has them."""
    found = [TUNED / d / m for d in loaded.run.datasets for m in loaded.run.models if loaded.models[m].tuned]
    return [folder for folder in found if all((folder / f"{name}.png").is_file() for name in PICTURES)]


def tables_of(name: str) -> dict[str, pd.DataFrame]:
    """A data set's tables, as `stages.evaluate` wrote them."""
    return {table: pd.read_csv(EVALUATED / name / f"{table}.csv") for table in OF_DATASET}


def provenance() -> dict[str, str]:
    """Commit, versions and machine of this run."""
    return {
        "commit": _commit(),
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
    }


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        # The tables and dvc.lock are what a run writes; anything else that differs makes it another commit's result.
        changed = git("diff", "--name-only", "HEAD", "--", ":!metrics", ":!dvc.lock").splitlines()
        return git("rev-parse", "HEAD") + (f" with changes in {some_of(changed)}" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not in a git repository)"


def _section(name: str, loaded: config.Params, summary: pd.DataFrame, kept: dict[str, pd.DataFrame]) -> dict[str, Any]:
    dataset = loaded.datasets[name]
    rows = summary[summary["dataset"] == name].to_dict("records")
    learnt = [row for row in rows if row["model"] not in BASELINES]
    findings = json.loads((VALIDATED / name / "validation.json").read_text(encoding="utf-8"))
    own = {table: content[content["dataset"] == name] for table, content in kept.items()}
    intervals = own["intervals"].set_index(["model", "measure"])
    for row in rows:
        row |= {"interval": tuple(intervals.loc[(row["model"], "jaccard"), ["low", "high"]])}
    return {
        "name": name,
        "modality": dataset.modality,
        "size": "×".join(map(str, dataset.input_size(loaded.recipe))),
        "source": dataset.source.kind,
        "images": rows[0]["images"],
        "folds": own["folds"].pivot_table(index="model", columns="fold", values="jaccard", sort=False),
        "rows": rows,
        "best": {score: max(row[score] for row in learnt) for score in ("jaccard_best_epoch", "jaccard", "dice")},
        "passed": sum(finding["success"] and finding["severity"] != "warning" for finding in findings),
        "expectations": sum(finding["severity"] != "warning" for finding in findings),
        "warnings": sum(not finding["success"] and finding["severity"] == "warning" for finding in findings),
        "leak": _leak(name),
        "charts": [(chart.caption, Markup(chart.svg)) for chart in charts.of_dataset(tables_of(name))],
        "findings": own["claims"].to_dict("records"),
        "scores": _wide(own["intervals"]),
        "drops": own["perturbations"].pivot_table(index="kind", columns="model", values="drop", sort=False),
        "outliers": own["outliers"].to_dict("records"),
        "calibration": {
            str(model): expected_calibration_error(part)
            for model, part in own["reliability"].groupby("model", sort=False)
        },
        "comparisons": own["comparisons"].to_dict("records"),
        "tuning": own["tuning"].to_dict("records"),
        "studies": [
            {
                "model": folder.name,
                "pictures": [(caption, _embedded(folder / f"{p}.png")) for p, caption in PICTURES.items()],
            }
            for folder in studied(loaded)
            if folder.parent.name == name
        ],
        "links": {table: _links(f"{name}-{table}", content) for table, content in own.items()},
        # As a text of its own, so that the page opens without reading it; "<" can't end the element that holds it.
        "gallery": Markup((EVALUATED / name / "gallery.json").read_text(encoding="utf-8").replace("<", "\\u003c")),
    }


def _embedded(picture: Path) -> str:
    return f"data:image/png;base64,{b64encode(picture.read_bytes()).decode()}"


def _wide(intervals: pd.DataFrame) -> dict[str, Any]:
    """Every score of every model: for each measure a row of (mean, deviation) by model."""
    measures = [m for m in intervals["measure"].unique() if m not in ("jaccard", "jaccard_best_epoch")]
    models = list(intervals["model"].unique())
    at = intervals.set_index(["measure", "model"])[["mean", "sd"]]
    return {"models": models, "rows": {m: [tuple(at.loc[(m, model)]) for model in models] for m in measures}}


def _matrices(claims: pd.DataFrame, loaded: config.Params) -> list[dict[str, Any]]:
    """For each pair of models the verdicts: a row a claim, a column a data set; the paper's own pair first."""
    decisive = {
        (row["claim"], row["model"], row["reference"], row["dataset"]): row
        for row in _records(claims[claims["decisive"].astype(bool)])
    }
    held = pairs(loaded.run.models, loaded.evaluate.references)
    found = []
    for pair in sorted(held, key=lambda one: one != ("multiresunet", "unet")):
        rows = []
        for claim, title in CLAIMS.items():
            cells = [decisive[(claim, *pair, name)] for name in loaded.run.datasets]
            told = [{**cell, "words": _magnitude(claim, float(cell["advantage"]))} for cell in cells]
            counts = {verdict: sum(cell["verdict"] == verdict for cell in cells) for verdict in SIGNS}
            rows.append({"claim": claim, "title": title, "cells": told, "counts": counts})
        found.append({"model": pair[0], "reference": pair[1], "rows": rows})
    return found


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _magnitude(claim: str, value: float) -> str:
    """How great an advantage is, in a few words."""
    if not np.isfinite(value):
        return "nothing to compare"
    match claim:
        case "epochs":
            return f"{100 * abs(value):.0f} % of the epochs {'saved' if value >= 0 else 'more'}"
        case "low_contrast":
            return f"{abs(value):.1f} px {'nearer' if value >= 0 else 'farther off'}"
        case "perturbations":
            return f"loses {100 * abs(value):.1f} points {'less' if value >= 0 else 'more'}"
        case _:
            return f"worst tenth {100 * abs(value):.1f} points {'better' if value >= 0 else 'worse'}"


def _ablation(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """The note's statements, with what each data set says of them; none if the run hasn't the four networks."""
    rows = []
    for statement, *_, expected in STATEMENTS:
        part = claims[(claims["claim"] == "ablation") & (claims["measure"] == statement)]
        if len(part):
            rows.append({"statement": statement, "expected": expected, "cells": part.to_dict("records")})
    return rows


def _links(name: str, table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """A table to be saved from the page, which carries it: kind, file name, data URL."""
    kinds = {
        "CSV": ("csv", "text/csv", table.to_csv(index=False, lineterminator="\n")),
        "Markdown": ("md", "text/markdown", export.markdown(table)),
        "LaTeX": ("tex", "application/x-tex", export.latex(table)),
    }
    return [
        (kind, f"{name}.{ending}", f"data:{mime};charset=utf-8,{quote(text)}")
        for kind, (ending, mime, text) in kinds.items()
    ]


def _cost(cost: pd.DataFrame) -> list[dict[str, Any]]:
    """What each model costs, counted; and timed, where this machine has trained or scored it."""
    rows = []
    for row in _records(cost):
        name = f"{row['dataset']}-{row['model']}.csv"
        training, inference = (
            pd.read_csv(f / name) if (f / name).exists() else None for f in (TRAINING_SECONDS, INFERENCE_SECONDS)
        )
        rows.append(
            {
                **row,
                "training": None if training is None else float(training["seconds"].sum()),
                "throughput": None
                if inference is None
                else float(inference["images"].iloc[0] / inference["seconds"].iloc[0]),
                "device": "" if inference is None else inference["device"].iloc[0],
            }
        )
    return rows


def _leak(name: str) -> dict[str, float] | None:
    """Mean share of test images with a near-duplicate in training, in these folds and in random ones."""
    path = PREPARED / name / "folds.csv"
    if not path.is_file():
        return None
    table = pd.read_csv(path)
    return {"here": table["leak"].mean(), "at_random": table["leak_of_random_folds"].mean()}


if __name__ == "__main__":
    try:
        print(f"Report: {render()}")
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
