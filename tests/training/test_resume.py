"""A run that is interrupted, wherever that is, ends as if it hadn't been."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from multiresunet.config import Affine, Augment, DeepSupervision, Optimiser, Recipe, Schedule, Strength
from multiresunet.data.dataset import PreparedDataset, Ragged
from multiresunet.errors import DivergedError, StoppedError, UserError
from multiresunet.inference.description import ModelDescription
from multiresunet.training.fit import fit, largest_batch
from multiresunet.training.loader import Indices, Loader
from multiresunet.training.result import Fit
from multiresunet.training.resume import Checkpointer
from stages import train as stage
from tests.discs import discs
from tests.training.making import LEAN, RECIPE, job_of
from tests.tuning.making import write_prepared

FORK = multiprocessing.get_context("fork")  # the modules are loaded already
EVERYTHING = RECIPE.model_copy(
    update={
        "optimiser": Optimiser(name="adamw", learning_rate=0.01, epsilon=1e-8, weight_decay=0.01),
        "schedule": Schedule(name="cosine", warm_up_epochs=1, final=0.01),
        "ema": 0.9,
        "deep_supervision": DeepSupervision(weights=[0.5, 0.25]),
        "augment": Augment(
            flip=0.5,
            turn=0.5,
            affine=Affine(probability=0.5, degrees=20, scale=0.2, shift=0.1),
            brightness=Strength(probability=0.5, strength=0.5),
            contrast=Strength(probability=0.5, strength=0.5),
            noise=Strength(probability=0.5, strength=0.2),
        ),
        "precision": "bfloat16",
    }
)


def trained(data: PreparedDataset, recipe: Recipe, epochs: int = 3, **more: object) -> Fit:
    return fit(job_of(data, spec=LEAN, recipe=recipe, epochs=epochs), **more)  # type: ignore[arg-type]


def assert_same(one: Fit, other: Fit) -> None:
    assert one.history == other.history
    for a, b in ((one.last, other.last), (one.best, other.best)):
        assert list(a) == list(b)
        assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("recipe", [RECIPE, EVERYTHING], ids=["plain", "everything"])
def test_stopped_after_every_single_step_it_ends_the_same(
    recipe: Recipe, disc_images: PreparedDataset, tmp_path: Path
) -> None:
    undisturbed = trained(disc_images, recipe, epochs=2)
    stops = 0
    while True:
        try:
            checkpointer = Checkpointer(tmp_path / "fold0.pt")
            fitted = trained(
                disc_images, recipe, epochs=2, checkpointer=checkpointer, stop_signal=lambda: signal.SIGTERM
            )
            break
        except StoppedError as stop:
            assert stop.status == 128 + signal.SIGTERM
            stops += 1
    assert stops >= 2 * 3
    assert_same(fitted, undisturbed)
    assert len(fitted.seconds) == 2


def test_a_fit_that_has_ended_is_not_made_again(disc_images: PreparedDataset, tmp_path: Path) -> None:
    lines: list[object] = []
    one = trained(disc_images, RECIPE, epochs=2, checkpointer=Checkpointer(tmp_path / "s.pt"), on_epoch=lines.append)
    two = trained(disc_images, RECIPE, epochs=2, checkpointer=Checkpointer(tmp_path / "s.pt"), on_epoch=lines.append)
    assert_same(one, two)
    assert len(lines) == 2


def test_a_loss_that_is_no_number_ends_with_the_last_good_state(disc_images: PreparedDataset, tmp_path: Path) -> None:
    steep = RECIPE.model_copy(update={"optimiser": Optimiser(name="adam", learning_rate=1e30, epsilon=1e-7)})
    checkpointer = Checkpointer(tmp_path / "s.pt", every=1e-9)
    with pytest.raises(UserError, match=r"t: epoch \d, .*no longer a finite number.*learning_rate, .* \(now 1e\+30\)"):
        trained(disc_images, steep, checkpointer=checkpointer)
    kept = checkpointer.load()
    assert kept is None or all(tensor.isfinite().all() for tensor in kept["network"].values())


def test_weights_that_the_last_step_has_ruined_are_no_result(disc_images: PreparedDataset) -> None:
    # Each loss is of the weights before its step; without test images nothing else looks at the last ones.
    steep = RECIPE.model_copy(
        update={"optimiser": Optimiser(name="adam", learning_rate=1e38, epsilon=1e-7), "batch": 99}
    )
    job = job_of(disc_images, spec=LEAN, recipe=steep, epochs=1, test=np.arange(0))
    with pytest.raises(DivergedError):
        fit(job)


@pytest.mark.parametrize("kind", ["images", "patches"])
def test_out_of_memory_names_the_batch_that_fits(
    kind: str, disc_images: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Loader.__call__

    def batches(self: Loader, wanted: list[Indices], *more: Any) -> Any:
        if max(map(len, wanted)) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, wanted, *more)

    monkeypatch.setattr(Loader, "__call__", batches)
    data, remedy = disc_images, "longest_side"
    if kind == "patches":  # four of each image
        images, masks = Ragged.of(list(data.images)), Ragged.of(list(data.masks))
        data, remedy = replace(data, images=images, masks=masks, window=(16, 16)), "the data set's size"
    recipe = RECIPE.model_copy(update={"batch": 8})
    says = rf"out of memory on cpu with 8 {kind} .* batch to 2, the largest that fits, or lower {remedy} or filters"
    with pytest.raises(UserError, match=says):
        trained(data, recipe, checkpointer=Checkpointer(tmp_path / "s.pt"))


def test_a_network_that_memory_has_no_room_for_is_one_line(
    disc_images: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Loader, "__init__", mock.Mock(side_effect=torch.OutOfMemoryError("CUDA out of memory.")))
    with pytest.raises(UserError, match=r"^t: out of memory on cpu .* not even 2 images fit"):
        trained(disc_images, RECIPE)


def test_a_lone_image_of_one_pixel_at_the_deepest_level_is_refused() -> None:
    recipe = RECIPE.model_copy(update={"batch": 1})
    with pytest.raises(UserError, match=r"1 image of 16×16 .* raise the recipe's batch to 2"):
        trained(discs(6, (16, 16), 1, 3), recipe)
    assert trained(discs(6, (32, 32), 1, 3), recipe, epochs=1).history


def test_halving_finds_the_batch_that_fits() -> None:
    def attempt(batch: int) -> None:
        if batch > 5:
            raise MemoryError

    assert largest_batch(attempt, 40) == 5
    assert largest_batch(lambda _: attempt(99), 40) is None
    with pytest.raises(RuntimeError, match="another thing"):
        largest_batch(lambda _: (_ for _ in ()).throw(RuntimeError("another thing")), 40)  # type: ignore[arg-type]


def workplace(folder: Path, repository: Path) -> Path:
    """A folder in which `stages.train discs unet_bn` can run."""
    tree = yaml.safe_load((repository / "params.yaml").read_text())
    tree["recipes"]["quick"] |= {"updates": None, "epochs": 2, "filters": 4, "batch": 3, "ema": 0.9}
    tree["recipes"]["quick"]["folds"]["count"] = 2
    tree["datasets"]["discs"] = tree["datasets"]["nuclei"]
    tree["run"]["tuned"] = {"datasets": [], "models": []}  # 4 filters are too few for the search
    tree["models"]["unet_bn"]["final"] = True
    tree["machine"] = {"save_every": 1e-9}  # after every step
    data = discs(12, (32, 32), 1, 2)
    prepared = folder / "data/prepared/discs"
    prepared.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    write_prepared(prepared, data)
    return folder


def train_discs() -> None:
    """The stage, without a command line."""
    stage.train("discs", "unet_bn")


def start(folder: Path) -> multiprocessing.process.BaseProcess:
    """The stage in a process of its own."""

    def work() -> None:
        os.chdir(folder)
        torch.set_num_threads(1)
        with (folder / "output").open("w") as output:
            sys.stdout = sys.stderr = output
            sys.argv = ["train"]
            stage.run(train_discs)

    process = FORK.Process(target=work)
    process.start()
    return process


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "data/trained/discs/unet_bn/1").iterdir())}


@pytest.mark.slow
@pytest.mark.integration
def test_killed_at_random_moments_the_stage_ends_with_the_same_bytes(tmp_path: Path, repository: Path) -> None:
    calm = workplace(tmp_path / "calm", repository)
    begun = time.monotonic()
    process = start(calm)
    process.join(120)
    taken = time.monotonic() - begun
    assert process.exitcode == 0, (calm / "output").read_text()

    killed = workplace(tmp_path / "killed", repository)
    rng = np.random.default_rng(5)
    kills = 0
    while True:
        process = start(killed)
        process.join(rng.uniform(0.25, 0.6) * taken * 1.15**kills)  # longer and longer: starting takes its time too
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += 1
        assert kills < 60, "it makes no progress"
    assert process.exitcode == 0, (killed / "output").read_text()
    assert kills
    assert outputs(killed) == outputs(calm)
    assert len(outputs(calm)) == 2 * 2 + 3  # of the final network there is the last epoch only; history; model.json
    description = ModelDescription.open(calm / "data/trained/discs/unet_bn/1")
    assert (description.folds, sorted(description.networks)) == (["0", "1"], ["0", "1", "final"])
    history = pd.read_csv(calm / "data/trained/discs/unet_bn/1/history.csv")
    scores = history[history["epoch"] == 2].set_index("fold")["test_jaccard"]
    assert [description.networks[fold].jaccard for fold in "01"] == scores.tolist()
    assert description.networks["final"].jaccard is None
    assert description.jaccard == pytest.approx(scores.mean(), abs=1e-6)
    assert not list((killed / ".state/train").iterdir())


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_stage_with_one_line_and_a_state(number: int, tmp_path: Path, repository: Path) -> None:
    folder = workplace(tmp_path / "stopped", repository)
    process = start(folder)
    deadline = time.monotonic() + 300
    while not list(folder.glob(".state/train/*/fold0.pt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(300)
    assert process.exitcode == 128 + number
    said = [line for line in (folder / "output").read_text().splitlines() if "stopped:" in line]
    assert len(said) == 1
    assert "running again resumes from it" in said[0]
    assert "Traceback" not in (folder / "output").read_text()
    assert not (folder / "data/trained/discs/unet_bn/1").exists()
    assert list(folder.glob(".state/train/*/fold0.pt"))


@pytest.mark.integration
def test_other_inputs_start_anew(disc_images: PreparedDataset, tmp_path: Path, repository: Path) -> None:
    folder = workplace(tmp_path / "w", repository)
    process = start(folder)
    while not list(folder.glob(".state/train/*/fold0.pt")) and process.exitcode is None:
        time.sleep(0.01)
    process.kill()
    process.join()
    old = set(folder.glob(".state/train/*"))
    masks = np.load(folder / "data/prepared/discs/masks.npy")
    np.save(folder / "data/prepared/discs/masks.npy", replace(disc_images, masks=1 - masks).masks)
    process = start(folder)
    process.join(120)
    assert process.exitcode == 0, (folder / "output").read_text()
    assert set(folder.glob(".state/train/*")) == old


def test_a_training_of_another_length_is_not_resumed(
    disc_images: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prepared(tmp_path / "data/prepared/discs", disc_images)
    monkeypatch.chdir(tmp_path)
    jobs = [job_of(disc_images, epochs=epochs) for epochs in (2, 6)]
    one, other = (stage.key_of([job], "discs") for job in jobs)
    assert one == stage.key_of(jobs[:1], "discs") != other
