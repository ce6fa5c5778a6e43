"""The front and the rule, on tables with known answers."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiresunet.config import Select
from multiresunet.errors import UserError
from multiresunet.tuning.choose import chosen, front
from multiresunet.tuning.cost import Cost

# 1 is best; 2 is within one standard error of it; 3 is beaten by 2; 4 is cheap; 5 was pruned.
TRIALS = pd.DataFrame(
    {
        "trial": [0, 1, 2, 3, 4, 5],
        "state": ["complete"] * 5 + ["pruned"],
        "score": [0.70, 0.90, 0.87, 0.86, 0.60, 0.95],
        "standard_error": [0.01, 0.04, 0.01, 0.01, 0.01, None],
        "multiply_adds": [100, 150, 90, 95, 50, 10],
        "parameters": [10, 15, 11, 12, 5, 1],
    }
)
OWN = Cost(100, 10)


def rule(take: str = "best", standard_errors: float = 1.0, budget: float | None = None) -> Select:
    return Select.model_validate({"take": take, "standard_errors": standard_errors, "budget": budget})


def test_the_front_is_what_no_other_trial_beats() -> None:
    # 0 costs fewer parameters than 2, so 2 doesn't beat it.
    assert list(TRIALS["trial"][front(TRIALS)]) == [0, 1, 2, 4]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=12))
def test_the_front_by_its_definition(values: list[tuple[int, int, int]]) -> None:
    trials = pd.DataFrame(values, columns=["score", "multiply_adds", "parameters"]).assign(state="complete")
    beaten = [
        any((a >= x and b <= y and c <= z) and (a, b, c) != (x, y, z) for a, b, c in values) for x, y, z in values
    ]
    assert list(front(trials)) == [not out for out in beaten]


@pytest.mark.parametrize(
    ("select", "trial"),
    [
        (rule(), 1),  # no budget: the best
        (rule(budget=1.2), 2),  # 1 is too dear; of 2 and 3, both within 0.04 of it, 2 is better
        (rule(budget=1.05), 1),  # nothing within one standard error is cheap enough, so the best of all
        (rule("cheapest"), 2),
        (rule("cheapest", 0.5), 1),  # within 0.02 there is only the best
        (rule("cheapest", 8.0), 4),
        (rule("cheapest", 8.0, 1.0), 4),
        (rule("best", 8.0, 1.0), 0),  # parameters count too: 2 has 11 of them
    ],
)
def test_the_rule(select: Select, trial: int) -> None:
    assert TRIALS.loc[chosen(TRIALS, select, OWN), "trial"] == trial
    shuffled = TRIALS.sample(frac=1, random_state=3)
    assert shuffled.loc[chosen(shuffled, select, OWN), "trial"] == trial


def test_of_equals_the_first() -> None:
    same = TRIALS.assign(score=0.5, multiply_adds=1, parameters=1)
    assert chosen(same, rule(), OWN) == 0
    assert chosen(same, rule("cheapest"), OWN) == 0


def test_a_study_without_a_finished_trial_is_named() -> None:
    with pytest.raises(UserError, match="no trial of the study was finished"):
        chosen(TRIALS.assign(state="fail"), rule(), OWN)
