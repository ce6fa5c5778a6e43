"""All claims together, intervals, and comparisons of every pair."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import comparison, tables
from multiresunet.evaluation.claims import low_contrast, robustness
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, SUPPORTED
from multiresunet.evaluation.comparison import Evidence
from tests.evaluation.claims.making import EVALUATE, FOLDS, blurred, history, lost, squares


def evidence(data: PreparedDataset, predictions: dict[str, np.ndarray]) -> Evidence:
    images = pd.concat([tables.per_image(data, name, p, p, EVALUATE.tolerances) for name, p in predictions.items()])
    perturbed = lost(0.1, 0.1)[["model", "kind", "severity", "sample", "jaccard"]]
    return Evidence(
        images,
        history({"a": 4, "b": 12}),
        robustness.drops(images, perturbed),
        {name: low_contrast.measure(data, predictions[name], EVALUATE.low_contrast) for name in ("a", "b")},
        pd.Series(np.linspace(0, 1, len(data.table)), index=data.table["sample"]),
    )


def test_all_together() -> None:
    data = squares()
    everything = np.ones(data.masks.shape, dtype=bool)
    found = evidence(
        data,
        {
            "a": blurred(data, 1, 0),
            "b": blurred(data, 1, 4),
            "everything foreground": everything,
            "Otsu threshold": everything,
        },
    )
    settings = EVALUATE.model_copy(update={"references": ["b"]})
    of_images = comparison.design_of(found.of("a"), settings, 0, grouped=True)
    claims = comparison.claims(found, ["b", "a"], {}, of_images, settings)
    decisive = claims[claims["decisive"]].set_index("claim")
    assert list(decisive.index) == ["epochs", "low_contrast", "perturbations", "outliers"]
    assert decisive.loc["low_contrast", "verdict"] == decisive.loc["epochs", "verdict"] == SUPPORTED
    assert (decisive["p_holm"] >= decisive["p"]).all()
    intervals = comparison.intervals(found, of_images, settings).set_index(["model", "measure"])
    row = intervals.loc[("b", "jaccard")]
    assert row["low"] < row["mean"] < row["high"]
    compared = comparison.comparisons(found, ["b", "a"], of_images, settings).set_index("measure")
    assert compared.loc["jaccard", "difference"] > 0
    assert compared.loc["hd95", "difference"] > 0
    assert compared.loc["hd95", "p_holm"] < 0.05
    pd.testing.assert_frame_equal(claims, comparison.claims(found, ["b", "a"], {}, of_images, settings))


def test_a_network_that_hardly_beats_the_baselines_in_one_fold_is_named() -> None:
    data = squares()
    poor = blurred(data, 1, 0)
    poor[FOLDS == 2] = False
    nothing = dict.fromkeys(("everything foreground", "Otsu threshold"), np.ones(data.masks.shape, dtype=bool))
    found = evidence(data, {"a": blurred(data, 1, 0), "b": poor, **nothing})
    assert found.objection(["a"], 0.02) == ""
    assert found.objection(["a", "b"], 0.02) == "b hardly beats the baselines in 1 of 5 folds"
    settings = EVALUATE.model_copy(update={"references": ["b"]})
    claims = comparison.claims(
        found, ["b", "a"], {}, comparison.design_of(found.of("a"), settings, 0, grouped=True), settings
    )
    decisive = claims[claims["decisive"]].set_index("claim")
    assert set(decisive.loc[["epochs", "perturbations"], "verdict"]) == {INCONCLUSIVE}
    named = decisive["reason"].str.contains("hardly beats the baselines")
    assert named.to_dict() == {"epochs": True, "low_contrast": False, "perturbations": True, "outliers": False}


def test_a_single_model_has_nothing_to_be_compared_with() -> None:
    data = squares()
    found = evidence(data, {"a": blurred(data, 1, 0), "b": blurred(data, 1, 0)})
    of_images = comparison.design_of(found.of("a"), EVALUATE, 0, grouped=True)
    assert comparison.claims(found, ["a"], {}, of_images, EVALUATE).empty
    assert comparison.comparisons(found, ["a"], of_images, EVALUATE).empty


def test_too_few_images_are_noted() -> None:
    assert comparison.note(30, 5, EVALUATE) == ""
    assert "8 independent images and 2 folds" in comparison.note(8, 2, EVALUATE)


def test_groups_are_units_only_where_they_bind_images() -> None:
    images = pd.DataFrame({"fold": [0, 0, 1, 1], "group": ["u2os", "u2os", "3t3", "3t3"]})
    units = {grouped: comparison.design_of(images, EVALUATE, 0, grouped=grouped).units for grouped in (True, False)}
    assert len(np.unique(units[True])) == 2
    assert len(np.unique(units[False])) == 4
