"""What mask values mean: measured, and asked for where two readings are possible."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from multiresunet.config import MaskRule
from multiresunet.data.labels import Reading, measure, readings, shares
from multiresunet.data.loading import encode_labels, ignored
from tests.data.making import Array, disc

SIDE = 64


def masks_of(*values: int, count: int = 6, radius: float = 9, seed: int = 0) -> list[Array]:
    """Masks with a disc of each value; the last covers the others where they meet."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        mask = np.zeros((SIDE, SIDE), np.int64)
        for index, value in enumerate(values):
            row = 16 + 32 * (index // 2 % 2) + rng.uniform(-3, 3)
            mask[disc((SIDE, SIDE), (row, 16 + 32 * (index % 2) + rng.uniform(-3, 3)), radius)] = value
        found.append(mask)
    return found


def smooth(mask: Array) -> Array:
    """A mask with grey edges, as resizing leaves it."""
    small = Image.fromarray(mask.astype(np.uint8)).resize((SIDE // 2 + 3, SIDE // 2 + 5), Image.Resampling.BILINEAR)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR)).astype(np.int64)


def rim(mask: Array, value: int, width: int = 2) -> Array:
    """A mask with a rim of another value around what it marks."""
    from scipy import ndimage

    inside = mask > 0
    return np.where(ndimage.binary_dilation(inside, iterations=width) & ~inside, value, mask)


def read(masks: list[Array], **options: Any) -> list[Reading]:
    return readings([measure(mask) for mask in masks], **options)


@pytest.mark.parametrize(
    ("masks", "rule"),
    [
        (masks_of(255), {"values": [0, 255], "foreground": [255]}),
        (masks_of(1), {"values": [0, 1], "foreground": [1]}),
        ([smooth(mask) for mask in masks_of(255)], {"above": 127}),
        ([rim(mask, 255) for mask in masks_of(1)], {"values": [0, 1], "foreground": [1], "ignore": 255}),
        ([rim(mask, -1, 4) for mask in masks_of(1)], {"values": [0, 1], "foreground": [1], "ignore": -1}),
        (
            masks_of(1, 2),
            {"values": [0, 1, 2], "foreground": [1, 2], "classes": {"class_1": [1], "class_2": [2]}},
        ),
        (
            masks_of(85, 170, 255),
            {
                "values": [0, 85, 170, 255],
                "foreground": [85, 170, 255],
                "classes": {"class_85": [85], "class_170": [170], "class_255": [255]},
            },
        ),
    ],
    ids=["255", "1", "grey edges", "void", "minus one", "classes", "scaled classes"],
)
def test_what_is_certain_is_proposed(masks: list[Array], rule: dict[str, Any]) -> None:
    (found,) = read(masks)
    assert found.rule == rule
    MaskRule.model_validate(found.rule)


@pytest.mark.parametrize(
    "masks",
    [
        [np.where(mask > 0, 1, 2) for mask in masks_of(255)],
        [np.where(mask > 0, 1, -1) for mask in masks_of(255)],
        [rim(mask, 128) for mask in masks_of(255)],
        [rim(mask, 1) for mask in masks_of(255)],
        [rim(mask, 255) for mask in masks_of(60, 120)],
        [smooth(mask) for mask in masks_of(120, 255)],
        [np.where(mask > 0, mask, -mask - 2) for mask in masks_of(1, 2)][:1] + [m - 2 for m in masks_of(1, 2, 3)],
    ],
    ids=["1 and 2", "signs", "grey rim", "rim of 1", "rim of 255", "smoothed labels", "several negatives"],
)
def test_what_is_uncertain_is_asked(masks: list[Array]) -> None:
    found = read(masks)
    assert len(found) > 1
    assert len({str(one.rule) for one in found}) == len(found)
    for one in found:
        MaskRule.model_validate(one.rule)


def numbered(counts: list[int], start: int = 1, *, spread: int = 0) -> list[Array]:
    """Instances: each mask has its own number of small discs, each with a number of its own."""
    rng = np.random.default_rng(1)
    found = []
    for count in counts:
        mask = np.zeros((SIDE, SIDE), np.int64)
        numbers = rng.choice(np.arange(1, spread), count, replace=False) if spread else range(start, start + count)
        for index, number in enumerate(numbers):
            mask[disc((SIDE, SIDE), (8 + 16 * (index // 4), 8 + 16 * (index % 4)), 5)] = number
        found.append(mask)
    return found


@pytest.mark.parametrize("counts", [[12, 9, 14, 11], [16, 16, 16, 16]])
def test_instances_with_gaps_are_one_foreground(counts: list[int]) -> None:
    (found,) = read(numbered(counts, spread=256))
    assert found.rule == {"above": 0}


def test_instances_of_16_bits_are_one_foreground() -> None:
    (found,) = read(numbered([16, 15, 14], spread=3000))
    assert found.rule == {"above": 0}


def test_few_numbered_instances_may_be_classes_so_it_is_asked() -> None:
    found = read(numbered([3, 5, 4, 6]))
    assert [one.rule.get("above") for one in found] == [0, None]
    assert "classes" in found[1].rule


def test_files_for_each_instance_are_instances() -> None:
    (found,) = read(masks_of(1, 2), separate=True)
    assert found.rule == {"above": 0}


def test_a_jpeg_s_noise_is_no_label() -> None:
    rng = np.random.default_rng(3)
    masks = [np.clip(mask + rng.normal(0, 3, mask.shape), 0, 255).astype(np.int64) for mask in masks_of(255)]
    (found,) = read(masks, jpeg=True)
    assert found.rule == {"above": 127}
    assert len(read(masks)) > 1


@pytest.mark.parametrize("value", [0, 7])
def test_masks_of_one_value_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match=f"one value {value}"):
        read([np.full((9, 9), value)])


def test_shares_are_of_all_pixels() -> None:
    assert shares([measure(np.array([[0, 1], [0, 255]])), measure(np.zeros((2, 2), int))]) == {
        0: 0.75,
        1: 0.125,
        255: 0.125,
    }


def test_values_know_where_they_lie() -> None:
    mask = np.zeros((9, 9), int)
    mask[3:6, 3:6] = 2
    mask[0, 0] = 1
    found = measure(mask)
    assert (found[2].pixels, found[2].frame, found[2].components) == (9, 0, 1)
    assert found[2].inner == pytest.approx(1 / 9)
    assert (found[1].frame, found[1].components, found[1].between) == (1, 1, 0)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(1, 254), min_size=1, max_size=4, unique=True),
    void=st.sampled_from([None, 255, -1]),
    blurred=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_palette_is_never_inverted_or_merged_in_silence(
    labels: list[int], void: int | None, blurred: bool, seed: int
) -> None:
    masks = masks_of(*labels, seed=seed)
    assume(not (blurred and void == -1))
    truth = [mask.copy() for mask in masks]
    if void is not None:
        masks = [rim(mask, void) for mask in masks]
    if blurred:
        masks = [smooth(mask) for mask in masks]
    found = read(masks)
    if len(found) > 1:
        return  # asked
    rule = MaskRule.model_validate(found[0].rule)
    for mask, true in zip(masks, truth, strict=True):
        labelled = np.where(ignored(mask, rule), 0, encode_labels(mask, rule))
        middle = np.array([labelled[true == label] for label in labels], dtype=object)
        for label, seen in zip(labels, middle, strict=True):
            assert np.mean(np.asarray(seen) > 0) > 0.6, (label, rule)  # no label is background
        certain = (true == 0) & ~ignored(mask, rule)
        if void is not None:
            certain &= mask != void
        assert np.mean(labelled[certain] > 0) < 0.2  # background isn't foreground
        if len(labels) > 1 and rule.classes is None:
            assert blurred is False
            raise AssertionError(f"labels {labels} are merged by {rule}")
        if void is not None and not blurred:
            assert not (labelled[mask == void] > 0).any() or rule.classes is not None
