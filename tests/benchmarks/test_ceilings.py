"""How often something is tried for its fastest time."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.ceilings import best_of, ceilings


@pytest.mark.parametrize(("patience", "times"), [(math.inf, 3), (1e-12, 1)])
def test_patience_ends_the_tries_but_not_before_the_first(patience: float, times: int) -> None:
    tried: list[None] = []
    best_of(3, lambda: tried.append(None), torch.device("cpu"), patience)
    assert len(tried) == times


def test_only_what_is_asked_for_is_measured() -> None:
    assert set(ceilings(torch.device("cpu"), ["float32"], quick=True)) == {"float32", "copy"}
