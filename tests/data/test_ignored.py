"""What nobody knows counts nowhere: from the file's value to arrays, losses, scores, baselines and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from multiresunet.config import MaskRule
from multiresunet.data.dataset import IGNORED, PreparedDataset, hatched
from multiresunet.data.loading import encode_labels, foreground, ignored
from multiresunet.data.preprocessing import prepare
from multiresunet.data.profile import profile
from multiresunet.data.resizing import Kept, emptied, kept, resized_labels
from multiresunet.data.sources.folder import scan
from multiresunet.evaluation import baselines, tables
from multiresunet.evaluation.claims.outliers import features
from multiresunet.evaluation.examples import view
from multiresunet.evaluation.masks import MaskPair, boundary, pair_of
from multiresunet.evaluation.metrics import columns
from multiresunet.evaluation.perturbations import perturb
from multiresunet.report.dataset_page import picture
from multiresunet.training.losses import loss_by_name
from multiresunet.training.overlap import overlaps
from tests.data.making import Array, declared, disc, save

VOID = {"values": [0, 1, 2], "foreground": [1, 2], "ignore": 255}
CLASSES = {**VOID, "classes": {"left": [1], "right": [2]}}
TOLERANCES = [1, 2]


def rimmed(side: int = 48, label: int = 1) -> Array:
    """A disc of `label` within a rim that is void, as VOC draws it."""
    mask = np.zeros((side, side), np.uint8)
    mask[disc((side, side), radius=16)] = 255
    mask[disc((side, side), radius=13)] = label
    return mask


def data_of(masks: list[Array]) -> PreparedDataset:
    rng = np.random.default_rng(0)
    images = np.stack([np.where(mask == 1, 200, 40) + rng.integers(0, 9, mask.shape) for mask in masks])[:, None]
    table = pd.DataFrame(
        {
            "sample": [f"s{i}" for i in range(len(masks))],
            "group": "",
            "fold": np.arange(len(masks)) % 2,
            "ignored": [np.count_nonzero(mask == IGNORED) for mask in masks],
        }
    )
    return PreparedDataset(images.astype(np.uint8), np.stack(masks), table)


@pytest.mark.parametrize(
    ("mask", "rule", "labels"),
    [
        ([0, 1, 2, 255], VOID, [0, 1, 1, IGNORED]),
        ([0, 1, 2, 255], CLASSES, [0, 1, 2, IGNORED]),
        ([-1, 0, 1], {"values": [0, 1], "foreground": [1], "ignore": -1}, [IGNORED, 0, 1]),
        ([0, 128, 255], {"above": 127, "ignore": 255}, [0, 1, IGNORED]),
        ([0, 255], {"values": [0, 255], "foreground": [255]}, [0, 1]),
    ],
)
def test_labels_carry_what_is_ignored(mask: list[int], rule: dict[str, Any], labels: list[int]) -> None:
    found = MaskRule.model_validate(rule)
    array = np.array(mask)
    assert encode_labels(array, found).tolist() == labels
    assert (foreground(array, found) & ignored(array, found)).sum() == 0


def test_a_value_cannot_be_foreground_and_ignored() -> None:
    with pytest.raises(ValueError, match="ignore 2 is listed in foreground too; keep one"):
        MaskRule.model_validate({**VOID, "ignore": 2})


def test_facts_are_of_the_known_pixels(tmp_path: Path) -> None:
    mask = rimmed()
    save(tmp_path / "images" / "a.png", np.random.default_rng(0).integers(0, 255, (1, 48, 48)).astype(np.uint8))
    save(tmp_path / "masks" / "a.png", mask)
    facts = profile(tmp_path, scan(tmp_path), declared(mask=VOID)).iloc[0]
    assert facts["undeclared_mask_values"] == ""
    assert facts["foreground_share"] == pytest.approx((mask == 1).sum() / (mask != 255).sum())


@pytest.mark.parametrize("rule", [VOID, CLASSES])
def test_arrays_carry_it_through_resizing(tmp_path: Path, rule: dict[str, Any]) -> None:
    for name in "ab":
        save(tmp_path / "in" / "images" / f"{name}.png", np.full((1, 48, 48), 9, np.uint8))
        save(tmp_path / "in" / "masks" / f"{name}.png", rimmed())
    (tmp_path / "out").mkdir()
    prepare(
        tmp_path / "in", scan(tmp_path / "in"), [0, 1], declared(mask=rule, size=[32, 32]), (32, 32), tmp_path / "out"
    )
    data = PreparedDataset.open(tmp_path / "out")
    assert set(np.unique(data.masks)) == {0, 1, IGNORED}
    assert data.ignores
    assert data.table["ignored"].tolist() == [int((np.asarray(mask) == IGNORED).sum()) for mask in data.masks]
    for of, radius in ((data.truth(0), 13), (data.truth(0) | data.ignored(0), 16)):
        assert of.mean() == pytest.approx(disc((48, 48), radius=radius).mean(), rel=0.08)


def test_resizing_measures_what_is_known() -> None:
    before = rimmed(64)
    after = resized_labels(np.where(before == 255, IGNORED, before).astype(np.uint8), (32, 32))
    assert kept(before, after).foreground > 0.9
    only_void = np.where(before == 1, IGNORED, before).astype(np.uint8)
    assert kept(only_void, resized_labels(only_void, (32, 32))) == Kept(1.0, 1.0)
    assert not emptied(only_void, resized_labels(only_void, (32, 32)))


# Losses


@pytest.mark.parametrize("name", ["bce", "dice", "dice_bce"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_loss_is_that_of_the_known_pixels(name: str, outputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, outputs, 6, 4, generator=generator, requires_grad=True)
    labels = torch.randint(0, max(2, outputs), (2, 1, 6, 4), generator=generator).float()
    loss = loss_by_name(name, outputs, ignores=True)
    plain = loss_by_name(name, outputs)
    torch.testing.assert_close(loss(logits, labels), plain(logits, labels))
    hidden = labels.clone()
    hidden[:, :, 4:] = IGNORED
    torch.testing.assert_close(loss(logits, hidden), plain(logits[:, :, :4], labels[:, :, :4]))
    loss(logits, hidden).backward()
    assert logits.grad is not None
    assert (logits.grad[:, :, 4:] == 0).all()
    assert (logits.grad[:, :, :4] != 0).any()


def test_an_image_of_which_nothing_is_known_has_no_loss() -> None:
    logits = torch.ones(2, 1, 4, 4, requires_grad=True)
    loss = loss_by_name("dice_bce", 1, ignores=True)(logits, torch.full((2, 1, 4, 4), float(IGNORED)))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_overlaps_in_training_leave_it_out() -> None:
    labels = torch.tensor([[0, 1, 1, IGNORED, IGNORED]])
    predicted = torch.tensor([[False, True, False, True, True]])
    jaccard, dice = overlaps(predicted, labels)
    assert (jaccard.item(), dice.item()) == pytest.approx((1 / 2, 2 / 3))


# Scores


def test_no_metric_depends_on_the_prediction_where_nobody_knows() -> None:
    mask = np.where(rimmed() == 255, IGNORED, rimmed()).astype(np.uint8)
    data = data_of([mask, mask])
    predicted = disc((48, 48), (22, 24), 12)
    other = np.where(mask == IGNORED, ~predicted, predicted)
    for column in columns(TOLERANCES):
        one, two = (column(pair_of(data, 0, each)) for each in (predicted, other))
        np.testing.assert_equal(one, two, err_msg=column.name)
    perfect = pair_of(data, 0, (mask == 1) | (mask == IGNORED))
    assert {c.name: c(perfect) for c in columns(TOLERANCES) if c.headline} == {"jaccard": 1, "dice": 1}


def test_the_rim_of_what_is_ignored_is_no_boundary() -> None:
    mask = rimmed()
    assert not boundary(mask == 1, mask == 255).any()
    assert boundary(mask == 1).any()
    pair = MaskPair(mask == 1, mask == 1, ignored=mask == 255)
    assert pair.from_truth.size == 0


def test_baselines_and_tables_leave_it_out() -> None:
    masks = [np.where(rimmed() == 255, IGNORED, rimmed()).astype(np.uint8) for _ in range(4)]
    data = data_of(masks)
    everything = baselines.predict_all(data)["everything foreground"]
    table = tables.per_image(data, "everything", everything, everything, TOLERANCES)
    known = masks[0] != IGNORED
    assert table["jaccard"].tolist() == pytest.approx([(masks[0] == 1).sum() / known.sum()] * 4)
    otsu = tables.per_image(data, "otsu", *[baselines.predict_all(data)["Otsu threshold"]] * 2, TOLERANCES)
    assert otsu["jaccard"].tolist() == [1.0] * 4


def test_features_leave_it_out() -> None:
    masks = [np.where(rimmed() == 255, IGNORED, rimmed()).astype(np.uint8) for _ in range(2)]
    data = data_of(masks)
    changed = np.array(data.images)
    changed[0, 0][masks[0] == IGNORED] = 255
    other = PreparedDataset(changed, data.masks, data.table)
    np.testing.assert_array_equal(features(data)[0], features(other)[0])


def test_it_moves_along_with_perturbations() -> None:
    mask = np.where(rimmed() == 255, IGNORED, rimmed()).astype(np.uint8)
    image = np.zeros((1, 48, 48), np.float32)
    _, moved = perturb(image, mask, "rotation", 30, np.random.default_rng(0), standardised=False)
    assert set(np.unique(moved)) == {0, 1, IGNORED}
    assert (moved == IGNORED).mean() == pytest.approx((mask == IGNORED).mean(), rel=0.15)


# Pictures


def test_it_is_hatched_in_galleries_and_on_contact_sheets(tmp_path: Path) -> None:
    mask = np.where(rimmed() == 255, IGNORED, rimmed()).astype(np.uint8)
    data = data_of([mask, mask])
    image, truth, predictions = view(data, {"m": [np.ones((48, 48), bool)] * 2}, 0)
    rim = mask == IGNORED
    assert set(np.unique(image[0][rim])) >= {0, 255}
    np.testing.assert_array_equal(image[0][~rim], data.images[0, 0][~rim])
    assert not truth[rim].any()
    assert not predictions[0][rim].any()
    save(tmp_path / "images" / "a.png", np.full((1, 48, 48), 90, np.uint8))
    save(tmp_path / "masks" / "a.png", rimmed())
    shown = picture(tmp_path, scan(tmp_path)[0], declared(mask=VOID))
    assert isinstance(shown, Image.Image)
    assert {(0, 0, 0), (255, 255, 255)} <= {tuple(pixel) for pixel in np.asarray(shown)[rim].tolist()}
    assert (np.asarray(shown)[:8] == 90).all()


def test_hatching_is_seen_on_a_thumbnail() -> None:
    drawn = hatched(np.full((1, 512, 512), 128, np.uint8), np.ones((512, 512), bool))
    small = np.asarray(Image.fromarray(drawn[0]).resize((128, 128), Image.Resampling.BOX)).astype(int)
    assert small.max() - small.min() > 100
