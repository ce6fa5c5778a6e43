"""A model card: what other programs read of it, and what people do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from multiresunet.inference.packages.card import body_of, card_of
from multiresunet.review.artifacts import _digest
from tests.inference.packages.making import model_of
from tests.inference.packages.test_bioimageio import CARD

SCORES = ["jaccard", "dice", "hd95"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """A project with tables of the model; `trained` says that its Jaccard index is 0.8."""
    for name in ("params.yaml", "LICENSE", "CITATION.cff"):
        shutil.copy(repository / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics").mkdir()
    tables(0.8)
    return tmp_path


def tables(jaccard: float, seeds: int = 1, sd: float = 0.0) -> None:
    names = {"dataset": "discs", "model": "multiresunet"}
    rows: dict[str, list[dict[str, Any]]] = {
        "summary": [{"jaccard": jaccard, "jaccard_sd": sd, "jaccard_best_epoch": 0.9, "study": None}],
        "intervals": [
            {"measure": measure, "mean": 0.81, "sd": 0.05, "low": 0.7, "high": 0.9, "images": 12, "folds": 2}
            | {"seeds": seeds, "unit": "pixels" if score == "hd95" else None}
            for score in SCORES
            for measure in (score, f"{score}_best_epoch")
        ],
        "claims": [
            {"claim": "perturbations", "measure": "share retained", "decisive": decisive, "reference": "unet"}
            | {"verdict": "inconclusive", "reason": "3 folds" if decisive else None}
            for decisive in (True, False)
        ],
        "perturbations": [
            {"kind": "blur", "severity": 3, "images": 12, "clean": 0.8, "jaccard": 0.6, "retained": 0.75}
        ],
        "outliers": [{"images": 12, "mean": 0.8, "tail": 0.4, "far": 0.5, "failures": 1.0}],
        "reliability": [{"bin": 0, "pixels": 10, "probability": 0.5, "foreground": 0.25}],
    }
    for name, found in rows.items():
        pd.DataFrame([{**names, **row} for row in found]).to_csv(f"metrics/{name}.csv", index=False)


def parts(card: str) -> tuple[dict[str, Any], str]:
    assert card.startswith("---\n")
    front, body = card.removeprefix("---\n").split("---\n", 1)
    return yaml.safe_load(front), body


def test_the_front_matter_has_last_epoch_scores_and_their_intervals(project: Path) -> None:
    front, body = parts(card_of(model_of(project / "model", card=CARD)))
    (entry,) = front["model-index"]
    assert (front["license"], front["pipeline_tag"], entry["name"]) == (
        "mit",
        "image-segmentation",
        "discs-multiresunet",
    )
    (result,) = entry["results"]
    assert result["task"] == {"type": "image-segmentation"}
    assert result["dataset"]["name"] == "Discs"
    assert [metric["type"] for metric in result["metrics"]] == SCORES  # none of the best epoch
    assert all(
        (one["value"], one["args"]) == (0.81, {"low": 0.7, "high": 0.9, "confidence": 0.95})
        for one in result["metrics"]
    )
    assert "best_epoch" not in body


def test_the_text_says_what_a_user_must_know(project: Path) -> None:
    model = model_of(project / "model", card=CARD)
    body = body_of(card_of(model))
    for said in (
        "# discs-multiresunet\n",
        "| jaccard | 0.8100 | 0.7000 to 0.9000 |",
        "| hd95 (pixels) | 0.8100 | 0.7000 to 0.9000 |",
        "| More robust to perturbations: share retained | unet | inconclusive | 3 folds |",
        "| blur | 3 | 12 | 0.8000 | 0.6000 | 75 % |",
        "Of 12 test images, 1 have",
        "probabilities: 0.2500",
        "- Terms: **research only**",
        "A. Author. Discs (2026).",
        "https://doi.org/10.1016/j.neunet.2019.08.025",
        model.weights["0"],
        "no medical device",
    ):
        assert said in body, said
    assert body.count("inconclusive") == 1  # the decisive finding


def test_tables_of_another_training_are_left_out(project: Path) -> None:
    model = model_of(project / "model")
    for jaccard, sd in ((0.7999, 0.0), (0.8, 0.001)):  # as near as another arithmetic may come
        tables(jaccard, sd=sd)
        assert "of another training" in card_of(model)
    tables(0.7)
    front, body = parts(card_of(model))
    (metric,) = front["model-index"][0]["results"][0]["metrics"]
    assert metric == {"type": "jaccard", "name": "jaccard, last epoch", "value": 0.8}
    assert "of another training" in body and "| jaccard" not in body
    assert "which has no data card: ask its owner for the terms" in body
    tables(0.80004)  # rounded
    assert "| jaccard" in card_of(model)
    shutil.rmtree(project / "metrics")
    assert "of another training" in card_of(model)


def test_a_mean_over_trainings_is_of_those_that_the_project_has_predicted_with(project: Path) -> None:
    model, other = model_of(project / "model"), model_of(project / "other", folds=2)
    tables(0.8, seeds=3)
    assert "of another training" in card_of(model)  # however near: there is no dvc.lock
    place = "data/trained/discs/multiresunet/1"
    dep = {"path": place, "md5": _digest(model.folder)}
    out = {"path": "data/predicted/discs/multiresunet/1", "md5": "x"}
    trained = {"outs": [{"path": place, "md5": _digest(other.folder)}]}  # since the predictions
    Path("dvc.lock").write_text(
        yaml.safe_dump({"stages": {"train": trained, "predict": {"deps": [dep], "outs": [out]}}})
    )
    assert "means over 3 trainings of each fold" in card_of(model)
    assert "of another training" in card_of(other)


def test_every_artifact_names_its_card(repository: Path) -> None:
    artifacts = yaml.safe_load((repository / "dvc.yaml").read_text())["artifacts"]
    for name, artifact in artifacts.items():
        assert artifact["meta"] == {"card": f"multiresunet card {artifact['path']}"}, name
