"""The rule from numbers to words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, Finding, pairs, table
from multiresunet.evaluation.evidence import Pair
from multiresunet.evaluation.statistics.design import Advantage
from tests.evaluation.claims.making import PAIR, RULE, verdict


def advantage(**changes: Any) -> Finding:
    about = {key: changes.pop(key) for key in ("pair", "decisive", "objection", "lacks", "bounded") if key in changes}
    numbers = {"value": 0.5, "low": 0.3, "high": 0.7, "p": 0.001, "error": 0.1, "freedom": 20.0, "effect": 1.0}
    given = {"folds": (0.5,) * 5, "units": 30, "seeds": 3} | numbers | changes
    words = {"pair": PAIR, "decisive": True} | about
    return Finding(
        "c", "m", of_model=1.0, of_reference=0.5, advantage=Advantage(**given), unit="px", min_effect=0.1, **words
    )


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
        ({"value": 0.05, "low": 0.01, "high": 0.09, "error": 0.02}, NOT_SUPPORTED),
        ({"value": -0.5, "low": -0.7, "high": -0.3}, NOT_SUPPORTED),
        ({"value": 0.05, "low": 0.01, "high": 0.09, "error": 0.04}, INCONCLUSIVE),  # the corrected test isn't so sure
        ({"folds": (0.1, 0.1, 0.1, 0.1, -0.9)}, INCONCLUSIVE),  # folds agree, but not their mean
        ({"seeds": 2}, INCONCLUSIVE),
        ({"objection": "b hardly beats the baselines in 1 of 5 folds"}, INCONCLUSIVE),
        ({"value": -0.5, "low": -0.7, "high": -0.3, "objection": "as above"}, INCONCLUSIVE),
        ({"lacks": "no better there"}, INCONCLUSIVE),
        ({"low": math.nan, "high": math.nan}, INCONCLUSIVE),
        ({"bounded": "no room"}, SUPPORTED),
        ({"value": 0.05, "low": 0.01, "high": 0.09, "error": 0.02, "bounded": "no room"}, INCONCLUSIVE),
        ({"value": -0.5, "low": -0.7, "high": -0.3, "bounded": "no room"}, NOT_SUPPORTED),
    ],
)
def test_the_rule(changes: dict[str, Any], expected: str) -> None:
    assert verdict(advantage(**changes)) == expected


@pytest.mark.parametrize(("p", "reason"), [(0.001, "worse"), (0.2, "no relevant effect")])
def test_worse_needs_its_own_test(p: float, reason: str) -> None:
    found = table([advantage(value=-0.05, low=-0.09, high=-0.01, error=0.02, p=p)], RULE, ())
    assert (found["verdict"][0], found["reason"][0]) == (NOT_SUPPORTED, reason)


def test_which_models_are_compared() -> None:
    models = ["unet", "unet_bn", "multiresunet"]
    assert pairs(models, ["unet", "unet_bn"]) == [
        ("unet_bn", "unet"),
        ("multiresunet", "unet"),
        ("multiresunet", "unet_bn"),
    ]
    assert pairs(["multiresunet"], ["unet"]) == []


def test_one_seed_is_preliminary() -> None:
    reason = table([advantage(seeds=1)], RULE, PAIR)["reason"].iloc[0]
    assert reason == "preliminary: supported with 1 seed; 3 are needed, since another training may say otherwise"
    assert table([advantage(seeds=1, p=0.9)], RULE, PAIR)["reason"].iloc[0] == "the advantage may be chance"


def test_an_interval_without_a_relevant_effect_is_not_said_to_include_one() -> None:
    unsure = advantage(value=0.05, low=0.01, high=0.09, error=0.04)
    found = table([unsure, advantage(value=0.05, low=0.01, high=0.2)], RULE, PAIR)
    assert list(found["reason"]) == [
        "that there is no relevant effect may be chance",
        "the interval includes both a relevant effect and none",
    ]


def test_one_family_is_confirmatory_and_all_others_explore() -> None:
    planned = [advantage(p=0.012) for _ in range(4)]
    others = [advantage(p=0.012, pair=Pair("b", "c"), decisive=number < 4) for number in range(144)]
    found = table([*planned, *others, advantage(pair=Pair("a", "a"))], RULE, PAIR)
    assert list(found["family"].value_counts().sort_index().items()) == [
        ("confirmatory", 4), ("exploratory", 144), ("same network", 1)
    ]  # fmt: skip
    assert (found["p_corrected"][:8] == 0.048).all()  # Holm's, of four: a pair's claims and no others
    assert found["p_corrected"][8] == pytest.approx(0.012)  # 140 findings that all stand do so together
    assert set(found["verdict"]) == {SUPPORTED}
    weak = table([advantage(p=0.012), *(advantage(p=0.9) for _ in range(4))], RULE, PAIR)
    assert weak["verdict"][0] == INCONCLUSIVE


def test_not_supported_is_corrected_too() -> None:
    # One-sided p-values of an effect of interest: about 0.02 by itself, four times that among four.
    alone = advantage(value=0.05, low=0.001, high=0.099, error=0.0235)
    assert table([alone], RULE, PAIR)["verdict"][0] == NOT_SUPPORTED
    assert table([alone] * 4, RULE, PAIR)["verdict"][0] == INCONCLUSIVE
    assert table([], RULE, PAIR).empty
