"""Tuning repeats itself and never sees a test image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from multiresunet.data.arrays import Prepared
from multiresunet.errors import UserError
from multiresunet.params import AlphaRange, Tune
from multiresunet.training.settings import tuned
from multiresunet.training.tuning import best, inner_split, search
from tests.training.test_fit import RECIPE, SPEC

SPACE = Tune(
    trials=3,
    epochs_share=0.25,
    validation_share=0.25,
    alpha=AlphaRange(low=1.5, high=3.0),
    filters_factor=[1.0, 1.5],
)


def study(data: Prepared) -> pd.DataFrame:
    return search(SPEC, data, 0, RECIPE, SPACE, threshold=0.5, seed=1, names=("d", "m", 0), device=torch.device("cpu"))


def test_trials_repeat_themselves_and_begin_with_the_papers_values(disc_images: Prepared) -> None:
    trials = study(disc_images)
    pd.testing.assert_frame_equal(trials, study(disc_images))
    assert list(trials["trial"]) == [0, 1, 2]
    assert trials.loc[0, "alpha"] == SPEC.alpha
    assert trials.loc[0, "filters"] == SPEC.filters
    assert trials["alpha"].between(1.5, 3.0).all()
    assert set(trials["filters"]) <= {4, 6}


def test_no_test_image_has_a_say(disc_images: Prepared) -> None:
    _, test = disc_images.split(0)
    images, masks = disc_images.images.copy(), disc_images.masks.copy()
    images[test], masks[test] = 255 - images[test], 1 - masks[test]
    pd.testing.assert_frame_equal(study(disc_images), study(replace(disc_images, images=images, masks=masks)))


def test_training_images_do_have_a_say(disc_images: Prepared) -> None:
    train, _ = disc_images.split(0)
    masks = disc_images.masks.copy()
    masks[train] = 1 - masks[train]
    assert not study(disc_images)["score"].equals(study(replace(disc_images, masks=masks))["score"])


def test_the_inner_split_keeps_groups_whole(disc_images: Prepared) -> None:
    table = disc_images.table.assign(group=[f"g{i // 2}" for i in range(12)], fold=[i // 4 for i in range(12)])
    data = replace(disc_images, table=table)
    train, test = data.split(0)
    inner_train, inner_test = inner_split(data, train, 0.25, seed=3)
    assert sorted([*inner_train, *inner_test]) == sorted(train)
    groups = table["group"].to_numpy()
    assert not set(groups[inner_train]) & set(groups[inner_test])
    assert not set(inner_test) & set(test)


def test_a_space_with_vanishing_filters_is_refused_before_the_first_trial(disc_images: Prepared) -> None:
    space = SPACE.model_copy(update={"alpha": AlphaRange(low=0.5, high=3.0)})
    trials: list[object] = []
    with pytest.raises(UserError, match=r"4 filters and alpha 0\.5 .* raise tune\.alpha\.low"):
        search(
            SPEC,
            disc_images,
            0,
            RECIPE,
            space,
            threshold=0.5,
            seed=1,
            names=("d",),
            device=torch.device("cpu"),
            on_trial=trials.append,
        )
    assert not trials


def test_the_best_trial_of_each_fold_is_taken() -> None:
    trials = pd.DataFrame(
        {
            "fold": [0, 0, 0, 1],
            "trial": [0, 1, 2, 0],
            "alpha": [1.0, 2.0, 3.0, 4.0],
            "filters": [4, 6, 8, 10],
            "score": [0.5, 0.9, 0.9, 0.1],
        }
    )
    found = best(trials)
    assert found == {"0": {"alpha": 2.0, "filters": 6}, "1": {"alpha": 4.0, "filters": 10}}
    assert tuned(SPEC, found, 1) == replace(SPEC, alpha=4.0, filters=10)
    assert tuned(SPEC, {}, 1) == SPEC
    assert np.isfinite(trials["score"]).all()
