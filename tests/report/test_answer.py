"""The first sentence of the page, and which model to use."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from multiresunet import config
from multiresunet.evaluation import TOO_FEW
from multiresunet.report import advice, answer
from multiresunet.report.advice import RISES, Warning
from tests.report.making import compared, loaded


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
    chance = they_disagree["comparisons"].assign(p_corrected=[0.001, 0.2])  # of all tests together b's says nothing
    unsure = answer.headline(they_disagree | {"comparisons": chance}, loaded("a", "b"), {"a": set(), "b": set()})[0]
    assert unsure.startswith("Yes: ") and ", mean over 2 data sets, ahead on 1 of them, for 2.5 times" in unsure
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


def test_the_answer_names_what_is_not_trained_to_the_end() -> None:
    rises, falls = (Warning(m, k, "", "") for m, k in (("unet_bn", RISES), ("multiresunet", "overfitted")))
    other = Warning("unet", RISES, "", "")
    warned = {"a": [rises, other], "b": [falls], "c": [rises], "d": [rises]}
    assert answer.unfinished(warned, loaded("a", "b", "c", "d")) == [
        "Not trained to the end, so with room to gain: unet_bn on a, c and d."
    ]
    assert answer.unfinished({"a": [other, falls]}, loaded("a")) == []


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


def test_the_interval_of_one_data_set_is_its_own() -> None:
    one = (-0.04, -0.10, -0.01)  # not symmetric
    assert answer.mean_with_interval(compared(a=one)) == pytest.approx(one)
    centre, low, high = answer.mean_with_interval(compared(a=one, b=one))
    assert (centre, low, high) == pytest.approx((-0.04, -0.04 - 0.06 / math.sqrt(2), -0.04 + 0.03 / math.sqrt(2)))


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
    unknown = {**own, "comparisons": compared(mine=(0.01, float("nan"), float("nan")))}
    assert "use unet_bn (not shown to be worse" in answer.which_to_use("mine", unknown, loaded("mine"), [])
    failed = [advice.Warning("unet_bn", advice.BASELINE, "it isn't better", "train longer (recipes.quick)")]
    assert "use multiresunet (the best)" in answer.which_to_use("mine", own, loaded("mine"), failed)
    none = [*failed, failed[0]._replace(model="multiresunet")]
    assert answer.which_to_use("mine", own, loaded("mine"), none) == (
        "On mine, use none of the networks yet: all hardly beat the baselines. Next: train longer (recipes.quick)."
    )
