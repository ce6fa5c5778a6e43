"""Sizes: proportions are kept, nothing is enlarged, and every side can be halved four times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiresunet.data.geometry import capped, proposed_size


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
