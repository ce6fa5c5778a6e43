"""Where everything lies, once: folders and files of the project, from its root."""

from __future__ import annotations

from pathlib import Path

PARAMS = Path("params.yaml")
LOCK = Path("dvc.lock")
NUMERICS_LOCK = Path("numerics.lock")
SUITES = Path("expectations")

RAW = Path("data/raw")
VALIDATED = Path("data/validated")
PREPARED = Path("data/prepared")
TUNED = Path("data/tuned")
TRAINED = Path("data/trained")  # <dataset>/<model>/<seed>
PREDICTED = Path("data/predicted")  # likewise: a model by itself, trained with one seed
EVALUATED = Path("data/evaluated")  # the models of a data set, beside each other
INCOMING = Path("data/incoming")  # users' own folders, unless MULTIRESUNET_DATA names another place

METRICS = Path("metrics")
SUMMARY = METRICS / "summary.csv"

REPORTS = Path("reports")
PAGE = REPORTS / "index.html"
FIGURES = REPORTS / "figures"
TABLES = REPORTS / "tables"
DATASET_PAGES = REPORTS / "data"

STATE = Path(".state")  # what may speed a run up, never what it depends on
TRAINING_SECONDS = STATE / "seconds"
INFERENCE_SECONDS = STATE / "inference"


def trained(dataset: str, model: str, seed: int) -> Path:
    """Where a model's networks lie that were trained with a seed of `run.seeds`."""
    return TRAINED / dataset / model / str(seed)


def predicted(dataset: str, model: str, seed: int) -> Path:
    """Where that model's predictions lie, and what was measured on them."""
    return PREDICTED / dataset / model / str(seed)
