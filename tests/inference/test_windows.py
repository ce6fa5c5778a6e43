"""Windows put together are the whole, in bounded memory, at the scale of training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiresunet.data.resizing import resized
from multiresunet.inference import windows


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([16, 32, 48]))
def test_what_depends_on_the_pixel_alone_is_found_again(height: int, width: int, side: int) -> None:
    image = np.random.default_rng(0).random((2, height, width), dtype=np.float32)
    parts = list(windows.bands(windows.from_array(image), (height, width), (side, side), lambda windows: windows * 2))
    np.testing.assert_allclose(np.concatenate(parts, axis=1), image * 2, atol=1e-5)


def test_volumes_too() -> None:
    image = np.random.default_rng(0).random((1, 33, 20, 49), dtype=np.float32)
    parts = list(windows.bands(windows.from_array(image), image.shape[1:], (16, 32, 16), lambda windows: windows))
    assert len(parts) > 1
    np.testing.assert_allclose(np.concatenate(parts, axis=1), image, atol=1e-5)


def test_windows_begin_where_the_network_halves_the_whole() -> None:
    begun = []

    def read(window: tuple[slice, ...]) -> np.ndarray:  # type: ignore[type-arg]
        begun.append([one.start for one in window])
        return np.zeros((1, 96, 96), np.float32)

    list(windows.bands(read, (300, 250), (96, 96), lambda windows: windows))
    starts = np.array(begun)
    assert (starts % 16 == 0).all()
    assert starts.max() + 96 >= 300


def test_a_window_counts_most_in_its_middle() -> None:
    def predict(windows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        """Right in the middle, wrong by 1 within 8 pixels of the window's edges."""
        wrong = np.ones_like(windows)
        wrong[..., 8:-8, 8:-8] = 0
        return wrong

    found = np.concatenate(
        list(windows.bands(windows.from_array(np.zeros((1, 256, 256))), (256, 256), (64, 64), predict)), 1
    )
    assert found[0, 16:-16, 16:-16].max() < 0.15
    assert found[0, :8, :8].min() > 0.9  # nothing else has seen the corner


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("size", [(64, 80), (31, 50), (100, 180)])
def test_a_window_of_a_resized_image_is_that_of_the_image_resized_as_a_whole(
    size: tuple[int, int], kind: type[np.generic]
) -> None:
    image = (np.random.default_rng(0).random((1, 120, 150)) * 255).astype(kind)
    whole = resized(image[0], size)
    read = windows.scaled(windows.from_array(image), (120, 150), size)
    for rows, columns in ((slice(0, 31), slice(0, 32)), (slice(16, 31), slice(18, 50))):
        found = read((rows, columns))[0].astype(float)
        apart = np.abs(found - whole[rows, columns].astype(float))
        assert apart.max() <= (1 if kind is np.uint8 else 1e-2)  # a half may be rounded either way
        assert apart.mean() < 0.05


@pytest.mark.parametrize("shape", [(120, 150), (31, 44), (64, 60)])
def test_bands_are_taken_back_as_if_they_were_the_whole(shape: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((2, 64, 60), dtype=np.float32)
    parts = iter(np.split(maps, [16, 32, 40], axis=1))
    found = np.concatenate(list(windows.back(parts, (64, 60), shape)), axis=1)
    np.testing.assert_allclose(found, np.stack([resized(one, shape) for one in maps]), atol=1e-4)
