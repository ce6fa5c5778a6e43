"""Patches of images that keep their sizes: drawn by seed, with foreground, and learnt from where resizing fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from multiresunet import config
from multiresunet.data.dataset import IGNORED, PreparedDataset, Ragged
from multiresunet.data.preprocessing import prepare
from multiresunet.data.sources.folder import scan
from multiresunet.evaluation import baselines, examples, gallery, predictions, tables
from multiresunet.inference.samples import cross_validated
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training.devices import SingleDevice
from multiresunet.training.fit import fit
from multiresunet.training.job import TrainJob
from multiresunet.training.patches import BALANCE, PatchSampler, pool
from tests.data.making import Array, declared, save

WINDOW = (32, 32)


def vessel(shape: tuple[int, int], seed: int) -> tuple[Array, Array]:
    """A bright line, two pixels wide, on a noisy ground, and where it is."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, np.uint8)
    rows = np.clip(shape[0] / 2 + 8 * np.sin(np.arange(shape[1]) / 9 + rng.uniform(0, 6)), 0, shape[0] - 2).astype(int)
    mask[rows, np.arange(shape[1])] = mask[rows + 1, np.arange(shape[1])] = 1
    return (rng.normal(60, 6, shape) + 120 * mask).clip(0, 255).astype(np.uint8), mask


SHAPES = [(60, 90), (48, 130), (71, 66), (96, 64), (50, 50), (20, 40)]


