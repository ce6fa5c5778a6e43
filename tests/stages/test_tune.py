"""The stage: same bytes whatever happens to it, and nothing from test images."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.training.job import TrainJob
from multiresunet.training.result import Epoch, Fit
from multiresunet.tuning import state
from stages.tune import key_of, tune
from tests.tuning.making import make_workplace, outputs, scores_of_names
from tests.warm import Warm


@pytest.fixture
def tuned(tmp_path: Path, disc_images: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the stage on data in a folder of its own; its outputs' bytes."""

    def run(name: str, data: PreparedDataset = disc_images, **changes: Any) -> Any:
        folder = make_workplace(tmp_path / name, data, **changes)
        monkeypatch.chdir(folder)
        tune("discs", "tuned")
        return outputs(folder)

    return run


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials don't train: their scores are a hash of all that a training is given."""

    def fit(job: TrainJob, on_epoch: Callable[[Epoch], None]) -> Fit:
        arrays = [array[where] for array in (job.data.images, job.data.masks) for where in (job.train, job.test)]
        return scores_of_names(job, on_epoch, *(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays))

    monkeypatch.setattr("multiresunet.tuning.study.fit", fit)


def test_the_tables(tuned: Any, tmp_path: Path) -> None:
    made = tuned("one", trials=3)
    assert list(made) == [
        "best.json",
        "front.png",
        "history.png",
        "importance.png",
        "pareto.csv",
        "slices.png",
        "trials.csv",
    ]
    folder = tmp_path / "one/data/tuned/discs/tuned"
    trials, front = pd.read_csv(folder / "trials.csv"), pd.read_csv(folder / "pareto.csv")
    assert list(trials["fold"]) == [0] * 3 + [1] * 3 + [2] * 3
    assert list(trials["trial"]) == [0, 1, 2] * 3
    assert list(trials[trials["chosen"]]["fold"]) == [0, 1, 2]
    assert len(front) == trials["front"].sum()
    assert front.groupby("fold")["multiply_adds"].apply(lambda costs: costs.is_monotonic_increasing).all()
    best = json.loads(made["best.json"])
    for fold, row in trials[trials["chosen"]].set_index("fold").iterrows():
        assert best[str(fold)]["alpha"] == pytest.approx(row["alpha"], abs=1e-6)
        assert best[str(fold)]["filters"] == row["filters"]
    assert not (tmp_path / "one/.state/tune/discs-tuned").exists()


def test_no_test_image_takes_part(tuned: Any, untrained: None, disc_images: PreparedDataset) -> None:
    """A fold's test images are changed: the lines of its study stay, byte for byte, and others don't."""
    before = tuned("before", trials=2)["trials.csv"].decode().splitlines()
    for fold in (0, 2):
        images, masks = disc_images.images.copy(), disc_images.masks.copy()
        _, test = disc_images.split(fold)
        images[test], masks[test] = np.roll(255 - images[test], 5, axis=-1), 1 - masks[test]
        after = tuned(f"after{fold}", replace(disc_images, images=images, masks=masks), trials=2)["trials.csv"].decode()
        lines = [{line for line in table if line.startswith(f"{fold},")} for table in (before, after.splitlines())]
        assert len(lines[0]) == 2
        assert lines[0] == lines[1]
        assert before != after.splitlines()  # the others' training images have changed


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    tuned: Any, tmp_path: Path, disc_images: PreparedDataset
) -> None:
    changes = {"trials": 4}
    since = time.perf_counter()
    undisturbed = tuned("undisturbed", **changes)
    a_trial = (time.perf_counter() - since) / 12
    fork = multiprocessing.get_context("fork")  # torch is loaded already; a new interpreter would load it ten times
    folder = make_workplace(tmp_path / "killed", disc_images, **changes)
    os.chdir(folder)

    def finished() -> int:
        return sum(len(json.loads(path.read_text())) for path in folder.glob(".state/tune/discs-tuned/*/*.json"))

    dice = random.Random(4)
    for _ in range(6):
        process = fork.Process(target=tune, args=("discs", "tuned"))
        wanted = finished() + dice.choice([0, 1])
        process.start()
        while finished() < wanted:
            time.sleep(0.005)
        time.sleep(dice.uniform(0, a_trial))
        assert process.is_alive()
        process.kill()
        process.join()
    assert 0 < finished() < 12
    tune("discs", "tuned")
    assert outputs(folder) == undisturbed


def test_a_study_of_other_inputs_is_not_resumed(
    tuned: Any, untrained: None, disc_images: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    inverted = replace(disc_images, masks=1 - disc_images.masks)
    fresh = [tuned("a", trials=2, startup=0), tuned("b", inverted, trials=2)]
    monkeypatch.setattr(state, "forget", lambda _: None)
    tuned("used", trials=2)
    assert [tuned("used", trials=2, startup=0), tuned("used", inverted, trials=2)] == fresh
    assert fresh[0] != fresh[1]


@pytest.mark.parametrize("own", [{"learning_rate": {"other": 0.005}}, {"longer": {"other": 3}}])
def test_a_study_of_another_rate_or_length_is_not_resumed(
    own: dict[str, Any], tmp_path: Path, disc_images: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A model has these by the recipe's name: two recipes that are equal otherwise aren't the same training.
    monkeypatch.chdir(make_workplace(tmp_path, disc_images))
    tree = yaml.safe_load(Path("params.yaml").read_text())
    tree["models"]["tuned"] |= own
    tree["recipes"]["other"] = tree["recipes"]["quick"]
    keys = set()
    for recipe in ("quick", "other"):
        tree["run"]["recipe"] = recipe
        keys.add(key_of(config.parse(tree), "discs", "tuned"))
    assert len(keys) == 2


def test_a_shared_study_speaks_for_all_folds(tuned: Any, untrained: None) -> None:
    made = tuned("shared", scope="shared", trials=2)
    assert [line.split(",")[0] for line in made["trials.csv"].decode().splitlines()] == ["fold", "all", "all"]
    best = json.loads(made["best.json"])
    assert list(best) == ["0", "1", "2"]
    assert best["0"] == best["1"] == best["2"]


@pytest.mark.parametrize("words", [(), ("discs",), ("discs", "tuned", "--wroker")])
def test_wrong_words_give_the_usage(words: tuple[str, ...], warm: Warm, repository: Path) -> None:
    done = warm.run("stages.tune", *words, cwd=repository)
    assert done.returncode == 2
    assert "Usage: python -m stages.tune" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stage", ["tune", "train", "predict"])
def test_help_names_the_words_and_the_outputs(stage: str, warm: Warm, repository: Path) -> None:
    done = warm.run(f"stages.{stage}", "--help", cwd=repository)
    assert done.returncode == 0, done.stderr
    for text in (f"python -m stages.{stage}", "dataset", "model", "Writes data/"):
        assert text in done.stdout
    assert ("--worker" in done.stdout) == (stage == "tune")
