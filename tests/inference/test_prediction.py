"""Instances: every pixel of the mask is of one, and what doesn't touch is never the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy import ndimage

from multiresunet.inference.prediction import watershed

Mask = NDArray[np.bool_]


def check(mask: Mask) -> None:
    """Nothing vanishes, and no two components have a label in common."""
    labels = watershed(mask.astype(np.float32), mask)
    np.testing.assert_array_equal(labels > 0, mask)
    parts, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
    each = [set(np.unique(labels[parts == part])) for part in range(1, count + 1)]
    assert sum(map(len, each)) == len(set().union(*each)) == labels.max(initial=0)


@settings(max_examples=150, deadline=None)
@given(st.one_of(arrays(bool, array_shapes(min_dims=dims, max_dims=dims, max_side=24 // dims)) for dims in (2, 3)))
def test_no_object_vanishes_by_watershed(mask: Mask) -> None:
    check(mask)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_small_object_beside_a_large_one_has_its_label(dims: int) -> None:
    away = np.hypot.reduce(np.stack(np.meshgrid(*[np.arange(41) - 20.0] * dims)))
    mask = away < 14
    mask[(20,) * (dims - 1) + (slice(36, 39),)] = True
    check(mask)
    assert watershed(mask.astype(np.float32), mask).max() == 2


def test_what_touches_by_a_corner_belongs_to_it() -> None:
    mask = np.zeros((12, 12), bool)
    mask[2:8, 2:8] = mask[8, 8] = True
    check(mask)
    assert watershed(mask.astype(np.float32), mask).max() == 1
