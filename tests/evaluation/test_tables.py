"""Scores per image, fold and data set; baselines; examples."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import baselines, examples, metrics, predictions, tables
from multiresunet.evaluation.masks import MaskPair
from multiresunet.registries import METRICS

TOLERANCES = (1, 2)


def test_perfect_and_empty_predictions(disc_images: PreparedDataset) -> None:
    truth = disc_images.masks.astype(bool)
    table = tables.per_image(disc_images, "m", truth, np.zeros_like(truth), TOLERANCES)
    assert (table[["jaccard_best_epoch", "dice_best_epoch"]] == 1).all(axis=None)
    assert (table[["jaccard", "dice"]] == 0).all(axis=None)
    assert list(table["sample"]) == list(disc_images.table["sample"])


@pytest.mark.parametrize("dims", [2, 3])
def test_overlap_by_hand(dims: int) -> None:
    truth, prediction = np.zeros((2, *[4] * dims), dtype=bool)
    truth.flat[:6], prediction.flat[4:8] = True, True

    def scores(one: np.ndarray, other: np.ndarray) -> list[float]:
        return [METRICS[name](MaskPair(one, other)) for name in ("jaccard", "dice", "precision", "recall")]

    assert scores(prediction, truth) == [2 / 8, 4 / 10, 2 / 4, 2 / 6]
    empty = np.zeros_like(truth)
    assert scores(empty, empty) == [1, 1, 1, 1]
    assert scores(empty, truth) == scores(truth, empty) == [0, 0, 0, 0]


def test_each_class_is_scored_by_itself(disc_images: PreparedDataset) -> None:
    masks = disc_images.masks.copy()
    masks[:, 16:] *= 2
    data = replace(disc_images, masks=masks, classes=("upper", "lower"))
    only_upper = np.where(masks == 1, 1, 0).astype(np.uint8)
    table = tables.per_class(data, "m", masks, only_upper).set_index("class")
    assert list(dict.fromkeys(table.index)) == ["upper", "lower"]
    assert len(table) == 2 * len(data.table)
    assert (table[["jaccard_best_epoch", "dice_best_epoch"]] == 1).all(axis=None)
    assert (table.loc["upper", ["jaccard", "dice"]] == 1).all(axis=None)
    assert (table.loc["lower", ["jaccard", "dice"]] == 0).all(axis=None)
    swapped = np.choose(masks, [0, 2, 1]).astype(np.uint8)
    assert tables.per_class(data, "m", swapped, swapped)["jaccard"].max() == 0


def test_a_prediction_moved_by_a_pixel(disc_images: PreparedDataset) -> None:
    truth = disc_images.masks.astype(bool)
    moved = np.roll(truth, 1, axis=1)
    table = tables.per_image(disc_images, "m", moved, moved, TOLERANCES)
    assert set(metrics.names(TOLERANCES)) <= set(table)
    assert (table[["boundary_f1_1", "nsd_1"]] == 1).all(axis=None)
    assert (table[["false_negatives", "false_positives", "fragments", "holes"]] == 0).all(axis=None)
    assert (table["hd95"] == 1).all()
    assert table["asd"].between(0, 1, inclusive="neither").all()
    assert set(table["class"]) == {tables.FOREGROUND}


def test_predictions_are_kept_bit_by_bit(disc_volumes: PreparedDataset, tmp_path: Path) -> None:
    masks = disc_volumes.masks[:, :7].astype(bool)  # no multiple of eight
    for name in ("a", "b"):
        predictions.save(tmp_path / f"{name}.npz", masks)
    np.testing.assert_array_equal(np.stack(predictions.load(tmp_path / "a.npz")), masks)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:  # packed, the bytes would be those of this Python's zlib
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_means_are_over_images_then_folds() -> None:
    images = pd.DataFrame(
        {"model": "m", "fold": [1, 0, 0, 0], "sample": list("dabc")}
        | {score: [0.8, 0.2, 0.4, 0.6] for score in tables.SCORES}
    )
    folds = tables.per_fold(images)
    assert list(folds["fold"]) == [0, 1]
    assert list(folds["jaccard"]) == pytest.approx([0.4, 0.8])
    assert list(folds["images"]) == [3, 1]
    row = tables.summary(folds).iloc[0]
    assert row["jaccard"] == pytest.approx(0.6)
    assert row["jaccard_sd"] == pytest.approx(0.4 / 2**0.5)
    assert (row["folds"], row["images"]) == (2, 4)


def test_seeds_are_averaged_and_their_images_counted_once() -> None:
    about = {"model": "m", "seed": [1, 1, 2, 2], "fold": [0, 1, 0, 1], "sample": list("abab")}
    images = pd.DataFrame(about | {score: [0.2, 0.6, 0.4, 0.8] for score in tables.SCORES})
    folds = tables.per_fold(images)
    assert list(folds["jaccard"]) == pytest.approx([0.3, 0.7])
    assert list(folds["images"]) == [1, 1]


def test_models_keep_their_order_and_folds_are_sorted() -> None:
    about = {"model": ["z", "a", "z", "a"], "fold": [1, 1, 0, 0], "sample": list("bbaa")}
    images = pd.DataFrame(about | dict.fromkeys(tables.SCORES, 0.5))
    folds = tables.per_fold(images)
    assert list(zip(folds["model"], folds["fold"], strict=True)) == [("z", 0), ("z", 1), ("a", 0), ("a", 1)]


def test_everything_foreground_scores_the_foreground_share(disc_images: PreparedDataset) -> None:
    everything = baselines.everything(disc_images)
    table = tables.per_image(disc_images, "b", everything, everything, TOLERANCES)
    shares = disc_images.masks.mean(axis=(1, 2))
    np.testing.assert_allclose(table["jaccard"], shares)


@pytest.mark.parametrize("bright", [True, False])
def test_otsu_finds_which_side_is_foreground(disc_images: PreparedDataset, bright: bool) -> None:
    data = disc_images if bright else replace(disc_images, images=255 - disc_images.images)
    predicted = baselines.otsu(data)
    assert tables.per_image(data, "b", predicted, predicted, TOLERANCES)["jaccard"].mean() > 0.85


def test_otsu_learns_the_side_from_training_images_alone(disc_images: PreparedDataset) -> None:
    _, test = disc_images.split(0)
    masks = disc_images.masks.copy()
    masks[test] = 1 - masks[test]
    inverted = replace(disc_images, masks=masks)
    for index in test:
        np.testing.assert_array_equal(baselines.otsu(inverted)[index], baselines.otsu(disc_images)[index])


def test_otsu_of_a_constant_image_is_empty_or_full(disc_images: PreparedDataset) -> None:
    images = disc_images.images.copy()
    images[0] = 7
    assert baselines.otsu(replace(disc_images, images=images))[0].mean() in (0, 1)


@pytest.mark.parametrize("kind", ["disc_images", "disc_volumes"])
def test_examples_are_worst_middle_and_best(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    data: PreparedDataset = request.getfixturevalue(kind)
    truth = data.masks.astype(bool)
    prediction = truth.copy()
    order = np.random.default_rng(0).permutation(len(truth))
    for rank, index in enumerate(order):  # the first in order loses most
        foreground = np.flatnonzero(prediction[index])
        prediction[index].flat[foreground[: (len(order) - rank - 1) * len(foreground) // len(order)]] = False
    images = tables.per_image(data, "m", prediction, prediction, TOLERANCES)
    for name in ("a", "b"):
        examples.save(tmp_path / f"{name}.npz", data, {"m": prediction}, images)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as saved:
        names = data.table["sample"]
        assert saved["samples"][0] == names[order[0]]
        assert saved["samples"][2] == names[order[-1]]
        assert saved["jaccard"][2, 0] == 1
        assert saved["image"].ndim == 4
        assert saved["truth"].any(axis=(1, 2)).all()
        np.testing.assert_array_equal(saved["predictions"][2, 0], saved["truth"][2])


def test_each_class_has_its_mean_over_folds_in_the_order_of_models_and_classes() -> None:
    rows = [
        {"model": model, "fold": fold, "sample": f"s{fold}", "class": name} | dict.fromkeys(tables.SCORES, value + fold)
        for model, value in (("b", 0.1), ("a", 0.2))
        for fold in (0, 1)
        for name in ("upper", "lower")
    ]
    table = tables.by_class(pd.DataFrame(rows))
    assert list(zip(table["model"], table["class"], strict=True)) == [
        ("b", "upper"), ("b", "lower"), ("a", "upper"), ("a", "lower")
    ]  # fmt: skip
    assert table["dice_best_epoch"].tolist() == pytest.approx([0.6, 0.6, 0.7, 0.7])
    assert table["jaccard_sd"].tolist() == pytest.approx([0.5**0.5] * 4)
    empty = tables.by_class(pd.DataFrame(columns=["model", "class"]))
    assert list(empty.columns) == list(table.columns)
    assert not len(empty)
