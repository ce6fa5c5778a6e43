"""A model card, in the form of Hugging Face's: what to expect of a model, and on which terms it may be used.

Mitchell et al., Model cards for model reporting (2019). Scores are of the last epoch, which no test image chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from multiresunet import config
from multiresunet.evaluation.calibration import expected_calibration_error
from multiresunet.evaluation.table_keys import SUMMARY
from multiresunet.inference.bundle import CARD, text_of
from multiresunet.inference.description import FINAL
from multiresunet.inference.model import Model
from multiresunet.inference.packages.attribution import attribution_of
from multiresunet.inference.packages.graph import left_out
from multiresunet.paths import METRICS, PARAMS
from multiresunet.report.tables import records
from multiresunet.report.verdicts import CLAIMS
from multiresunet.review.artifacts import is_predicted

ROUNDED = 0.5e-4 + 1e-6  # of tables' four decimals, and of model.json's six
BEST = "_best_epoch"
FRONT = "---\n"

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Measured:
    """What the project's tables say of a model: rows of metrics/*.csv.

    confidence: of the intervals. seeds: how many trainings of each fold the scores are means over.
    """

    confidence: float
    seeds: int
    scores: Rows
    claims: Rows
    perturbations: Rows
    outliers: Rows
    calibration: float | None
    optimistic: bool


def card_of(model: Model, packed: Sequence[str] = ()) -> str:
    """The card of a model: front matter in YAML, then Markdown. Of a bundle, the one that it holds.

    Args:
        model: the model.
        packed: the networks in the file that the card is for; else all that the model's folder holds, or those that
            were chosen of them.

    Raises:
        UserError: if LICENSE or CITATION.cff are missing.
    """
    whole = model.names == tuple(model.description.folds or [FINAL])
    packed = packed or (list(model.description.networks) if whole else model.names)
    held = text_of(model.folder, CARD) if set(packed) == set(model.description.networks) else None  # which is of all
    if held is not None:
        return held
    measured, attribution = measured_of(model), attribution_of(model)
    environment = Environment(
        loader=PackageLoader("multiresunet.inference.packages", ""), undefined=StrictUndefined, trim_blocks=True
    )
    description, data = model.described(packed), model.description.data
    body = environment.get_template("card.md.j2").render(
        name=name_of(model),
        description=description,
        data=data,
        measured=measured,
        claims=CLAIMS,
        paper=attribution,
        names=model.names,
        final=FINAL in description.networks,
        spec=model.predictor.spec,
        size="×".join(map(str, data.size)),
        left_out="; ".join(left_out(data)),
    )
    front = yaml.safe_dump(_front(model, measured, attribution.license), sort_keys=False, allow_unicode=True, width=120)
    return f"{FRONT}{front}{FRONT}\n{body.strip()}\n"


def body_of(card: str) -> str:
    """A card without its front matter."""
    return card.split(FRONT, 2)[2].lstrip() if card.startswith(FRONT) else card


def name_of(model: Model) -> str:
    """As dvc.yaml names artifacts."""
    return f"{model.description.data.name}-{model.description.model}"


def measured_of(model: Model) -> Measured | None:
    """What metrics/ says of a model; None if there are no tables, or they are of another training."""
    if not PARAMS.is_file() or not (METRICS / f"{SUMMARY}.csv").is_file():
        return None
    description, loaded = model.description, config.load(PARAMS)
    summary, intervals = _rows(model, SUMMARY), _rows(model, "intervals")
    seeds = int(intervals["seeds"].max()) if len(intervals) and "seeds" in intervals else 1
    if summary.empty or intervals.empty:
        return None
    if not (_has_scores(model, summary) if seeds == 1 else is_predicted(model.folder, description.data.name)):
        return None
    claims, bins = _rows(model, "claims"), _rows(model, "reliability")
    if len(claims):
        claims = claims[claims["decisive"].astype(bool)].astype(object)
    intervals = intervals[~intervals["measure"].str.endswith(BEST)].dropna(subset=["mean", "low", "high"])
    return Measured(
        confidence=loaded.evaluate.statistics.confidence,
        seeds=seeds,
        scores=records(intervals.fillna({"unit": ""})),
        claims=records(claims.where(claims.notna(), "")),
        perturbations=records(_rows(model, "perturbations")),
        outliers=records(_rows(model, "outliers")),
        calibration=expected_calibration_error(bins) if len(bins) else None,
        optimistic=bool((summary["study"] == "shared").any()) if "study" in summary else False,
    )


def _has_scores(model: Model, summary: pd.DataFrame) -> bool:
    """Whether the scores of a table that is of one training are the model's own."""
    row, own = summary.iloc[0], model.description
    return bool(abs(row["jaccard"] - own.jaccard) <= ROUNDED and abs(row["jaccard_sd"] - own.jaccard_sd) <= ROUNDED)


def _rows(model: Model, table: str) -> pd.DataFrame:
    path = METRICS / f"{table}.csv"
    if not path.is_file():
        return pd.DataFrame()
    rows = pd.read_csv(path)
    return rows[(rows["dataset"] == model.description.data.name) & (rows["model"] == model.description.model)]


def _front(model: Model, measured: Measured | None, license: str) -> dict[str, Any]:
    data = model.description.data
    front: dict[str, Any] = {
        "license": license.lower(),
        "library_name": "multiresunet",
        "pipeline_tag": "image-segmentation",
        "tags": ["image-segmentation", "biomedical", "multiresunet", data.modality],
    }
    metrics = [{"type": "jaccard", "name": "jaccard, last epoch", "value": model.description.jaccard}]
    if measured:
        level = f"{measured.confidence:.0%} interval"
        metrics = [
            {
                "type": row["measure"],
                "name": f"{row['measure']}, last epoch, {level} {row['low']:.4f} to {row['high']:.4f}",
                "value": float(row["mean"]),
                "args": {"low": float(row["low"]), "high": float(row["high"]), "confidence": measured.confidence},
            }
            for row in measured.scores
        ]
    title = data.card["title"] if data.card else f"{data.name} ({data.modality})"
    result = {
        "task": {"type": "image-segmentation"},
        "dataset": {"type": data.name, "name": title, "split": "cross-validation"},
        "metrics": metrics,
    }
    return front | {"model-index": [{"name": name_of(model), "results": [result]}]}
