"""The four claims on made-up networks: what is better by construction is found so, and what isn't, isn't."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import comparison, tables
from multiresunet.evaluation.claims import ablation, epochs, low_contrast, outliers, robustness
from multiresunet.evaluation.claims.verdict import (
    INCONCLUSIVE,
    NOT_SUPPORTED,
    SUPPORTED,
    Advantage,
    Bench,
    Finding,
    judge,
)
from multiresunet.evaluation.comparison import Evidence

EVALUATE = config.load().evaluate
RULE = EVALUATE.verdict
FOLDS = np.repeat(np.arange(5), 6)


def bench(count: int = 30) -> Bench:
    return Bench(FOLDS[:count], np.arange(count), EVALUATE.statistics, 1)


def verdict(finding: Finding) -> str:
    return judge(finding, finding.advantage.p, RULE)[0]


# 1: epochs


def history(delays: dict[str, float], folds: int = 5, count: int = 40) -> pd.DataFrame:
    """Curves 0.8·(1 - exp(-epoch/delay)), with a fold's own jitter."""
    rng = np.random.default_rng(0)
    jitter = 1 + 0.05 * rng.normal(size=folds)
    rows = [
        {"model": m, "fold": f, "epoch": e, "test_jaccard": 0.8 * (1 - math.exp(-e / (delay * jitter[f])))}
        for m, delay in delays.items()
        for f in range(folds)
        for e in range(1, count + 1)
    ]
    return pd.DataFrame(rows)


def of_epochs(table: pd.DataFrame, objection: str = "") -> list[Finding]:
    return epochs.findings(table, "a", "b", bench(), EVALUATE.epochs, RULE.min_effect["epochs"], objection)


def test_epochs_by_hand() -> None:
    curve = [0.1, 0.5, 0.4, 0.6]
    assert [epochs.epochs_to(curve, target) for target in (0.1, 0.45, 0.6, 0.7)] == [1, 2, 4, 5]


def test_a_faster_network_is_found_faster() -> None:
    findings = of_epochs(history({"a": 4, "b": 12}))
    assert findings[0].decisive
    assert verdict(findings[0]) == SUPPORTED
    # 95 % of the reference's last score: -ln(0.05 + …)·delay epochs, a third for the faster.
    assert findings[0].of_reference / findings[0].of_model == pytest.approx(3, rel=0.15)
    assert findings[-1].advantage.value > 0


@pytest.mark.parametrize("delays", [{"a": 8, "b": 8}, {"a": 12, "b": 4}])
def test_a_network_that_is_not_faster_is_not_found_so(delays: dict[str, float]) -> None:
    assert verdict(of_epochs(history(delays))[0]) == NOT_SUPPORTED


def test_too_few_folds_and_an_unlearnt_reference_tell_nothing() -> None:
    assert verdict(of_epochs(history({"a": 4, "b": 12}, folds=2))[0]) == INCONCLUSIVE
    assert verdict(of_epochs(history({"a": 4, "b": 12}), "b hasn't learnt")[0]) == INCONCLUSIVE


# 2: low-contrast boundaries


def squares(count: int = 30) -> PreparedDataset:
    """48×48 images with a square whose left half stands out strongly, and whose right half hardly does."""
    rng = np.random.default_rng(2)
    masks = np.zeros((count, 48, 48), dtype=np.uint8)
    masks[:, 12:36, 8:40] = 1
    light = np.where(np.arange(48) < 24, 150, 12)
    images = 60 + masks * light + rng.normal(0, 2, masks.shape)
    table = pd.DataFrame({"sample": [f"s{i:02d}" for i in range(count)], "group": "", "fold": FOLDS[:count]})
    return PreparedDataset(images[:, None].astype(np.uint8), masks, table)


def blurred(data: PreparedDataset, strong: int, weak: int) -> np.ndarray:
    """Predictions whose boundary is `strong` pixels off in the left half and about `weak` in the right."""
    rng = np.random.default_rng(3)
    predictions = np.zeros(data.masks.shape, dtype=bool)
    for index, mask in enumerate(data.masks.astype(bool)):
        parts = [
            ndimage.binary_dilation(mask, iterations=off) if off else mask
            for off in (strong, max(0, weak + int(rng.integers(-1, 2))) if weak else 0)
        ]
        predictions[index, :, :24], predictions[index, :, 24:] = parts[0][:, :24], parts[1][:, 24:]
    return predictions


def of_faint(ours: np.ndarray, theirs: np.ndarray, data: PreparedDataset) -> list[Finding]:
    tables = [low_contrast.measure(data, predicted, EVALUATE.low_contrast) for predicted in (ours, theirs)]
    return low_contrast.findings(
        *tables, ("a", "b"), bench(), EVALUATE.low_contrast.lowest_share, RULE.min_effect["low_contrast"]
    )


