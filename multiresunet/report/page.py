"""reports/index.html: one self-contained page, with the commit, the parameters, the versions and the machine."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from multiresunet import params
from multiresunet.errors import UserError
from multiresunet.evaluation import TRIVIAL
from multiresunet.files import some_of, write_text
from multiresunet.report import dataset as dataset_page

PAGE = Path("reports/index.html")
FIGURES = Path("reports/figures")
FACTS = Path("data/facts")
RAW = Path("data/raw")
PREPARED = Path("data/prepared")
SUMMARY = Path("metrics/summary.csv")
FOLDS = Path("metrics/folds.csv")
SECONDS = Path(".state/seconds")
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


def render() -> Path:
    """Render the page from metrics/, reports/figures/ and data/facts/.

    Raises:
        UserError: if one of them isn't there.
    """
    loaded = params.load()
    for needed in (SUMMARY, FOLDS, FIGURES):
        if not needed.exists():
            raise UserError(f"{needed} is missing; run `dvc repro`")
    environment = Environment(
        loader=PackageLoader("multiresunet.report", "."), autoescape=True, undefined=StrictUndefined
    )
    summary, folds = pd.read_csv(SUMMARY), pd.read_csv(FOLDS)
    text = environment.get_template("page.html.j2").render(
        sections=[_section(name, loaded, summary, folds) for name in loaded.run.datasets],
        overview=_embedded(FIGURES / "overview.png"),
        recipe_name=loaded.run.recipe,
        recipe=loaded.recipe,
        run=loaded.run,
        tune=loaded.tune,
        parameters=Path("params.yaml").read_text(encoding="utf-8"),
        provenance=provenance(),
        seconds=_seconds(loaded),
    )
    write_text(PAGE, text)
    for name in loaded.run.datasets:
        # DVC may have restored a data set without running what writes its page.
        if not (dataset_page.PAGES / f"{name}.html").is_file() and (RAW / name).is_dir():
            dataset_page.render(name, loaded.datasets[name])
    return PAGE


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


def _section(name: str, loaded: params.Params, summary: pd.DataFrame, folds: pd.DataFrame) -> dict[str, Any]:
    dataset = loaded.datasets[name]
    rows = summary[summary["dataset"] == name].to_dict("records")
    learnt = [row for row in rows if row["model"] not in TRIVIAL]
    findings = json.loads((FACTS / name / "validation.json").read_text(encoding="utf-8"))
    return {
        "name": name,
        "modality": dataset.modality,
        "size": "×".join(map(str, dataset.input_size(loaded.recipe))),
        "source": dataset.source.kind,
        "images": rows[0]["images"],
        "rows": rows,
        "trivial": TRIVIAL,
        "best": {
            score: max(row[score] for row in learnt) for score in ("jaccard_paper", "jaccard_honest", "dice_honest")
        },
        "folds": folds[folds["dataset"] == name].pivot_table(
            index="model", columns="fold", values="jaccard_honest", sort=False
        ),
        "passed": sum(finding["success"] and finding["severity"] != "warning" for finding in findings),
        "expectations": sum(finding["severity"] != "warning" for finding in findings),
        "warnings": sum(not finding["success"] and finding["severity"] == "warning" for finding in findings),
        "leak": _leak(name),
        "curves": _embedded(FIGURES / f"{name}-curves.png"),
        "examples": _embedded(FIGURES / f"{name}-examples.png"),
    }


def _leak(name: str) -> dict[str, float] | None:
    """Mean share of test images with a near-duplicate in training, in these folds and in random ones."""
    path = PREPARED / name / "folds.csv"
    if not path.is_file():
        return None
    table = pd.read_csv(path)
    return {"here": table["leak"].mean(), "at_random": table["leak_of_random_folds"].mean()}


def _seconds(loaded: params.Params) -> list[dict[str, Any]]:
    """Training time as measured on this machine; empty where DVC restored the result instead of training."""
    rows = []
    for name in loaded.run.datasets:
        for model in loaded.run.models:
            path = SECONDS / f"{name}-{model}.csv"
            if path.exists():
                table = pd.read_csv(path)
                total = table["seconds"].sum()
                rows.append({"dataset": name, "model": model, "seconds": total, "device": table["device"].iloc[0]})
    return rows


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


if __name__ == "__main__":
    try:
        print(f"Report: {render()}")
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
