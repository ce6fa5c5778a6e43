"""A study repeats itself, resumes where it was, and never sees a test image."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from multiresunet.config import HyperbandPruning, MedianPruning, Span
from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import DivergedError, UserError
from multiresunet.seeds import seed_for
from multiresunet.training.job import TrainJob
from multiresunet.training.loader import Indices
from multiresunet.training.result import Epoch, Fit
from multiresunet.tuning.inner_split import inner_split
from multiresunet.tuning.local import run_alone
from multiresunet.tuning.outputs import table
from tests.discs import discs
from tests.training.making import SPEC
from tests.tuning.making import EPOCHS, SPACE, make_study, scores_of_names

MEDIAN = MedianPruning(rule="median", first_epoch=1, startup=1)
HYPERBAND = HyperbandPruning(rule="hyperband", first_epoch=1, factor=2)


quickly = pytest.mark.usefixtures("untrained")


def rows(
    data: PreparedDataset, saved: Path, fold: int | None = 0, grouped: bool = False, **changes: object
) -> pd.DataFrame:
    study = make_study(data, fold, grouped, **changes)
    return pd.DataFrame([study.row(trial) for trial in run_alone(study, saved)])


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Those of the first fold."""
    return rows(discs(12, (32, 32), 1, 3), tmp_path_factory.mktemp("trials") / "a.json")


def test_trials_begin_with_the_models_own_values(trials: pd.DataFrame) -> None:
    assert list(trials["trial"]) == [0, 1, 2, 3]
    assert (trials.loc[0, "alpha"], trials.loc[0, "filters"]) == (SPEC.alpha, SPEC.filters)
    # Then other learning rates: a third of the own one, and three times it, within the range.
    assert trials["learning_rate"][:3].tolist() == pytest.approx([0.01, 0.01 / 3, 0.02])
    assert set(trials["alpha"][:3]) == {SPEC.alpha}
    assert trials["alpha"].between(1.5, 3.0).all()
    assert trials["alpha"].nunique() == 2
    assert set(trials["filters"]) <= {4, 6}
    assert (trials["epochs"] == 2 * EPOCHS).all()
    assert trials["score"].to_numpy() == pytest.approx(trials[["split_1", "split_2"]].mean(axis=1).to_numpy())
    assert not np.allclose(trials["split_1"], trials["split_2"])


def test_the_same_numbers_give_the_same_bytes_whatever_trial_they_are(disc_images: PreparedDataset) -> None:
    study = make_study(disc_images)
    own = study.space.first()[0]

    def scores(number: int) -> list[float]:
        running = study.create()
        for _ in range(number):
            running.add_trial(optuna.trial.create_trial(params=own, distributions=study.space.distributions, value=0))
        running.enqueue_trial(own)
        trial = running.ask(study.space.distributions)
        assert study.objective(trial) > 0
        found: list[float] = running.trials[-1].user_attrs["splits"]
        return found

    assert scores(1) == scores(3)


def changed(data: PreparedDataset, indices: Indices) -> PreparedDataset:
    """The same data set, but for these images and their masks."""
    images, masks = data.images.copy(), data.masks.copy()
    images[indices], masks[indices] = 255 - images[indices], 1 - masks[indices]
    return replace(data, images=images, masks=masks)


def test_trials_repeat_themselves_and_depend_on_no_test_image(
    disc_images: PreparedDataset, tmp_path: Path, trials: pd.DataFrame
) -> None:
    _, test = disc_images.split(0)
    pd.testing.assert_frame_equal(trials, rows(changed(disc_images, test), tmp_path / "a.json"))


def test_trials_of_a_shared_study_depend_on_all_images(disc_images: PreparedDataset, tmp_path: Path) -> None:
    _, test = disc_images.split(0)
    both = (disc_images, changed(disc_images, test))
    before, after = (rows(data, tmp_path / f"{i}.json", None, trials=1) for i, data in enumerate(both))
    assert not before["score"].equals(after["score"])


def test_trials_depend_on_training_images(disc_images: PreparedDataset, tmp_path: Path, trials: pd.DataFrame) -> None:
    train, _ = disc_images.split(0)
    (after,) = rows(changed(disc_images, train), tmp_path / "a.json", trials=1)["score"]
    assert trials["score"][0] != after


@quickly
@pytest.mark.parametrize("pruning", [MEDIAN, HYPERBAND], ids=["median", "hyperband"])
def test_a_study_that_resumes_ends_as_one_that_ran_in_one_go(
    disc_images: PreparedDataset, tmp_path: Path, pruning: MedianPruning | HyperbandPruning
) -> None:
    changes = {"pruning": pruning, "startup": 3}
    whole = rows(disc_images, tmp_path / "whole.json", trials=8, **changes)
    for trials in (1, 2, 4, 5, 8):
        parts = rows(disc_images, tmp_path / "parts.json", trials=trials, **changes)
    pd.testing.assert_frame_equal(whole, parts)
    one, other = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("whole", "parts"))
    for trial in (*one, *other):
        del trial["user"]["seconds"]
    assert one == other
    pruned = whole[whole["state"] == "pruned"]
    assert 0 < len(pruned) < 7
    assert (pruned["epochs"] < 2 * EPOCHS).all()
    assert (whole.loc[whole["state"] == "complete", "epochs"] == 2 * EPOCHS).all()