def test_local_contrast_by_hand() -> None:
    image = np.full((2, 9, 9), 0.25)
    truth = np.zeros((9, 9), dtype=bool)
    truth[3:6, 3:6] = True
    image[0, truth], image[1, truth] = 0.55, 0.65
    contrast = low_contrast.local_contrast(image, truth, 2)
    np.testing.assert_allclose(contrast, math.sqrt((0.3**2 + 0.4**2) / 2))


def test_a_network_better_at_faint_boundaries_is_found_so() -> None:
    data = squares()
    findings = of_faint(blurred(data, 2, 0), blurred(data, 2, 4), data)
    at_faint, elsewhere, against = findings
    assert [f.decisive for f in findings] == [True, False, False]
    assert verdict(at_faint) == SUPPORTED
    assert at_faint.advantage.value == pytest.approx(4, abs=1)
    assert against.advantage.value > 1
    assert verdict(against) == SUPPORTED
    assert elsewhere.advantage.value < at_faint.advantage.value


@pytest.mark.parametrize("offs", [((2, 4), (2, 4)), ((2, 4), (2, 0)), ((0, 4), (3, 4))])
def test_a_network_that_is_not_better_there_is_not_found_so(offs: tuple[tuple[int, int], tuple[int, int]]) -> None:
    data = squares()
    ours, theirs = (blurred(data, *off) for off in offs)
    assert verdict(of_faint(ours, theirs, data)[0]) == NOT_SUPPORTED


def test_better_everywhere_alike_is_not_better_at_faint_boundaries_in_particular() -> None:
    data = squares()
    at_faint, _, against = of_faint(blurred(data, 0, 0), blurred(data, 4, 4), data)
    assert verdict(at_faint) == SUPPORTED
    assert verdict(against) != SUPPORTED


def test_an_absent_prediction_costs_the_cap() -> None:
    data = squares()
    table = low_contrast.measure(data, np.zeros(data.masks.shape, dtype=bool), EVALUATE.low_contrast)
    assert (table["error"] == EVALUATE.low_contrast.cap).all()
    assert len(low_contrast.curves({"m": table})) == 8


# 3: perturbations


