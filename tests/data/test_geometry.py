"""Sizes: proportions are kept, nothing is enlarged, and every side can be halved four times."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiresunet import config
from multiresunet.data.geometry import capped, input_size, proposed_size
from multiresunet.paper import STEP
from tests.config.making import changed


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((576, 767), (192, 256)),
        ((512, 512), (256, 256)),
        ((288, 384), (192, 256)),
        ((1349, 1030), (256, 192)),
        ((48, 48), (48, 48)),
        ((20, 20), (16, 16)),
    ],
)
def test_a_proposed_size_keeps_the_proportions(shape: tuple[int, ...], size: tuple[int, ...]) -> None:
    assert proposed_size(shape, 256) == size


@given(st.lists(st.integers(100, 4000), min_size=2, max_size=2).filter(lambda s: max(s) <= 4 * min(s)))
def test_no_side_is_stretched_much_and_none_is_above_the_longest(shape: list[int]) -> None:
    size = proposed_size(tuple(shape), 256)
    scales = [new / old for new, old in zip(size, shape, strict=True)]
    assert max(size) <= 256
    assert all(side % 16 == 0 for side in size)
    assert max(scales) / min(scales) < 1.2
    assert max(scales) < 1.2


def test_a_longest_side_caps_and_never_enlarges() -> None:
    assert capped((192, 256), 64) == (48, 64)
    assert capped((32, 48), 64) == (32, 48)
    assert capped((32, 48), None) == (32, 48)


def with_longest_side(side: int | None, size: list[int]) -> tuple[int, ...]:
    loaded = config.parse(changed("datasets.nuclei.size", size))
    recipe = loaded.recipe.model_copy(update={"longest_side": side})
    return input_size(loaded.datasets["nuclei"], recipe)


@pytest.mark.parametrize(
    ("longest_side", "size", "expected"),
    [
        (None, [512, 512], (512, 512)),
        (64, [64, 64], (64, 64)),
        (64, [48, 32], (48, 32)),
        (64, [256, 256], (64, 64)),
        (64, [192, 256], (48, 64)),
        (64, [16, 256], (16, 64)),
        (32, [48, 64, 48], (32, 32, 32)),
        (96, [96, 192, 64], (48, 96, 32)),
    ],
)
def test_input_size(longest_side: int | None, size: list[int], expected: tuple[int, ...]) -> None:
    assert with_longest_side(longest_side, size) == expected


@given(
    sides=st.lists(st.integers(1, 40), min_size=2, max_size=3),
    longest=st.one_of(st.none(), st.integers(1, 40)),
)
@settings(max_examples=60, deadline=None)
def test_input_size_shrinks_and_never_grows(sides: list[int], longest: int | None) -> None:
    size = [STEP * side for side in sides]
    limit = None if longest is None else STEP * longest
    new = with_longest_side(limit, size)
    assert all(side % STEP == 0 and STEP <= side <= old for side, old in zip(new, size, strict=True))
    if limit is None or max(size) <= limit:
        assert list(new) == size
    else:
        assert max(new) == limit
        assert all(abs(b - a * limit / max(size)) <= STEP for a, b in zip(size, new, strict=True))
