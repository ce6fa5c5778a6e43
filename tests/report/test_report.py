"""Tables and figures from scores."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multiresunet import config
from multiresunet.errors import UserError
from multiresunet.evaluation import BASELINES, TOO_FEW
from multiresunet.evaluation.claims import ablation
from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED
from multiresunet.evaluation.tables import SCORES
from multiresunet.report import advice, answer, charts, export, figures, page, provenance, tables, verdicts
from multiresunet.report.advice import RISES, Warning
from multiresunet.report.svg import Axis, Dot, Line, dots, lines, standalone
from stages.report import report

SVG = "{http://www.w3.org/2000/svg}"
X, Y = Axis("x", 0, 1), Axis("y", 0, 1)


def folds() -> pd.DataFrame:
    rows = [
        {
            "dataset": dataset,
            "model": model,
            "fold": fold,
            "images": 5,
            **dict.fromkeys(SCORES, 0.1 * (fold + 1) + bonus),
        }
        for dataset in ("zebra", "ant")
        for model, bonus in (("unet", 0.0), ("multiresunet", 0.2), ("Otsu threshold", 0.05))
        for fold in range(3)
    ]
    return pd.DataFrame(rows)


def tuning(study: str = "nested") -> pd.DataFrame:
    name = "tuning_improvement"
    numbers = {"study": study, name: 0.02, f"{name}_low": -0.01, f"{name}_high": 0.05}
    return pd.DataFrame([{"dataset": "ant", "model": "multiresunet", **numbers}])


def summary(study: str = "nested") -> pd.DataFrame:
    return tables.summary({"folds": folds(), "tuning": tuning(study)})


def test_the_summary_keeps_the_order_of_the_run() -> None:
    table = summary()
    assert list(table["dataset"]) == ["zebra"] * 3 + ["ant"] * 3
    assert table["jaccard"].iloc[1] == pytest.approx(0.4)
    assert table["jaccard_sd"].iloc[1] == pytest.approx(0.1)


def test_the_summary_has_the_tuning_improvement_and_which_score_is_optimistic() -> None:
    table = summary("shared (optimistic)").set_index(["dataset", "model"])
    columns = ["study", *(f"tuning_improvement{end}" for end in ("", "_low", "_high"))]
    tuned = table.loc[[("ant", "multiresunet")], columns]
    assert tuned.to_numpy().tolist() == [["shared (optimistic)", 0.02, -0.01, 0.05]]
    assert table.drop(index=("ant", "multiresunet"))[columns].isna().all(axis=None)


def test_the_tree_is_what_dvc_diffs() -> None:
    tree = tables.as_tree(summary())
    assert tree["ant"]["Otsu_threshold"]["dice"] == 0.25


def test_tables_are_gathered_with_their_data_set(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pd.DataFrame({"x": [name]}).to_csv(tmp_path / name / "t.csv", index=False)
    gathered = tables.gather(tmp_path, ["b", "a"], "t.csv")
    assert gathered.to_dict("list") == {"dataset": ["b", "a"], "x": ["b", "a"]}


def test_an_empty_table_leaves_the_others_their_numbers(tmp_path: Path) -> None:
    for name, table in {"a": pd.DataFrame({"x": [0.5]}), "b": pd.DataFrame(columns=["x"])}.items():
        (tmp_path / name).mkdir()
        table.to_csv(tmp_path / name / "t.csv", index=False)
    assert tables.gather(tmp_path, ["b", "a"], "t.csv")["x"].dtype == float
    assert list(tables.gather(tmp_path, ["b"], "t.csv").columns) == ["dataset", "x"]


def test_examples_repeat_to_the_byte_and_show_something(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((3, 20, 30), dtype=bool)
    truth[:, 5:15, 8:20] = True
    np.savez(
        tmp_path / "examples.npz",
        image=rng.integers(0, 255, (3, 3, 20, 30), dtype=np.uint8),
        truth=truth,
        predictions=np.stack([truth, ~truth], axis=1),
        jaccard=np.ones((3, 2)),
        samples=np.array(["a", "b", "c"]),
        ranks=np.array(["worst", "middle", "best"]),
        models=np.array(["unet", "multiresunet"]),
    )
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        figures.examples(tmp_path / "examples.npz", tmp_path / name / "examples.png")
    assert (tmp_path / "one/examples.png").read_bytes() == (tmp_path / "two/examples.png").read_bytes()
    with Image.open(tmp_path / "one/examples.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5


def test_a_page_without_results_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"metrics/summary\.csv is missing; run `dvc repro`"):
        page.render()


def test_the_stage_names_the_stage_to_run_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"data/evaluated/nuclei is missing; run `dvc repro evaluate@nuclei` first"):
        report()


def test_the_paper_stands_beside_us() -> None:
    table = tables.beside_the_paper(summary(), {"zebra": "endoscopy (phantom)", "ant": "photography"})
    assert len(table) == 1
    row = table.iloc[0]
    assert row["U-Net, paper"] == "74.5 ± 1.5"
    assert row["MultiResUNet, ours"] == "40.0 ± 10.0"
    assert row["relative improvement, paper"] == "+10.2 %"
    assert row["relative improvement, ours"] == "+100.0 %"


def test_the_overview_has_each_models_interval_and_hollow_baselines() -> None:
    scores = pd.DataFrame(
        [
            ("a", "unet", "jaccard", 0.5, 0.4, 0.7),
            ("a", "unet", "dice", 0.9, 0.8, 0.95),
            ("a", "Otsu threshold", "jaccard", 0.3, 0.2, 0.35),
        ],
        columns=["dataset", "model", "measure", "mean", "low", "high"],
    )
    drawn = charts.overview(scores, ["a"])
    assert "a, unet: 50.0 (40.0 to 70.0)" in drawn
    assert ": 90.0" not in drawn
    assert drawn.count("<circle") == 2
    assert drawn.count('fill="var(--paper)"') == 1


@pytest.mark.parametrize(
    ("claim", "advantage", "words"),
    [
        ("epochs", 0.57, "saves 57 % of the epochs"),
        ("epochs", -0.03, "takes 3 % of the epochs more"),
        ("low_contrast", -0.31, "error grows 0.31 px more towards low contrast"),
        ("perturbations", -0.02, "retains 2.0 points less"),
        ("outliers", 0.05, "worst 20 %: 5.0 points better"),
        ("outliers", math.nan, "nothing to compare"),
    ],
)
def test_an_advantage_in_words(claim: str, advantage: float, words: str) -> None:
    assert verdicts.magnitude(claim, advantage, 0.2) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0774, "Jaccard", "+7.7 Jaccard points"),
        (-0.012, "boundary F1", "-1.2 boundary F1 points"),
        (0.135, "flaws per region", "0.14 fewer flaws per region"),
        (-0.08, "flaws per region", "0.08 more flaws per region"),
        (math.nan, "Jaccard", "nothing to compare"),
    ],
)
def test_an_advantage_of_the_ablation_in_words(value: float, unit: str, words: str) -> None:
    assert verdicts.amount(value, unit) == words
    assert set(verdicts.POINTS) < set(ablation.UNITS.values())


def compared(**differences: tuple[float, float, float]) -> pd.DataFrame:
    """Of multiresunet and unet_bn on data sets: difference and interval; one of them as the other's difference."""
    rows = [
        {"dataset": name, "model": "multiresunet", "other": "unet_bn", "measure": "jaccard", "seeds": 3, "note": ""}
        | dict(zip(("difference", "low", "high"), numbers, strict=True))
        for name, numbers in differences.items()
    ]
    return pd.DataFrame(rows)