def lost(drop_a: float, drop_b: float, count: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = [
        {"model": m, "kind": kind, "severity": s, "sample": f"s{i:02d}", "clean": 0.8, "drop": d}
        for m, drop in (("a", drop_a), ("b", drop_b))
        for kind in ("gaussian", "blur")
        for s in (1, 5)
        for i, d in enumerate(drop + 0.03 * rng.normal(size=count))
    ]
    table = pd.DataFrame(rows)
    return table.assign(jaccard=table["clean"] - table["drop"])


def of_perturbations(table: pd.DataFrame, count: int = 30, objection: str = "") -> Finding:
    samples = [f"s{i:02d}" for i in range(count)]
    return robustness.findings(table, samples, "a", "b", bench(count), 0.02, objection)[0]


def test_an_immune_network_is_found_immune_and_another_is_not() -> None:
    assert verdict(of_perturbations(lost(0.05, 0.15))) == SUPPORTED
    assert verdict(of_perturbations(lost(0.10, 0.10))) == NOT_SUPPORTED
    assert verdict(of_perturbations(lost(0.15, 0.05))) == NOT_SUPPORTED
    assert verdict(of_perturbations(lost(0.05, 0.15), objection="b hasn't learnt")) == INCONCLUSIVE


def test_images_that_were_not_perturbed_do_not_count() -> None:
    finding = of_perturbations(lost(0.05, 0.15, count=6))
    assert finding.advantage.units == 6
    assert verdict(finding) == INCONCLUSIVE


def test_perturbed_images_are_the_same_for_every_network_and_scored_against_the_moved_mask(
    disc_images: PreparedDataset,
) -> None:
    seen: list[np.ndarray] = []

    def truth_itself(fold: int, images: PreparedDataset) -> np.ndarray:
        seen.append(np.asarray(images.images))
        return np.asarray(images.masks, dtype=bool)

    def run() -> pd.DataFrame:
        amounts = {kind: EVALUATE.perturbations[kind] for kind in ("rotation", "gaussian")}  # type: ignore[index]
        extent = config.Perturbed(images=6, severities=[2, 4])
        return robustness.perturbed_scores(
            truth_itself,
            disc_images,
            amounts,  # type: ignore[arg-type]
            extent,
            standardised=False,
            seed=1,
            name="d",
        )

    first, second = run(), run()
    pd.testing.assert_frame_equal(first, second)
    half = len(seen) // 2
    for one, two in zip(seen[:half], seen[half:], strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first["jaccard"] == 1).all()
    assert len(first) == 2 * 2 * 6
    assert set(first.groupby("fold")["sample"].nunique()) == {2}


def test_drops_by_hand() -> None:
    images = pd.DataFrame({"model": "m", "sample": ["x", "y"], "jaccard": [0.8, 0.6]})
    perturbed = pd.DataFrame(
        {"model": "m", "kind": ["k", "k", "l", "l"], "severity": 1, "fold": 0, "sample": ["x", "y"] * 2}
        | {"jaccard": [0.4, 0.6, 0.8, 0.0]}
    )
    table = robustness.table(robustness.drops(images, perturbed)).set_index("kind")
    assert table.loc["k", "drop"] == pytest.approx(0.2)
    assert table.loc["l", "retained"] == pytest.approx(0.4 / 0.7)
    assert table.loc["all", "drop"] == pytest.approx((0.2 + 0.3) / 2)


# 4: outliers


def of_outliers(ours: np.ndarray, theirs: np.ndarray) -> list[Finding]:
    distances = np.linspace(0, 1, len(ours))
    return outliers.findings(
        ours, theirs, distances, ("a", "b"), bench(), EVALUATE.outliers, RULE.min_effect["outliers"]
    )


def test_a_network_without_a_bad_tail_is_found_so() -> None:
    rng = np.random.default_rng(5)
    steady = rng.normal(0.80, 0.02, 30)
    shaky = steady + rng.normal(0, 0.01, 30)
    shaky[::3] -= 0.5  # in every fold
    tail, _, failures = of_outliers(steady, shaky)
    assert verdict(tail) == SUPPORTED
    assert tail.of_model - tail.of_reference == pytest.approx(0.5, abs=0.05)
    assert failures.of_reference > failures.of_model == 0
    assert verdict(of_outliers(shaky, steady)[0]) == NOT_SUPPORTED


def test_a_better_mean_with_the_same_tail_is_no_better_tail() -> None:
    rng = np.random.default_rng(6)
    theirs = rng.normal(0.7, 0.01, 30)
    theirs[::3] = 0.2
    ours = theirs + np.where(theirs > 0.5, 0.1, 0)
    assert verdict(of_outliers(ours, theirs)[0]) == NOT_SUPPORTED


def test_far_images_are_found(disc_images: PreparedDataset) -> None:
    images = disc_images.images.copy()
    images[5] = 255 - images[5] // 3
    odd = replace(disc_images, images=images)
    distances = outliers.distance_to_training(outliers.features(odd), odd.folds)
    assert distances.argmax() == 5
    assert distances[5] > 3 * np.median(distances)


def test_outliers_by_hand() -> None:
    images = pd.DataFrame({"model": "m", "sample": list("abcdefghij"), "jaccard": np.arange(10) / 10})
    row = outliers.table(images, pd.Series(np.arange(10), index=list("jihgfedcba")), EVALUATE.outliers).iloc[0]
    assert (row["tail"], row["far"], row["failures"], row["images"]) == (0, 0, 3, 10)


# the ablation, and all together


def ablation_tables(**columns: tuple[float, float]) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(8)
    return {
        name: pd.DataFrame(
            {"fragments": 1 + pieces, "holes": 0.0, "boundary_f1_1": edges + 0.01 * rng.normal(size=30)},
            index=range(30),
        )
        for name, (pieces, edges) in columns.items()
    }


def test_the_notes_reading_is_found_where_it_is_true_and_only_there() -> None:
    networks = {name: name for name in ablation.NETWORKS}

    def verdicts(**columns: tuple[float, float]) -> list[str]:
        tables = ablation_tables(**columns)
        return [verdict(f) for f in ablation.findings(tables, networks, bench(), 1, RULE.min_effect)]

    as_read = verdicts(unet=(1, 0.6), unet_respath=(0.3, 0.6), unet_multires=(1, 0.8), multiresunet=(0.2, 0.8))
    assert as_read == [expected for *_, expected in ablation.STATEMENTS]
    otherwise = verdicts(unet=(0, 0.6), unet_respath=(0, 0.8), unet_multires=(0, 0.6), multiresunet=(0, 0.6))
    assert otherwise == [NOT_SUPPORTED, SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED]


def test_statements_about_absent_networks_are_left_out() -> None:
    tables = ablation_tables(unet=(0, 0.5), multiresunet=(0, 0.5))
    assert (
        len(ablation.findings(tables, {"unet": "unet", "multiresunet": "multiresunet"}, bench(), 1, RULE.min_effect))
        == 2
    )


def test_who_is_held_against_whom() -> None:
    models = ["unet", "unet_bn", "multiresunet"]
    assert comparison.pairs(models, ["unet", "unet_bn"]) == [
        ("unet_bn", "unet"),
        ("multiresunet", "unet"),
        ("multiresunet", "unet_bn"),
    ]
    assert comparison.pairs(["multiresunet"], ["unet"]) == []


def evidence(data: PreparedDataset, predictions: dict[str, np.ndarray]) -> Evidence:
    tables = [tables.per_image(data, name, p, p, EVALUATE.tolerances) for name, p in predictions.items()]
    images = pd.concat(tables)
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
    prepared = comparison.bench_of(found.of("a"), settings, 0, grouped=True)
    claims = comparison.claims(found, ["b", "a"], {}, prepared, settings)
    decisive = claims[claims["decisive"]].set_index("claim")
    assert list(decisive.index) == ["epochs", "low_contrast", "perturbations", "outliers"]
    assert decisive.loc["low_contrast", "verdict"] == decisive.loc["epochs", "verdict"] == SUPPORTED
    assert (decisive["p_holm"] >= decisive["p"]).all()
    intervals = comparison.intervals(found, prepared, settings).set_index(["model", "measure"])
    row = intervals.loc[("b", "jaccard")]
    assert row["low"] < row["mean"] < row["high"]
    compared = comparison.comparisons(found, ["b", "a"], prepared, settings).set_index("measure")
    assert compared.loc["jaccard", "difference"] > 0
    assert compared.loc["hd95", "difference"] > 0
    assert compared.loc["hd95", "p_holm"] < 0.05
    pd.testing.assert_frame_equal(claims, comparison.claims(found, ["b", "a"], {}, prepared, settings))


def test_a_network_that_has_learnt_nothing_in_one_fold_is_objected_to() -> None:
    data = squares()
    poor = blurred(data, 1, 0)
    poor[FOLDS == 2] = False
    nothing = dict.fromkeys(("everything foreground", "Otsu threshold"), np.ones(data.masks.shape, dtype=bool))
    found = evidence(data, {"a": blurred(data, 1, 0), "b": poor, **nothing})
    assert found.unlearnt(["a"], 0.02) == ""
    assert found.unlearnt(["a", "b"], 0.02) == "b hardly beats what learns nothing in 1 of 5 folds"
    settings = EVALUATE.model_copy(update={"references": ["b"]})
    claims = comparison.claims(
        found, ["b", "a"], {}, comparison.bench_of(found.of("a"), settings, 0, grouped=True), settings
    )
    decisive = claims[claims["decisive"]].set_index("claim")
    assert set(decisive.loc[["epochs", "perturbations"], "verdict"]) == {INCONCLUSIVE}
    objected = decisive["reason"].str.contains("learns nothing")
    assert objected.to_dict() == {"epochs": True, "low_contrast": False, "perturbations": True, "outliers": False}


def test_a_single_model_has_nobody_to_be_held_against() -> None:
    data = squares()
    found = evidence(data, {"a": blurred(data, 1, 0), "b": blurred(data, 1, 0)})
    prepared = comparison.bench_of(found.of("a"), EVALUATE, 0, grouped=True)
    assert comparison.claims(found, ["a"], {}, prepared, EVALUATE).empty
    assert comparison.comparisons(found, ["a"], prepared, EVALUATE).empty


def test_too_few_images_are_noted() -> None:
    assert comparison.note(30, 5, EVALUATE) == ""
    assert "8 independent images and 2 folds" in comparison.note(8, 2, EVALUATE)


def advantage(**changes: Any) -> Finding:
    numbers = {"value": 0.5, "low": 0.3, "high": 0.7, "p": 0.001, "effect": 1.0, "folds": (0.5,) * 5, "units": 30}
    return Finding("c", "m", "a", "b", 1.0, 0.5, Advantage(**numbers | changes), "px", least=0.1, decisive=True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, SUPPORTED),
        ({"folds": (0.5, 0.5, 0.5, -0.1, -0.1)}, INCONCLUSIVE),
        ({"folds": (0.5, 0.5)}, INCONCLUSIVE),
        ({"units": 5}, INCONCLUSIVE),
        ({"p": 0.2}, INCONCLUSIVE),
        ({"low": -0.1}, INCONCLUSIVE),
        ({"value": 0.05, "low": 0.01, "high": 0.2}, INCONCLUSIVE),
        ({"value": 0.05, "low": 0.01, "high": 0.09}, NOT_SUPPORTED),
        ({"value": -0.5, "low": -0.7, "high": -0.3}, NOT_SUPPORTED),
        ({"low": math.nan, "high": math.nan}, INCONCLUSIVE),
    ],
)
def test_the_rule(changes: dict[str, Any], expected: str) -> None:
    assert verdict(advantage(**changes)) == expected


def test_groups_that_bind_nothing_are_no_units() -> None:
    images = pd.DataFrame({"fold": [0, 0, 1, 1], "group": ["u2os", "u2os", "3t3", "3t3"]})
    units = {grouped: comparison.bench_of(images, EVALUATE, 0, grouped=grouped).units for grouped in (True, False)}
    assert len(np.unique(units[True])) == 2
    assert len(np.unique(units[False])) == 4