def test_a_study_that_resumes_knows_which_split_diverged(
    disc_images: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(job: TrainJob, on_epoch: Callable[[Epoch], None]) -> Fit:
        if job.names[-1] == 0 and job.seed == seed_for(make_study(disc_images).job.seed, "split", 0):
            raise DivergedError("after no epoch")
        return scores_of_names(job, on_epoch)

    monkeypatch.setattr("multiresunet.tuning.study.fit", diverging)
    whole = rows(disc_images, tmp_path / "whole.json", trials=3)
    for trials in (1, 3):
        parts = rows(disc_images, tmp_path / "parts.json", trials=trials)
    assert whole.loc[0, "split_1"] == 0
    assert whole.loc[0, "epochs"] == 2 * EPOCHS
    pd.testing.assert_frame_equal(whole, parts)


def test_the_models_own_values_are_never_pruned(disc_images: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda _: True)
    monkeypatch.setattr("multiresunet.tuning.study.fit", scores_of_names)
    study = make_study(disc_images)
    trials = study.create()
    trials.optimize(study.objective, n_trials=2)
    assert [trial.state.name for trial in trials.trials] == ["COMPLETE", "PRUNED"]


@quickly
def test_without_a_trial_of_the_models_own_values_nothing_is_chosen(
    disc_images: PreparedDataset, tmp_path: Path
) -> None:
    study = make_study(disc_images)
    first, *others = run_alone(study, tmp_path / "a.json")
    first.state = optuna.trial.TrialState.FAIL
    with pytest.raises(UserError, match=r"discs tuned 0: the trial of the model's own values came to no end"):
        table([(study, [first, *others])], study.tune.select)


@quickly
def test_what_the_search_is_after_changes_it(disc_images: PreparedDataset, tmp_path: Path) -> None:
    both, score = (
        rows(disc_images, tmp_path / f"{name}.json", trials=6, startup=4, objectives=name)
        for name in ("jaccard and cost", "jaccard")
    )
    assert both["alpha"][:4].equals(score["alpha"][:4])  # planned, then drawn at random
    assert not both["alpha"].equals(score["alpha"])


@quickly
def test_a_study_out_of_time_ends_after_the_trial_it_is_in(disc_images: PreparedDataset, tmp_path: Path) -> None:
    trials = rows(disc_images, tmp_path / "a.json", minutes=1e-9)
    assert list(trials["trial"]) == [0]
    # Time that was spent before a restart counts.
    assert len(rows(disc_images, tmp_path / "a.json", minutes=1e-9)) == 1


def grouped_in_pairs(data: PreparedDataset) -> PreparedDataset:
    table = data.table.assign(group=[f"g{i // 2}" for i in range(12)], fold=[i // 4 for i in range(12)])
    return replace(data, table=table)


def test_the_inner_split_keeps_groups_whole_if_they_count(disc_images: PreparedDataset) -> None:
    data = grouped_in_pairs(disc_images)
    groups = data.table["group"].to_numpy()
    train, test = data.split(0)
    torn = []
    for seed in range(5):
        for grouped in (True, False):
            inner_train, validation = inner_split(data, train, 0.25, seed, grouped=grouped)
            assert sorted([*inner_train, *validation]) == sorted(train)
            assert not set(validation) & set(test)
            if grouped:
                assert not set(groups[inner_train]) & set(groups[validation])
            else:
                torn.append(bool(set(groups[inner_train]) & set(groups[validation])))
    assert any(torn)


def test_a_single_group_can_not_be_split(disc_images: PreparedDataset) -> None:
    data = replace(disc_images, table=disc_images.table.assign(group="one"))
    with pytest.raises(UserError, match=r"tune: 1 training groups can't be split .* tune\.validation_share"):
        make_study(data, grouped=True)


def test_a_trial_that_diverges_gets_zero_and_the_study_continues(disc_images: PreparedDataset, tmp_path: Path) -> None:
    space = SPACE.model_copy(update={"learning_rate": Span[float](choices=[0.01, 1e38])})
    trials = rows(disc_images, tmp_path / "a.json", space=space, trials=2, startup=9)
    diverged = trials["learning_rate"] > 1
    assert diverged[1]
    assert not diverged[0]
    assert (trials["score"][diverged] == 0).all()
    assert (trials["score"][~diverged] > 0).all()