def loaded(*datasets: str) -> config.Params:
    found = config.load()
    run = found.run.model_copy(update={"datasets": list(datasets), "models": ["unet_bn", "multiresunet"]})
    return found.model_copy(update={"run": run})


@pytest.mark.parametrize(
    ("numbers", "seeds", "sentence"),
    [
        ((-0.03, -0.05, -0.01), 3, "No: multiresunet is 3.0 Jaccard points below unet_bn (95 % interval 1.6 to 4.4),"),
        ((0.03, 0.01, 0.05), 3, "Yes: multiresunet is 3.0 Jaccard points above unet_bn (95 % interval 1.6 to 4.4),"),
        (
            (0.01, -0.03, 0.05),
            3,
            "Not shown: multiresunet is 1.0 Jaccard points above unet_bn (95 % interval 1.8 below to 3.8 above), mean",
        ),
        ((0.03, 0.01, 0.05), 1, "Yes, preliminary (1 of 3 seeds): multiresunet is 3.0"),
    ],
)
def test_the_sentence_answers_with_difference_interval_control_and_cost(
    numbers: tuple[float, float, float], seeds: int, sentence: str
) -> None:
    cost = [(name, *one) for name in "abc" for one in (("unet_bn", 10), ("multiresunet", 25), ("unet_bn_respath", 20))]
    scores = {"unet_bn": (0.8, 0.8, 0.0), "multiresunet": (0.7, 0.7, 0.7), "Otsu threshold": (0.9, 0.9, 0.9)}
    summary = [
        (name, model, one) for model, several in scores.items() for name, one in zip("abc", several, strict=True)
    ]
    kept = {
        "comparisons": compared(a=numbers, b=numbers, c=(0.7, 0.6, 0.8)).assign(seeds=seeds),
        "cost": pd.DataFrame(cost, columns=["dataset", "model", "work"]),
        "summary": pd.DataFrame(summary, columns=["dataset", "model", "jaccard"]),
    }
    run = loaded("a", "b", "c")
    told = answer.headline(kept, run, {"a": set(), "b": {"unet"}, "c": {"unet_bn"}})
    assert told[0].startswith(sentence)
    ahead = 2 if numbers[0] > 0 else 0
    assert told[0].endswith(f"mean over 2 data sets, ahead on {ahead} of them, for 2.5 times the work per image.")
    one_decides = kept | {"comparisons": compared(a=(0.3, 0.2, 0.4), b=(-0.01, -0.03, 0.01))}
    assert ", ahead on 1 of them," in answer.headline(one_decides, loaded("a", "b"), {"a": set(), "b": set()})[0]
    they_disagree = kept | {"comparisons": compared(a=(0.3, 0.2, 0.4), b=(-0.02, -0.03, -0.01))}
    mixed = answer.headline(they_disagree, loaded("a", "b"), {"a": set(), "b": set()})[0]
    assert mixed.startswith("It depends on the images: multiresunet is 14.0 Jaccard points above unet_bn")
    assert ", mean over 2 data sets, clearly above on a and clearly below on b, for 2.5 times" in mixed
    # Where the control fails, its score counts nowhere: over a, b and c multiresunet would be best.
    assert told[1:] == ["The best network is unet_bn.", "Left out: c, where unet_bn hardly beats the baselines."]
    assert answer.headline(kept, run, {"a": {"unet"}, "b": {"unet_bn"}, "c": {"multiresunet"}})[0].endswith(
        "on a, for 2.5 times the work per image."
    )
    everywhere = {"a": {"unet_bn"}, "b": {"unet_bn", "unet"}, "c": {"unet_bn"}}
    assert answer.headline(kept, run, everywhere) == [
        "No answer yet: unet_bn hardly beats the baselines on any data set; train longer."
    ]
    assert answer.headline(kept, run, everywhere | {"a": {"unet_bn", "multiresunet"}}) == [
        "No answer yet: unet_bn hardly beats the baselines on any data set; train longer."
    ]
    in_turn = {"a": {"unet_bn"}, "b": {"multiresunet"}, "c": {"multiresunet", "unet_bn"}}
    assert answer.headline(kept, run, in_turn) == [
        "No answer yet: on every data set one of the two networks hardly beats the baselines; train longer.",
        "Left out: a, where unet_bn hardly beats the baselines.",
        "Left out: b, where multiresunet hardly beats the baselines.",
        "Left out: c, where multiresunet and unet_bn hardly beat the baselines.",
    ]


