"""What was predicted with several seeds is read together, and averaged over them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from multiresunet.evaluation import predictions
from multiresunet.evaluation.predicted import Predicted, over_seeds

MODELS, SEEDS = ["wasp", "ant"], [3, 1]


def images(model: str, seed: int) -> pd.DataFrame:
    """Scores of two images: 0.1 better for the ant, a hundredth better for each seed."""
    score = 0.5 + 0.1 * (model == "ant") + 0.01 * seed
    about = {"model": model, "fold": [0, 1], "sample": ["007", "b"], "group": ["", "g"], "class": "foreground"}
    return pd.DataFrame(
        about | {"jaccard": [score, 2 * score / 3], "hd95": [math.nan if seed == 3 else 4.0, 2.0], "fragments": seed}
    )


@pytest.fixture
def found(tmp_path: Path) -> Predicted:
    """Two models with two seeds."""
    for model in MODELS:
        for seed in SEEDS:
            folder = tmp_path / model / str(seed)
            folder.mkdir(parents=True)
            images(model, seed).to_csv(folder / "images.csv", index=False)
            bins = {"bin": [0, 1], "pixels": [seed, 0], "probability": [seed / 10, 0.0], "foreground": [0.5, 0.0]}
            pd.DataFrame(bins | {"model": model}).to_csv(folder / "reliability.csv", index=False)
            (folder / "cost.json").write_text('{"network": "unet", "parameters": 12}', encoding="utf-8")
            predictions.save(folder / "predictions.npz", np.full((2, 4, 4), seed == 3))
    return Predicted(tmp_path, MODELS, SEEDS)


def test_every_model_and_seed_is_read_in_the_runs_order(found: Predicted) -> None:
    table = found.table("images")
    assert list(zip(table["model"], table["seed"], strict=True))[::2] == [(m, s) for m in MODELS for s in SEEDS]
    assert set(table["sample"]) == {"007", "b"}
    assert set(table["group"]) == {"", "g"}


def test_scores_are_means_over_seeds(found: Predicted) -> None:
    table = found.mean("images")
    assert list(table.columns) == list(images("ant", 1).columns)
    assert list(table["model"]) == ["wasp", "wasp", "ant", "ant"]
    assert list(table["sample"]) == ["007", "b"] * 2
    assert table["jaccard"].tolist() == pytest.approx([0.52, 1.04 / 3, 0.62, 1.24 / 3])
    assert table["hd95"].tolist() == [4.0, 2.0] * 2  # of the seed that knows it
    assert table["fragments"].tolist() == [2.0] * 4  # a count, but each seed has another
    assert table["fold"].dtype == int


def test_with_one_seed_tables_are_as_they_were_written(found: Predicted) -> None:
    one = Predicted(found.folder, MODELS, [1])
    written = pd.concat([images(model, 1) for model in MODELS], ignore_index=True)
    pd.testing.assert_frame_equal(one.mean("images"), written)


def test_seeds_that_are_about_other_images_are_refused(found: Predicted) -> None:
    table = found.table("images")
    for column, other in (("sample", "another"), ("fold", 7)):
        with pytest.raises(ValueError, match=f"don't agree in {column}"):
            over_seeds(table.assign(**{column: table[column].where(table.index > 0, other)}))


def test_bins_hold_the_pixels_of_all_seeds(found: Predicted) -> None:
    table = found.reliability()
    assert list(table["model"]) == ["wasp", "wasp", "ant", "ant"]
    assert table["pixels"].tolist() == [4, 0] * 2
    assert table["probability"].tolist() == pytest.approx([(3 * 0.3 + 1 * 0.1) / 4, 0] * 2)


def test_costs_and_masks(found: Predicted) -> None:
    assert found.costs()["parameters"].tolist() == [12, 12]
    assert all(mask.all() for mask in found.masks(3)["ant"])
    assert not any(mask.any() for mask in found.masks(1)["ant"])
