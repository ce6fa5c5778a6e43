"""Every point of a space is a network, and the model's own values are the first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiresunet.config import SharesSpan, Space, Span
from multiresunet.errors import UserError
from multiresunet.nets import build_network
from multiresunet.training.job import tuned, with_numbers
from multiresunet.tuning.space import SHARE_NAMES, SearchSpace
from tests.training.making import RECIPE, SPEC
from tests.tuning.making import NOTHING

EVERYTHING = Space(
    alpha=Span[float](low=1.5, high=3.0),
    filters_factor=Span[float](low=1.0, high=2.0),
    shares=SharesSpan(low=[0.167, 0.2, 0.2], high=[0.5, 0.6, 0.7]),
    respath=Span[int](low=1, high=6),
    learning_rate=Span[float](low=1e-4, high=1e-1, log=True),
    batch=Span[int](choices=[2, 3, 4]),
)


def space(**keys: Any) -> SearchSpace:
    return SearchSpace(Space(**NOTHING | keys), SPEC, RECIPE)


@given(st.integers(0, 2**31))
def test_every_draw_is_a_network_whose_shares_are_in_range_and_sum_to_one_at_most(seed: int) -> None:
    whole = SearchSpace(EVERYTHING, SPEC, RECIPE)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    numbers = whole.numbers(whole.suggest(study.ask()))
    shares = [numbers[name] for name in SHARE_NAMES]
    assert sum(shares) <= 1 + 1e-9
    assert all(
        low <= share <= high for low, share, high in zip([0.167, 0.2, 0.2], shares, [0.5, 0.6, 0.7], strict=True)
    )
    spec, recipe = with_numbers(SPEC, RECIPE, numbers)
    assert spec.filters in range(4, 9)
    assert recipe.batch in (2, 3, 4)
    assert 1e-4 <= recipe.optimiser.learning_rate <= 1e-1
    build_network(spec)


def test_shares_below_one_are_taken_as_drawn_and_others_drawn_back() -> None:
    whole = SearchSpace(EVERYTHING, SPEC, RECIPE)
    drawn = dict(zip(SHARE_NAMES, (0.2, 0.3, 0.4), strict=True))
    assert {name: whole.numbers(drawn)[name] for name in SHARE_NAMES} == drawn
    numbers = whole.numbers(dict(zip(SHARE_NAMES, (0.267, 0.6, 0.7), strict=True)))
    # 0.433 is left above the least shares, for 0.1 + 0.4 + 0.5 of them.
    assert [numbers[name] for name in SHARE_NAMES] == pytest.approx([0.167 + 0.0433, 0.2 + 0.1732, 0.2 + 0.2165])


def test_what_is_not_varied_is_the_models_own() -> None:
    numbers = space(alpha=Span[float](choices=[1.67, 2.5])).numbers({"alpha": 2.5})
    assert with_numbers(SPEC, RECIPE, numbers) == (replace(SPEC, alpha=2.5), RECIPE)


def test_the_first_trial_is_the_models_own_values() -> None:
    whole = SearchSpace(EVERYTHING.model_copy(update={"batch": Span[int](choices=[3, 4])}), SPEC, RECIPE)
    first, *others = whole.first()
    assert with_numbers(SPEC, RECIPE, whole.numbers(first)) == (SPEC, RECIPE)
    assert [other["learning_rate"] for other in others] == pytest.approx([0.01 / 3, 0.03])
    assert all(other | {"learning_rate": 0.01} == first for other in others)
    shares = SharesSpan(choices=[[0.3, 0.3, 0.4], [0.167, 0.333, 0.5]])
    assert space(shares=shares).first() == [{"shares": "0.167 0.333 0.5"}]


def test_every_learning_rate_of_a_list_comes_first() -> None:
    rates = space(learning_rate=Span[float](choices=[0.03, 0.01, 0.001]), alpha=Span[float](low=1.0, high=2.0)).first()
    assert [trial["learning_rate"] for trial in rates] == [0.01, 0.03, 0.001]
    assert {trial["alpha"] for trial in rates} == {SPEC.alpha}


@pytest.mark.parametrize(
    "keys",
    [
        {"alpha": Span[float](low=2.0, high=3.0)},
        {"filters_factor": Span[float](choices=[1.5, 2.0])},
        {"batch": Span[int](choices=[4, 8])},
        {"shares": SharesSpan(choices=[[0.3, 0.3, 0.4]])},
    ],
)
def test_own_values_outside_the_space_are_refused(keys: dict[str, Any]) -> None:
    remedy = "(widen its range|add it to the choices)"
    with pytest.raises(UserError, match=rf"tune\.space: the model's own \w+ = .* isn't in it.*{remedy}"):
        space(**keys)


def test_a_space_without_anything_that_the_network_has_is_refused() -> None:
    with pytest.raises(UserError, match=r"tune\.space: varies nothing that unet has"):
        SearchSpace(Space(**NOTHING | {"respath": Span[int](low=1, high=6)}), replace(SPEC, name="unet"), RECIPE)


def test_only_what_a_network_has_is_varied() -> None:
    def varied(name: str) -> set[str]:
        return set(SearchSpace(EVERYTHING, replace(SPEC, name=name), RECIPE).distributions)

    everything = {"alpha", "filters", *SHARE_NAMES, "respath", "learning_rate", "batch"}
    assert varied("multiresunet") == everything
    assert varied("unet_multires") == everything - {"respath"}
    assert varied("unet") == {"filters", "learning_rate", "batch"}


def test_a_fold_is_trained_with_its_own_numbers() -> None:
    numbers = space(alpha=Span[float](choices=[1.67, 2.5])).numbers({"alpha": 2.5}) | {"batch": 7, "learning_rate": 0.5}
    spec, recipe = tuned(SPEC, RECIPE, {"1": numbers}, 1)
    assert spec == replace(SPEC, alpha=2.5)
    assert (recipe.batch, recipe.optimiser.learning_rate) == (7, 0.5)
    assert tuned(SPEC, RECIPE, {}, 1) == (SPEC, RECIPE)
    with pytest.raises(UserError, match=r"no numbers for fold 0 \(best\.json\); run `dvc repro tune`"):
        tuned(SPEC, RECIPE, {"1": numbers}, 0)