def test_a_data_set_with_too_few_images_answers_nothing() -> None:
    kept, run = four_networks(0.01)
    few = f"{TOO_FEW} 1 independent image"
    block = kept["comparisons"].assign(note=kept["comparisons"]["dataset"].map({"a": "", "b": few}))
    block.loc[block["dataset"] == "b", ["low", "high"]] = math.nan
    told = answer.headline(kept | {"comparisons": block}, run, {"a": set(), "b": set()})
    assert "nan" not in " ".join(told)
    assert told[0].startswith("Not shown: multiresunet is 1.0 Jaccard points above unet_bn")
    assert told[-1] == "Left out: b, with 1 independent image."
    nothing = answer.headline(kept | {"comparisons": block.assign(note=few)}, run, {"a": {"unet_bn"}, "b": set()})
    assert nothing == [
        "No answer yet: no data set has images enough on which the networks work.",
        "Left out: a, where unet_bn hardly beats the baselines.",
        "Left out: b, with 1 independent image.",
    ]


@pytest.mark.parametrize(
    ("supported", "sentence"),
    [
        ([], "None of the paper’s four claims is supported on any data set."),
        (
            [("epochs", "a"), ("outliers", "a"), ("outliers", "b")],
            "Of the paper’s four claims supported: “needs fewer epochs” on 1 of 2, "
            "“more reliable on outliers” on 2 of 2 data sets.",
        ),
    ],
)
def test_the_answer_says_which_claims_are_supported(supported: list[tuple[str, str]], sentence: str) -> None:
    pair = {"model": "multiresunet", "reference": "unet_bn", "decisive": True}
    rows = [
        pair
        | {"claim": claim, "dataset": name, "reason": ""}
        | {"verdict": SUPPORTED if (claim, name) in supported else INCONCLUSIVE}
        for claim in [*verdicts.CLAIMS, "regions"]
        for name in "ab"
    ]
    others = [  # of another pair, of a measure that decides nothing, and of the ablation
        rows[0] | {"reference": "unet", "verdict": SUPPORTED},
        rows[0] | {"decisive": False, "verdict": SUPPORTED},
        rows[-1] | {"verdict": SUPPORTED},
    ]
    assert verdicts.in_a_sentence(pd.DataFrame(rows + others), loaded("a", "b")) == [sentence]


