"""The rule from numbers to words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from multiresunet.evaluation.claims.verdict import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, Finding, pairs
from multiresunet.evaluation.statistics.design import Advantage
from tests.evaluation.claims.making import verdict


def advantage(**changes: Any) -> Finding:
    numbers = {"value": 0.5, "low": 0.3, "high": 0.7, "p": 0.001, "effect": 1.0, "folds": (0.5,) * 5, "units": 30}
    return Finding("c", "m", "a", "b", 1.0, 0.5, Advantage(**numbers | changes), "px", min_effect=0.1, decisive=True)


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


def test_which_models_are_compared() -> None:
    models = ["unet", "unet_bn", "multiresunet"]
    assert pairs(models, ["unet", "unet_bn"]) == [
        ("unet_bn", "unet"),
        ("multiresunet", "unet"),
        ("multiresunet", "unet_bn"),
    ]
    assert pairs(["multiresunet"], ["unet"]) == []
