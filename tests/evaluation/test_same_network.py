"""One network with other seeds: whatever the claims find between two sets of its trainings is chance.

same_network.npz has what came of 48 real trainings of three folds each (benchmarks/same_network.py). The few that
hardly beat the baselines are left out: with them a pair would be inconclusive anyway. A training of one fold knows
nothing of another fold's, so seeds are shuffled within each fold. The two sides of a pair never share a training, nor
do two pairs of one shuffle; pairs of different shuffles do, so they aren't independent of each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from multiresunet.config import Statistics
from multiresunet.evaluation import BASELINES, comparison
from multiresunet.evaluation.claims import robustness, verdict
from multiresunet.evaluation.claims.verdict import SUPPORTED
from multiresunet.evaluation.evidence import NO_SEED, Evidence, Sides
from multiresunet.evaluation.statistics.design import Advantage, ComparisonDesign
from tests.evaluation.claims.making import EVALUATE

SETTINGS = EVALUATE.model_copy(update={"statistics": Statistics(resamples=1000, confidence=0.95)})
RULE = SETTINGS.verdict
PAIRS = 10  # of a cell
SCORES = ("jaccard", "baselines")
CLAIMS = ["epochs", "low_contrast", "perturbations", "outliers"]


@dataclass(frozen=True, eq=False)
class Cell:
    """Trainings of one network on one data set: the arrays that benchmarks/same_network.py describes."""

    name: str
    of: dict[str, NDArray[np.float64]]

    @property
    def folds(self) -> NDArray[np.int64]:
        return self.of["fold"].astype(np.int64)

    def chosen(self, what: str, lot: NDArray[np.int64]) -> pd.DataFrame:
        """A row a seed and image, of the trainings that `lot` (folds×seeds) names: seed, sample, and `what`."""
        seeds = lot.shape[1]
        values = self.of[what][lot[self.folds].T, np.arange(self.folds.size)]
        samples = [f"s{index:02d}" for index in range(self.folds.size)]
        about = {"seed": np.repeat(np.arange(1, seeds + 1), len(samples)), "sample": samples * seeds}
        return pd.DataFrame(about | {what: values.ravel()})

    def side(self, model: str, lot: NDArray[np.int64]) -> dict[str, pd.DataFrame]:
        """The tables of `Evidence`, of one model."""
        images = self.chosen("jaccard", lot)
        images["fold"] = np.tile(self.folds, lot.shape[1])
        curves = np.take_along_axis(self.of["curves"], lot.T[:, :, None], axis=0)
        seed, fold, epoch = np.indices(curves.shape)
        history = {"seed": seed + 1, "fold": fold, "epoch": epoch + 1, "test_jaccard": curves}
        perturbed = self.chosen("perturbed", lot).dropna().rename(columns={"perturbed": "jaccard"})
        parts = []
        for contrast, what in enumerate(("low", "rest")):  # half of the segments have the lowest contrast
            table = self.chosen(what, lot).rename(columns={what: "error"})
            parts.append(table.assign(image=np.tile(np.arange(self.folds.size), lot.shape[1]), contrast=contrast))
        found = {
            "images": images,
            "history": pd.DataFrame({key: value.ravel() for key, value in history.items()}),
            "perturbed": perturbed.assign(kind="all", severity=3),
            "segments": pd.concat(parts).dropna().assign(counted=1).sort_values(["seed", "image"], kind="stable"),
        }
        return {name: table.assign(model=model) for name, table in found.items()}

    def evidence(self, lots: dict[str, NDArray[np.int64]]) -> Evidence:
        sides = [self.side(model, lot) for model, lot in lots.items()]
        images, history, perturbed, segments = (pd.concat([side[name] for side in sides]) for name in sides[0])
        of_baselines = [
            pd.DataFrame({"model": name, "seed": NO_SEED, "fold": self.folds, "jaccard": scores})
            for name, scores in zip(BASELINES, self.of["baselines"], strict=True)
        ]
        return Evidence(
            pd.concat([images, *of_baselines]),
            history,
            robustness.drops(images, perturbed),
            segments,
            np.arange(float(self.folds.size)),
            dict.fromkeys(lots, 1.0),
        )

    @cache  # noqa: B019  (there are few cells)
    def design(self) -> ComparisonDesign:
        groups = self.of["group"].astype(np.int64)
        units = groups if len(np.unique(groups)) > 1 else np.arange(groups.size)
        return ComparisonDesign(self.folds, units, SETTINGS.statistics, 1)

    @property
    def above_baselines(self) -> NDArray[np.bool_]:
        """Which trainings are far enough above the baselines for a verdict: seeds×folds."""
        parts = [self.folds == fold for fold in range(self.of["curves"].shape[1])]
        own, baselines = (np.stack([self.of[of][:, p].mean(axis=1) for p in parts], axis=1) for of in SCORES)
        return np.asarray(own - baselines.max(axis=0) >= RULE.above_baselines)

    def pairs(self, seeds: int) -> Iterator[dict[str, NDArray[np.int64]]]:
        """`PAIRS` pairs of sides of `seeds` trainings of each fold."""
        rng, usable = np.random.default_rng(11), self.above_baselines
        count, found = int(usable.sum(axis=0).min()), 0
        while True:
            order = np.stack([rng.permutation(np.flatnonzero(fold))[:count] for fold in usable.T])
            for start in range(0, count - 2 * seeds + 1, 2 * seeds):
                yield {"a": order[:, start : start + seeds], "b": order[:, start + seeds : start + 2 * seeds]}
                found += 1
                if found == PAIRS:
                    return


def load() -> list[Cell]:
    with np.load(Path(__file__).parent / "same_network.npz") as stored:
        arrays = {key: stored[key].astype(np.float64) for key in stored.files}
    names = dict.fromkeys(key.rpartition("/")[0] for key in arrays)
    return [
        Cell(name, {key.rpartition("/")[2]: array for key, array in arrays.items() if key.startswith(f"{name}/")})
        for name in names
    ]


CELLS = load()


def judged(cell: Cell, lots: dict[str, NDArray[np.int64]]) -> pd.DataFrame:
    """The verdicts on the four claims, either way round."""
    evidence, design = cell.evidence(lots), cell.design()
    parts = []
    for first, second in (("a", "b"), ("b", "a")):
        sides = Sides(evidence.side(first), evidence.side(second))
        found = [one for one in comparison.of_pair(sides, evidence, design, SETTINGS) if one.decisive]
        parts.append(verdict.table(found, RULE, [first, second]))
    return pd.concat(parts)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_the_trainings_are_real(cell: Cell) -> None:
    last = cell.of["curves"][:, :, -1]
    assert len(np.unique(last)) > last.size / 2  # the seeds have trained different networks
    assert (cell.above_baselines.sum(axis=0) >= 10).all()
    for lots in cell.pairs(3):
        assert cell.evidence(lots).objection(["a", "b"], RULE.above_baselines) == ""


@pytest.mark.slow
def test_three_seeds_against_three_others_support_no_claim_in_more_than_one_of_twenty() -> None:
    supported: Counter[str] = Counter()
    pairs = [(cell, lots) for cell in CELLS for lots in cell.pairs(3)]
    assert len(pairs) >= 40
    for cell, lots in pairs:
        table = judged(cell, lots)
        assert sorted(table["claim"]) == sorted(2 * CLAIMS)
        supported.update(set(table["claim"][table["verdict"] == SUPPORTED]))
    assert all(count <= 0.05 * len(pairs) for count in supported.values()), supported


def test_one_seed_takes_chance_for_a_difference_and_three_do_not() -> None:
    """Why `evaluate.verdict.seeds` is 3: with one training a side, only images are drawn again."""
    found = {
        seeds: np.array([difference(cell, lots).p < 0.05 for cell in CELLS for lots in cell.pairs(seeds)])
        for seeds in (1, 3)
    }
    assert found[1].size == found[3].size >= 40
    assert found[1].mean() > 0.2
    assert found[3].mean() <= 0.05


def difference(cell: Cell, lots: dict[str, NDArray[np.int64]]) -> Advantage:
    """Of the Jaccard index of the two sides."""
    ours, theirs = (lot[cell.folds] for lot in lots.values())
    images = np.arange(cell.folds.size)[:, None]
    return cell.design().paired(cell.of["jaccard"][ours, images] - cell.of["jaccard"][theirs, images])