def test_with_too_few_seeds_the_answer_says_how_the_claims_stand_so_far() -> None:
    few = "preliminary: {} with 1 seed; 3 are needed"
    verdict = {"model": "multiresunet", "reference": "unet_bn", "decisive": True, "verdict": INCONCLUSIVE}
    reasons = [("epochs", "a", NOT_SUPPORTED), ("epochs", "b", NOT_SUPPORTED), ("outliers", "b", SUPPORTED)]
    rows = [verdict | {"claim": c, "dataset": d, "reason": few.format(would)} for c, d, would in reasons]
    rows.append(verdict | {"claim": "outliers", "dataset": "a", "reason": "the interval includes both"})
    assert verdicts.in_a_sentence(pd.DataFrame(rows), loaded("a", "b")) == [
        "With 1 of 3 seeds no verdict on the paper’s four claims is final. So far supported: “more reliable on "
        "outliers” on b; not supported: 2 of 4 verdicts; the rest is inconclusive."
    ]


def test_the_answer_names_what_is_not_trained_to_the_end() -> None:
    rises, falls = (Warning(m, k, "", "") for m, k in (("unet_bn", RISES), ("multiresunet", "overfitted")))
    other = Warning("unet", RISES, "", "")
    warned = {"a": [rises, other], "b": [falls], "c": [rises], "d": [rises]}
    assert answer.unfinished(warned, loaded("a", "b", "c", "d")) == [
        "Not trained to the end, so with room to gain: unet_bn on a, c and d."
    ]
    assert answer.unfinished({"a": [other, falls]}, loaded("a")) == []


def test_the_ablation_has_a_place_for_each_data_set() -> None:
    words = ablation.STATEMENTS[0].words
    cell = {"claim": "ablation", "measure": words, "verdict": SUPPORTED, "reason": "", "advantage": 0.1}
    rows = pd.DataFrame([cell | {"unit": "Jaccard", "dataset": "b"}])
    [row] = verdicts.ablation(rows, ["a", "b"])
    assert row["cells"][0] is None
    assert row["cells"][1]["words"] == "+10.0 Jaccard points"


