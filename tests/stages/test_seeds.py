"""The real stages train, predict and evaluate with two seeds, and with two names of one network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from multiresunet import arithmetic, config
from multiresunet.errors import UserError
from multiresunet.training.devices import SingleDevice
from stages.evaluate import evaluate
from stages.predict import predict
from stages.train import jobs_of, train
from tests.discs import discs
from tests.tuning.making import write_prepared

MODELS, SEEDS = ["unet_bn", "twin"], [5, 2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the three stages have run on discs."""
    folder = tmp_path_factory.mktemp("seeds")
    tree = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))
    tree["datasets"]["discs"] = tree["datasets"]["nuclei"]
    tree["models"]["twin"] = tree["models"]["unet_bn"]
    tree["run"] |= {"datasets": ["discs"], "models": MODELS, "recipe": "quick", "seeds": SEEDS}
    tree["run"]["tuned"] = {"datasets": [], "models": []}
    tree["recipes"]["quick"] |= {"filters": 2, "updates": 4}
    tree["recipes"]["quick"]["folds"]["count"] = 2
    tree["evaluate"]["perturbed"]["quick"] = {"images": 2, "severities": [3]}
    tree["evaluate"]["statistics"]["resamples"] = 200
    write_prepared(folder / "data/prepared/discs", discs(8, (32, 32), 1, 2))
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    left = folder / "data/predicted/discs/unet_bn/99"  # by an earlier run with other seeds
    left.mkdir(parents=True)
    with contextlib.chdir(folder):
        for model in MODELS:
            for seed in SEEDS:
                train("discs", model, seed)
                predict("discs", model, seed)
        evaluate("discs")
    assert not left.exists()
    yield folder


def networks(folder: Path, model: str, seed: int) -> dict[str, bytes]:
    """The networks' weights, without what describes them, and the history."""
    files = sorted((folder / f"data/trained/discs/{model}/{seed}").iterdir())
    return {path.name: path.read_bytes() for path in files if path.suffix == ".csv"} | {
        path.name: b"".join(tensor.numpy().tobytes() for tensor in load_file(path).values())
        for path in files
        if path.suffix == ".safetensors"
    }


def test_another_seed_is_another_training_and_another_name_the_same(made: Path) -> None:
    one = networks(made, "unet_bn", 5)
    assert len(one) == 5
    assert networks(made, "twin", 5) == one
    other = networks(made, "unet_bn", 2)
    assert all(other[name] != one[name] for name in one)


def test_the_images_of_each_epoch_are_counted_beside_its_seconds(made: Path) -> None:
    seconds = pd.read_csv(made / ".state/seconds/discs-unet_bn-5.csv")
    assert seconds["images"].tolist() == [4] * 8  # a batch of four for each of four epochs, twice
    assert set(seconds["machine"]) == {arithmetic.in_words()}


def test_the_history_and_the_cost_count_updates(made: Path) -> None:
    history = pd.read_csv(made / "data/trained/discs/unet_bn/5/history.csv")
    assert history["updates"].tolist() == [1, 2, 3, 4] * 2
    assert pd.read_csv(made / "data/evaluated/discs/cost.csv")["updates"].tolist() == [4, 4]


def test_a_model_can_be_trained_longer_and_at_another_rate_than_the_others(made: Path) -> None:
    tree = yaml.safe_load((made / "params.yaml").read_text(encoding="utf-8"))
    recipe = tree["run"]["recipe"]
    tree["models"]["unet_bn"] |= {"longer": {recipe: 3, "paper": 2}, "learning_rate": {recipe: 0.5, "paper": 0.25}}
    with contextlib.chdir(made):
        one, other = jobs_of(config.parse(tree), ("discs", "unet_bn", 5), SingleDevice(torch.device("cpu")))
    assert one.epochs == other.epochs == 3 * 4
    assert one.recipe.optimiser.learning_rate == other.recipe.optimiser.learning_rate == 0.5


def test_scores_are_means_over_seeds(made: Path) -> None:
    evaluated = pd.read_csv(made / "data/evaluated/discs/images.csv")
    own = evaluated[evaluated["model"] == "unet_bn"].groupby("sample", sort=False)["jaccard"].mean().to_numpy()
    of_seeds = [pd.read_csv(made / f"data/predicted/discs/unet_bn/{s}/images.csv")["jaccard"] for s in SEEDS]
    assert own == pytest.approx(np.mean(of_seeds, axis=0), abs=2e-6)
    assert not np.allclose(of_seeds[0], of_seeds[1])


def test_a_seed_that_is_not_the_runs_is_refused(made: Path) -> None:
    with contextlib.chdir(made), pytest.raises(UserError, match=r"seed 7 isn't in run\.seeds .*: 5, 2"):
        train("discs", "unet_bn", 7)
