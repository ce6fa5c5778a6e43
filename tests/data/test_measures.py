"""Measures in pieces are those of the whole."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from multiresunet.data import measures
from multiresunet.data.measures import Measures


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_pieces_make_up_the_whole(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "PIECE", 7)
    array = np.random.default_rng(0).normal(90, 20, (3, 5, 4)).astype(dtype)
    found = measures.measures(array)
    assert found[:2] == (array.min(), array.max())
    assert found[2:] == pytest.approx((array.mean(dtype=np.float64), array.std(dtype=np.float64), 0))
    whole = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
    assert measures.digest(array) == whole
    assert measures.digest(array[:, ::-1]) == measures.digest(array[:, ::-1].copy()) != whole


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    assert measures.measures(np.array([1.0, np.nan, 3.0, np.inf])) == Measures(1, 3, 2, 1, 2)
    assert measures.measures(np.array([np.nan])) == Measures(0, 0, 0, 0, 1)
