"""What surrounds a padded image is no part of it: neither in scores nor at boundaries nor when it is perturbed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import tables
from multiresunet.evaluation.claims import low_contrast, robustness
from multiresunet.evaluation.masks import content, counted_pixels, pair_of

EVALUATE = config.load().evaluate
BEFORE, AFTER = (3, 5, 2), (4, 5, 3)  # zeros around each axis, as `resizing.padded` puts them


def volumes() -> tuple[PreparedDataset, PreparedDataset, np.ndarray]:
    """Two volumes whose structure the frame cuts, as they are and padded; and predictions for the padded ones."""
    rng = np.random.default_rng(0)
    masks = np.zeros((2, 12, 10, 14), dtype=np.uint8)
    masks[:, :5, 2:8, 3:] = 1
    images = (masks[:, None] + rng.normal(0, 0.3, (2, 1, *masks.shape[1:]))).astype(np.float32)
    table = pd.DataFrame({"sample": ["a", "b"], "group": "", "fold": [0, 1], "prepared_size": "12×10×14"})
    around = ((0, 0), *zip(BEFORE, AFTER, strict=True))
    padded = PreparedDataset(np.pad(images, ((0, 0), *around)), np.pad(masks, around), table)
    predicted = np.pad(masks > 0, around) ^ (rng.random(padded.masks.shape) < 0.02)
    return PreparedDataset(images, masks, table), padded, predicted


def test_scores_are_those_of_the_image_without_its_padding() -> None:
    plain, padded, predicted = volumes()
    own = content(padded, 0)
    assert own == (slice(3, 15), slice(5, 15), slice(2, 16))
    assert content(plain, 0) == tuple(slice(0, side) for side in (12, 10, 14))
    alone = predicted[(slice(None), *own)]
    scores = tables.per_image(padded, "m", predicted, predicted, EVALUATE.tolerances)
    pd.testing.assert_frame_equal(scores, tables.per_image(plain, "m", alone, alone, EVALUATE.tolerances))
    assert pair_of(padded, 0, predicted[0]).true_boundary.sum() == pair_of(plain, 0, alone[0]).true_boundary.sum()
    assert counted_pixels(padded, 0)[own].all()
    assert counted_pixels(padded, 0).sum() == 12 * 10 * 14
    segments = low_contrast.measure(padded, predicted, EVALUATE.low_contrast)
    pd.testing.assert_frame_equal(segments, low_contrast.measure(plain, alone, EVALUATE.low_contrast))


@pytest.mark.parametrize("kind", ["gaussian", "missing", "rotation"])
def test_padding_stays_zero_when_images_are_perturbed(kind: str) -> None:
    plain, padded, _ = volumes()
    plan = robustness.PerturbationPlan(EVALUATE.perturbations, config.Perturbed(images=2, severities=[5]), True, 1, "d")
    one, other = (plan.perturbed(data, np.array([0, 1]), kind, 5) for data in (padded, plain))
    own = content(padded, 0)
    np.testing.assert_array_equal(np.asarray(one.images)[(slice(None), slice(None), *own)], other.images)
    np.testing.assert_array_equal(np.asarray(one.masks)[(slice(None), *own)], other.masks)
    rest = np.array(one.images)
    rest[(slice(None), slice(None), *own)] = 0
    assert not rest.any()


def test_groups_that_bind_nothing_dont_choose_what_is_perturbed() -> None:
    plain, _, _ = volumes()
    count = 40
    table = pd.DataFrame({"sample": [str(i) for i in range(count)], "fold": np.repeat(range(4), 10)})
    table["group"] = np.where(table["fold"] == 0, "few", "many")
    data = replace(plain, images=np.zeros((count, 1, 4, 4)), masks=np.zeros((count, 4, 4)), table=table)
    extent = config.Perturbed(images=8, severities=[1])
    plan = robustness.PerturbationPlan(EVALUATE.perturbations, extent, False, 1, "d", grouped=False)
    assert np.bincount(data.folds[plan.images(data)]).tolist() == [2, 2, 2, 2]
    assert np.bincount(data.folds[replace(plan, grouped=True).images(data)])[0] == 4
