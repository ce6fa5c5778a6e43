"""All claims together, intervals, and comparisons of every pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import BASELINES, comparison, tables
from multiresunet.evaluation.claims import robustness
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, SUPPORTED
from multiresunet.evaluation.evidence import NO_SEED, Evidence
from multiresunet.evaluation.statistics.design import ComparisonDesign
from tests.evaluation.claims.making import EVALUATE, SEEDS, blurred, history, lost, segmented, squares

PERTURBED = ["model", "seed", "kind", "severity", "sample", "jaccard"]
SETTINGS = EVALUATE.model_copy(update={"references": ["bb"], "confirmatory": ["a", "bb"]})


def evidence(data: PreparedDataset, predictions: Mapping[str, np.ndarray]) -> Evidence:
    """Of networks, each with the same predictions from every seed, beside baselines that find everything foreground."""
    everything = dict.fromkeys(BASELINES, np.ones(data.masks.shape, dtype=bool))

    def measured(name: str, masks: np.ndarray, seed: int) -> pd.DataFrame:
        return tables.per_image(data, name, masks, masks, EVALUATE.tolerances).assign(seed=seed)

    found = [measured(name, masks, seed) for name, masks in predictions.items() for seed in SEEDS]
    images = pd.concat([*found, *(measured(name, masks, NO_SEED) for name, masks in everything.items())])
    return Evidence(
        images,
        pd.concat([history("a", 4).history, history("bb", 12).history]),
        robustness.drops(images, pd.concat([lost(name, 0.8, 0.9).lost[PERTURBED] for name in ("a", "bb")])),
        pd.concat([segmented(name, data, masks).segments for name, masks in predictions.items()]),
        np.linspace(0, 1, len(data.table)),
        {"a": 2e6, "bb": 1e6},
    )


def of_first_seed(found: Evidence) -> ComparisonDesign:
    return comparison.design_of(found.side("a").of_seed(1).images, SETTINGS, 0, grouped=True)


def test_all_together() -> None:
    data = squares()
    found = evidence(data, {"a": blurred(data, 1, 0), "bb": blurred(data, 1, 4)})
    design = of_first_seed(found)
    claims = comparison.claims(found, ["bb", "a"], {}, design, SETTINGS)
    decisive = claims[claims["decisive"]]
    planned = decisive[decisive["family"] == "confirmatory"].set_index("claim")
    assert list(planned.index) == ["epochs", "low_contrast", "perturbations", "outliers"]
    assert planned.loc["low_contrast", "verdict"] == planned.loc["epochs", "verdict"] == SUPPORTED
    assert (planned["p_corrected"] >= planned["p"]).all()
    itself = decisive[decisive["family"] == "same network"]
    assert list(itself.groupby("model").size()) == [4, 4]
    assert (itself["model"] == itself["reference"]).all()
    assert set(itself["verdict"]) == {INCONCLUSIVE}
    assert set(claims["family"][~claims["decisive"]]) == {"exploratory"}
    intervals = comparison.intervals(found, design, SETTINGS).set_index(["model", "measure"])
    row = intervals.loc[("bb", "jaccard")]
    assert row["low"] < row["mean"] < row["high"]
    assert (row["images"], row["seeds"]) == (30, 3)
    compared = comparison.comparisons(found, ["bb", "a"], design, SETTINGS).set_index("measure")
    assert compared.loc["jaccard", "difference"] > 0
    assert compared.loc["hd95", "difference"] > 0
    assert compared.loc["hd95", "p_corrected"] < 0.05
    pd.testing.assert_frame_equal(claims, comparison.claims(found, ["bb", "a"], {}, design, SETTINGS))


def test_a_network_that_hardly_beats_the_baselines_once_leaves_every_claim_inconclusive() -> None:
    data = squares()
    found = evidence(data, {"a": blurred(data, 1, 0), "bb": blurred(data, 1, 4)})
    assert found.objection(["a", "bb"], 0.05) == ""
    collapsed = (found.images["model"] == "bb") & (found.images["fold"] == 2) & (found.images["seed"] == 3)
    images = found.images.assign(jaccard=found.images["jaccard"].where(~collapsed, 0.0))
    poor = replace(found, images=images)
    assert poor.objection(["a", "bb"], 0.05) == "bb hardly beats the baselines in 1 of 15 trainings"
    claims = comparison.claims(poor, ["bb", "a"], {"unet_bn": "bb", "multiresunet": "a"}, of_first_seed(poor), SETTINGS)
    on_both = claims[claims["model"] != claims["reference"]]
    assert "ablation" in set(on_both["claim"])
    assert set(on_both["verdict"]) == {INCONCLUSIVE}
    assert set(on_both["reason"]) == {"bb hardly beats the baselines in 1 of 15 trainings"}


def test_a_single_model_has_nothing_to_be_compared_with() -> None:
    data = squares()
    found = evidence(data, {"a": blurred(data, 1, 0)})
    claims = comparison.claims(found, ["a"], {}, of_first_seed(found), EVALUATE)
    assert set(claims["family"]) == {"same network"}
    assert comparison.comparisons(found, ["a"], of_first_seed(found), EVALUATE).empty


def test_too_few_images_are_noted() -> None:
    assert comparison.note(30, 5, 3, EVALUATE) == ""
    assert "8 independent images and 2 folds" in comparison.note(8, 2, 3, EVALUATE)
    assert comparison.note(30, 5, 1, EVALUATE) == "preliminary: 1 of 3 seeds"


def test_groups_are_units_only_where_they_bind_images() -> None:
    images = pd.DataFrame({"fold": [0, 0, 1, 1], "group": ["u2os", "u2os", "3t3", "3t3"]})
    units = {grouped: comparison.design_of(images, EVALUATE, 0, grouped=grouped).units for grouped in (True, False)}
    assert len(np.unique(units[True])) == 2
    assert len(np.unique(units[False])) == 4


def test_neighbours_in_one_block_are_one_unit_and_decide_nothing() -> None:
    data = squares()
    found = evidence(data, {"a": blurred(data, 1, 0), "bb": blurred(data, 1, 4)})
    images = found.side("a").of_seed(1).images
    design = comparison.design_of(images, SETTINGS, 0, grouped=False, one_block=True)
    claims = comparison.claims(found, ["bb", "a"], {}, design, SETTINGS)
    assert set(claims["verdict"]) == {INCONCLUSIVE}
    assert set(claims["reason"]) == {"1 independent image is too few; 12 are needed"}
    over_images = claims["claim"] != "epochs"
    assert claims["low"][over_images].isna().all()
    assert claims["low"][~over_images].notna().any()  # of the folds, which are of the same block