def four_networks(low: float) -> tuple[dict[str, pd.DataFrame], config.Params]:
    """Tables in which unet_bn_respath is 2 points above unet_bn (from `low` on, on a), and unet_multires 10."""
    pairs = compared(a=(0.01, 0.0, 0.02), b=(0.01, 0.0, 0.02))
    best = compared(a=(0.02, low, 0.04 - low), b=(0.02, 0.02, 0.02)).replace("multiresunet", "unet_bn_respath")
    scores = [("unet_bn", 0.8), ("multiresunet", 0.81), ("unet_bn_respath", 0.82), ("unet_multires", 0.9)]
    kept = {
        "comparisons": pd.concat([pairs, best, best.replace("unet_bn_respath", "unet_multires")]),
        "cost": pd.DataFrame([(d, m, 10) for d in "ab" for m, _ in scores], columns=["dataset", "model", "work"]),
        "summary": pd.DataFrame([(d, m, s) for d in "ab" for m, s in scores], columns=["dataset", "model", "jaccard"]),
    }
    run = loaded("a", "b")
    run.run.models.extend(["unet_bn_respath", "unet_multires"])
    return kept, run


@pytest.mark.parametrize(
    ("low", "words"),
    [(-0.05, "(95 % interval 1.5 below to 5.5 above), which may be chance"), (0.01, "(95 % interval 1.5 to 2.5)")],
)
def test_the_best_network_stands_beside_the_control_whatever_was_planned(low: float, words: str) -> None:
    told = answer.headline(*four_networks(low), {"a": set(), "b": {"unet_multires"}})  # whose score on a is luck, then
    beside = f"The best network, unet_bn_respath, is 2.0 Jaccard points above unet_bn {words}, for 1.0 times the work."
    assert told[1:] == [beside]


@pytest.mark.parametrize(
    ("models", "poor", "first"),
    [
        (4, {"a": "", "b": ""}, "unet_multires scores best: a Jaccard index of 90.0 %, mean over 2 data sets."),
        (
            4,
            {"a": "unet_multires", "b": "multiresunet"},
            "unet_bn_respath scores best: a Jaccard index of 82.0 %, mean",
        ),
        (4, {"a": "unet_bn", "b": "unet_multires"}, "unet_bn_respath scores best: a Jaccard index of 82.0 %, on b."),
        (1, {"a": "multiresunet", "b": ""}, "No answer yet: every network hardly beats the baselines on at least one"),
    ],
)
def test_without_a_plan_the_best_network_that_beats_the_baselines_comes_first(
    models: int, poor: dict[str, str], first: str
) -> None:
    kept, run = four_networks(0.01)
    evaluate = run.evaluate.model_copy(update={"confirmatory": []})
    named = ["multiresunet"] if models == 1 else run.run.models
    unplanned = run.model_copy(update={"evaluate": evaluate, "run": run.run.model_copy(update={"models": named})})
    told = answer.headline(kept, unplanned, {name: set(filter(None, [one])) for name, one in poor.items()})
    assert told[0].startswith(first)


def test_ones_own_data_gets_the_cheapest_model_that_is_not_worse() -> None:
    scores = pd.DataFrame({"model": ["unet_bn", "multiresunet"], "jaccard": [0.80, 0.81]})
    intervals = scores.rename(columns={"jaccard": "mean"}).assign(measure="jaccard", low=0.75, high=0.85)
    own = {
        "summary": scores,
        "comparisons": compared(mine=(0.01, -0.01, 0.03)),
        "cost": pd.DataFrame({"model": ["unet_bn", "multiresunet"], "work": [10, 25]}),
        "intervals": intervals,
    }
    warned = [advice.Warning("unet_bn", "undertrained", "its curve still rises", "train longer (recipes.quick)")]
    told = answer.which_to_use("mine", own, loaded("mine"), warned)
    assert told == (
        "On mine, use unet_bn (not shown to be worse than multiresunet, and cheaper): Jaccard 80.0 % (75.0 to 85.0). "
        "Next: train longer (recipes.quick)."
    )
    clear = {**own, "comparisons": compared(mine=(0.03, 0.01, 0.05))}
    assert "use multiresunet (the best)" in answer.which_to_use("mine", clear, loaded("mine"), [])
    failed = [advice.Warning("unet_bn", advice.BASELINE, "it isn't better", "train longer (recipes.quick)")]
    assert "use multiresunet (the best)" in answer.which_to_use("mine", own, loaded("mine"), failed)
    none = [*failed, failed[0]._replace(model="multiresunet")]
    assert answer.which_to_use("mine", own, loaded("mine"), none) == (
        "On mine, use none of the networks yet: all hardly beat the baselines. Next: train longer (recipes.quick)."
    )