@pytest.fixture(scope="module")
def vessels(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """Six images of several sizes, one of them smaller than the window."""
    place = tmp_path_factory.mktemp("vessels")
    for index, shape in enumerate(SHAPES):
        image, mask = vessel(shape, index)
        save(place / "in" / "images" / f"v{index}.png", image[None])
        save(place / "in" / "masks" / f"v{index}.png", mask * 255)
    (place / "out").mkdir()
    entry = declared(fit="patches", size=list(WINDOW))
    prepare(place / "in", scan(place / "in"), [0, 1, 0, 1, 0, 1], entry, WINDOW, place / "out")
    return PreparedDataset.open(place / "out")


def job_of(data: PreparedDataset, **changes: Any) -> TrainJob:
    recipe = config.load(Path(__file__).parents[2] / "params.yaml").recipes["quick"]
    train, test = data.split(0)
    optimiser = recipe.optimiser.model_copy(update={"learning_rate": 0.02})
    job = TrainJob(
        spec=NetworkSpec("unet_bn", 2, data.channels, filters=4),
        data=data,
        train=train,
        test=test,
        recipe=recipe.model_copy(update={"batch": 4, "optimiser": optimiser}),
        epochs=2,
        threshold=0.5,
        seed=1,
        names=("vessels", "unet_bn", 0),
        devices=SingleDevice(torch.device("cpu")),
    )
    return replace(job, **changes)


def test_images_keep_their_pixels_and_sizes(vessels: PreparedDataset) -> None:
    assert vessels.window == vessels.size == WINDOW
    for index, shape in enumerate(SHAPES):
        image, mask = vessel(shape, index)
        np.testing.assert_array_equal(vessels.images[index][0], image)
        np.testing.assert_array_equal(vessels.truth(index), mask == 1)
    assert vessels.table["prepared_size"].tolist() == vessels.table["original_size"].tolist()
    assert (vessels.table["foreground_kept"] == 1).all()
    assert (vessels.dims, vessels.channels, vessels.pads) == (2, 1, True)


def test_ragged_arrays_are_had_one_by_one() -> None:
    arrays = [np.arange(6).reshape(2, 3), np.arange(4).reshape(4, 1)]
    ragged = Ragged.of(arrays)
    for one, other in zip(ragged, arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(ragged) == 2
    with pytest.raises(IndexError):
        ragged[2]


def test_an_epoch_has_patches_in_proportion_to_the_images(vessels: PreparedDataset) -> None:
    counts = np.bincount(pool(vessels, np.arange(6)))
    assert counts.tolist() == [max(1, round(h * w / 1024)) for h, w in SHAPES]


def test_the_same_seed_draws_the_same_patches_and_another_others(vessels: PreparedDataset) -> None:
    indices, places = np.array([0, 1, 2, 3]), np.arange(4)
    first = PatchSampler(vessels, 1).draw(indices, (1, 0), places)
    again = PatchSampler(vessels, 1).draw(indices, (1, 0), places)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    part = PatchSampler(vessels, 1).draw(indices[1::2], (1, 0), places[1::2])  # as a second device has it
    np.testing.assert_array_equal(part[0], first[0][1::2])
    for other in (
        PatchSampler(vessels, 2).draw(indices, (1, 0), places),
        PatchSampler(vessels, 1).draw(indices, (1, 1), places),
    ):
        assert not np.array_equal(first[0], other[0])


def test_image_and_labels_are_cut_alike(vessels: PreparedDataset) -> None:
    images, labels = PatchSampler(vessels, 3).draw(np.arange(5), (1, 0), np.arange(5))
    assert images.shape == labels.shape == (5, 1, *WINDOW)
    assert images.dtype == labels.dtype == np.float32
    np.testing.assert_array_equal(images > 0.45, labels == 1)


def test_what_lies_beyond_a_small_image_is_ignored(vessels: PreparedDataset) -> None:
    images, labels = PatchSampler(vessels, 3).draw(np.array([5]), (1, 0), np.array([0]))
    assert (labels[0, 0, 20:] == IGNORED).all()
    assert (labels[0, 0, :20] != IGNORED).all()
    assert np.isfinite(images).all()


def test_rare_foreground_is_in_half_of_the_patches_and_all_places_are_seen() -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[20:22, 20:22] = 1
    mask[180:182, 180:182] = 2
    table = pd.DataFrame({"sample": ["a"], "group": "", "fold": 0})
    data = PreparedDataset(Ragged.of([mask[None]]), Ragged.of([mask]), table, ("one", "two"), WINDOW)
    sampler, count = PatchSampler(data, 1), 300
    corners = np.array([sampler.corner(0, np.random.default_rng(i)) for i in range(count)])
    hit = [[label in mask[r : r + 32, c : c + 32] for label in (1, 2)] for r, c in corners]
    ones, twos = np.mean(hit, axis=0)
    assert BALANCE / 2 - 0.08 < ones < BALANCE / 2 + 0.15
    assert abs(ones - twos) < 0.12
    assert corners.min() == 0
    assert corners.max() == 168
    assert np.unique(corners[:, 0]).size > 80


@pytest.fixture(scope="module")
def trained(vessels: PreparedDataset) -> Any:
    return fit(job_of(vessels, epochs=8))


def test_thin_structures_are_learnt_at_their_own_resolution(vessels: PreparedDataset, trained: Any) -> None:
    assert trained.history[-1].test_jaccard > 0.6
    assert np.isfinite([line.test_loss for line in trained.history]).all()


def test_the_same_weights_again(vessels: PreparedDataset, trained: Any) -> None:
    again = fit(job_of(vessels, epochs=8))
    for name, tensor in trained.last.items():
        torch.testing.assert_close(again.last[name], tensor, rtol=0, atol=0)


def test_predictions_have_the_images_sizes_and_go_through_tables_and_pictures(
    vessels: PreparedDataset, trained: Any, tmp_path: Path
) -> None:
    job = job_of(vessels)
    network = build_network(job.spec)
    network.load_state_dict(trained.last)
    found = cross_validated(lambda fold: network, vessels, 4, torch.device("cpu"))
    assert [one.shape for one in found] == SHAPES
    masks = [one >= 0.5 for one in found]
    predictions.save(tmp_path / "p.npz", masks)
    for one, other in zip(predictions.load(tmp_path / "p.npz"), masks, strict=True):
        np.testing.assert_array_equal(one, other)
    table = tables.per_image(vessels, "m", masks, masks, [1])
    assert table["jaccard"].mean() > 0.6
    assert set(table["unit"]) == {"pixels"}
    assert [each.shape for each in baselines.predict_all(vessels)["Otsu threshold"]] == SHAPES
    examples.save(tmp_path / "e.npz", vessels, {"m": masks}, table)
    with np.load(tmp_path / "e.npz") as arrays:
        assert arrays["truth"].shape[0] == 3
    made = gallery.build(vessels, {"m": masks}, table, np.zeros(len(SHAPES)))
    assert len(made["items"]) == len(SHAPES)
