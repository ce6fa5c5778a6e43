"""Recipes count updates or epochs: the same number of steps whatever the number of images, or as many passes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiresunet.data.dataset import PreparedDataset
from multiresunet.training.course import Course
from multiresunet.training.fit import fit
from tests.training.making import LEAN, RECIPE, job_of


def course(images: int, batch: int, **length: int | None) -> Course:
    recipe = RECIPE.model_copy(update={"batch": batch, "epochs": None, "updates": None, **length})
    return Course(np.arange(100, 100 + images), recipe, seed=3)


def test_an_epoch_of_a_recipe_with_epochs_is_a_pass() -> None:
    passes = course(10, 4, epochs=3)
    assert [passes.steps(epoch) for epoch in range(4)] == [0, 3, 6, 9]
    for epoch in (1, 2):
        assert sorted(np.concatenate(passes.batches_of(epoch))) == list(range(100, 110))
    assert np.concatenate(passes.batches_of(1)).tolist() != np.concatenate(passes.batches_of(2)).tolist()


@given(images=st.integers(2, 40), batch=st.integers(2, 9), updates=st.integers(1, 130))
def test_updates_are_the_same_steps_for_any_number_of_images(images: int, batch: int, updates: int) -> None:
    found = course(images, batch, updates=updates)
    epochs = min(20, updates)
    parts = [found.batches_of(epoch) for epoch in range(1, epochs + 1)]
    assert sum(map(len, parts)) == updates == found.steps(epochs)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    # Whole passes follow one another across the epochs' ends: each image once before any comes again.
    seen = np.concatenate([batch for part in parts for batch in part])
    for start in range(0, len(seen), images):
        assert len(np.unique(seen[start : start + images])) == len(seen[start : start + images])


def test_passes_are_those_of_a_recipe_with_epochs() -> None:
    by_updates = [batch for epoch in range(1, 21) for batch in course(10, 4, updates=60).batches_of(epoch)]
    by_epochs = [batch for epoch in range(1, 21) for batch in course(10, 4, epochs=20).batches_of(epoch)]
    assert len(by_updates) == len(by_epochs) == 60
    assert all(np.array_equal(one, other) for one, other in zip(by_updates, by_epochs, strict=True))


def test_a_longer_training_goes_on_in_epochs_of_the_same_length() -> None:
    found = course(10, 4, updates=60)
    assert found.steps(40) == 120
    assert len(found.batches_of(33)) == 3


def test_the_loss_of_an_epoch_is_a_mean_over_the_images_it_has_taken(disc_images: PreparedDataset) -> None:
    """With a rate near 0 nothing is learnt, and every epoch's loss is that of about the same network."""
    optimiser = RECIPE.optimiser.model_copy(update={"learning_rate": 1e-12})
    recipe = RECIPE.model_copy(update={"epochs": None, "updates": 8, "optimiser": optimiser})
    losses = [line.train_loss for line in fit(job_of(disc_images, spec=LEAN, recipe=recipe, epochs=8)).history]
    assert len(losses) == 8
    assert max(losses) < 1.5 * min(losses)
    passes = recipe.model_copy(update={"epochs": 1, "updates": None})
    by_pass = fit(job_of(disc_images, spec=LEAN, recipe=passes, epochs=1))
    assert np.mean(losses) == pytest.approx(by_pass.history[0].train_loss, rel=0.2)