def warned(curve: list[float], losses: list[float], scores: dict[int, list[float]], baseline: float) -> list[str]:
    curves = pd.DataFrame({"model": "unet_bn", "test_jaccard": curve, "train_loss": losses})
    rows = [("unet_bn", seed, fold, s) for seed, folds in scores.items() for fold, s in enumerate(folds)]
    rows += [(name, 0, fold, baseline) for name in BASELINES for fold in range(2)]
    images = pd.DataFrame(rows, columns=["model", "seed", "fold", "jaccard"])
    found = loaded("nuclei")
    only = found.model_copy(update={"run": found.run.model_copy(update={"models": ["unet_bn"]})})
    told = advice.warnings({"learning_curves": curves}, images, only)
    assert all(one.remedy for one in told)
    return [one.kind for one in told]


def test_warnings_name_what_went_wrong() -> None:
    falling = list(np.linspace(0.6, 0.1, 10))
    flat, good = [0.5, *[0.8] * 9], {1: [0.8, 0.8]}
    assert warned(flat, falling, good, 0.5) == []
    assert warned(list(np.linspace(0.3, 0.8, 10)), falling, good, 0.5) == ["undertrained"]
    assert warned([0.5, 0.8, 0.8, 0.8, 0.78, 0.77, 0.76, 0.74, 0.73, 0.72], falling, good, 0.5) == ["overfitted"]
    assert warned(flat, falling, {1: [0.8, 0.52]}, 0.5) == ["hardly beats the baselines"]
    assert warned(flat, falling, {1: [0.8, 0.8], 2: [0.7, 0.7]}, 0.5) == ["seeds disagree"]


@pytest.mark.parametrize(
    ("model", "rates", "searched", "key"),
    [
        ("unet", {}, None, "recipes.quick.optimiser.learning_rate"),
        ("unet", {"paper": 0.1}, None, "recipes.quick.optimiser.learning_rate"),
        ("unet", {"quick": 0.1}, None, "models.unet.learning_rate.quick"),
        ("unet_tuned", {"quick": 0.1}, None, "models.unet.learning_rate.quick"),
        ("unet_tuned", {"quick": 0.1}, {"choices": [0.1, 0.2]}, "tune.space.learning_rate"),
    ],
)
def test_the_advice_names_the_key_that_sets_the_learning_rate(
    model: str, rates: dict[str, float], searched: dict[str, list[float]] | None, key: str
) -> None:
    tree = config.load().model_dump()
    tree["run"] |= {"models": ["unet"], "tuned": {"datasets": ["nuclei"], "models": ["unet"]}}
    tree["models"]["unet"]["learning_rate"] = rates
    tree["tune"]["space"]["learning_rate"] = searched
    rows = [(name, 1, fold, 0.5) for name in (model, *BASELINES) for fold in range(2)]
    images = pd.DataFrame(rows, columns=["model", "seed", "fold", "jaccard"])
    curves = pd.DataFrame(columns=["model", "test_jaccard", "train_loss"])
    [told] = advice.warnings({"learning_curves": curves}, images, config.Params.model_validate(tree))
    assert told.remedy.startswith(f"train longer (recipes.quick) or with another learning rate ({key}), and look at")


def test_the_forest_turns_a_pair_round_and_marks_zero() -> None:
    turned = compared(a=(-0.03, -0.05, -0.01)).rename(columns={"model": "other", "other": "model"})
    drawn = charts.forest(turned, "unet_bn", {"a": set()})
    assert "a, multiresunet: 3.0 (1.0 to 5.0)" in drawn
    assert drawn.count('stroke="var(--ink)"') == 1


def test_the_forest_shows_no_interval_where_the_control_fails_and_marks_models_that_do() -> None:
    table = compared(a=(0.2, -0.1, 0.5), b=(0.03, 0.01, 0.05))
    drawn = charts.forest(table, "unet_bn", {"a": {"unet_bn"}, "b": {"multiresunet"}})
    assert "a, multiresunet" not in drawn
    assert "nothing to compare: unet_bn fails" in drawn
    assert "b, multiresunet: 3.0 (1.0 to 5.0)" in drawn
    assert drawn.count("<circle") == drawn.count('fill="var(--paper)" stroke-width') == 1
    whole = charts.forest(table, "unet_bn", {"a": set(), "b": set()})
    assert whole.count("<circle") == 2
    assert ">50<" not in drawn
    assert ">40<" in whole  # the axis ends where data end
    none = charts.forest(table, "unet_bn", {"a": {"unet_bn"}, "b": {"unet_bn"}})
    grounds = [float(one.attrib["y"]) for one in ElementTree.fromstring(none).iter(f"{SVG}rect")]
    assert grounds[1] - grounds[0] >= 18  # no words are hidden by those of the next row


def test_every_chart_has_a_legend_and_long_names_are_broken() -> None:
    drawn = lines("t", [Line("unet", [(0, 0), (1, 1)], "red"), Line("Otsu", [(0, 0)], "grey", dashed=True)], X, Y)
    assert [text.text for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")][-2:] == ["unet", "Otsu"]
    name = "a_data_set_with_a_very_long_name"
    row = dots("t", [name], [Dot(name, "unet", 1, 0, 2, "red")], Axis("x", 0, 2))
    texts = [str(text.text) for text in ElementTree.fromstring(row).iter(f"{SVG}text")]
    assert name not in texts
    assert name in "".join(texts)


def test_a_commits_short_name() -> None:
    assert provenance.short("0123456789abcdef") == "0123456789"
    assert provenance.short("0123456789abcdef with changes in make.py") == "0123456789*"
    assert provenance.short("unknown (not in a git repository)") == "unknown"


TABLE = pd.DataFrame({"data_set": ["a & b|c", "50 %"], "score": [0.25, float("nan")], "n": [3, 4]})


def test_markdown() -> None:
    assert export.markdown(TABLE).splitlines() == [
        "| data_set | score | n |",
        "| --- | ---: | ---: |",
        "| a & b\\|c | 0.25 | 3 |",
        "| 50 % |  | 4 |",
    ]


def test_latex_has_booktabs_rules_and_escapes() -> None:
    text = export.latex(TABLE)
    assert text.splitlines()[:3] == [r"\begin{tabular}{lrr}", r"\toprule", r"data\_set & score & n \\"]
    assert r"a \& b|c & 0.25 & 3 \\" in text
    assert r"50 \% &  & 4 \\" in text
    assert (
        export.latex(pd.DataFrame({"x": [r"\a^~±"]})).count(
            r"\textbackslash{}a\textasciicircum{}\textasciitilde{}$\pm$"
        )
        == 1
    )


def points(svg: str) -> list[tuple[float, float]]:
    found = re.search(r'points="([^"]*)"', svg)
    assert found
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def test_a_chart_puts_points_where_they_belong() -> None:
    drawn = lines("t", [Line("a<b", [(0, 0), (5, math.nan), (10, 1)], "red")], Axis("x", 0, 10), Axis("y", 0, 1))
    (x0, y0), (x1, y1) = points(drawn)
    assert x1 > x0 + 200
    assert y1 < y0 - 150
    assert "a&lt;b" in drawn
    assert ElementTree.fromstring(standalone(drawn)).tag.endswith("svg")


@pytest.mark.parametrize(("low", "high", "ticks"), [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 1.3, [0, 0.5, 1]), (3, 3, [3])])
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert [t for t in Axis("x", low, high).places() if low <= t <= high] == pytest.approx(ticks)
