"""Near-duplicates: frames of one scene are found, and pictures that are only laid out alike aren't."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator
from PIL import Image, ImageDraw
from scipy import ndimage

from multiresunet.data import manifest
from multiresunet.data.near_duplicates import (
    NOTHING,
    SHARED,
    Pairs,
    as_text,
    from_text,
    leak,
    near_duplicates,
    picture,
    shared_details,
)
from multiresunet.data.readers import read_image
from tests.data.making import Array

SIDE = 160
DATA = Path(__file__).parents[3] / "shared" / "datasets"


def grid() -> tuple[Array, Array]:
    rows, columns = np.indices((SIDE, SIDE))
    return rows - SIDE / 2, columns - SIDE / 2


def eye(rng: Generator) -> Array:
    """Like DRIVE: a round field of view, the optic disc left or right, branching vessels; another each time."""
    y, x = grid()
    disc = np.array([rng.normal(0, 3), rng.choice([-1, 1]) * 0.27 * SIDE + rng.normal(0, 3)])
    vessels = Image.new("L", (2 * SIDE, 2 * SIDE))
    draw = ImageDraw.Draw(vessels)
    for _ in range(14):
        place, angle, width = 2 * disc + SIDE, rng.uniform(0, 2 * np.pi), int(rng.integers(2, 5))
        for _ in range(14):
            following = place + 12 * np.array([np.sin(angle), np.cos(angle)])
            draw.line([place[1], place[0], following[1], following[0]], fill=255, width=width)
            place, angle = following, angle + rng.normal(0, 0.3)
    drawn = np.asarray(vessels.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255
    image = 120 - 20 * np.hypot(y, x) / SIDE - 60 * drawn + rng.normal(0, 3, y.shape)
    image += 70 * np.exp(-((y - disc[0]) ** 2 + (x - disc[1]) ** 2) / 128)
    return np.where(np.hypot(y, x) < 0.46 * SIDE, image, 0).clip(0, 255).astype(np.uint8)[None]


def lesion(rng: Generator) -> Array:
    """Like PH2: one dark spot in the middle of the skin, darker corners; another spot each time."""
    y, x = grid()
    y, x = y + rng.normal(0, 5), (x + rng.normal(0, 5)) * rng.uniform(0.8, 1.2)
    angle, reach = np.arctan2(y, x), SIDE * rng.uniform(0.2, 0.3)
    reach = reach * (1 + sum(rng.normal(0, 0.06) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(2, 6)))
    inside = 1 / (1 + np.exp((np.hypot(y, x) - reach) / 3))
    skin = 170 + 25 * ndimage.gaussian_filter(rng.normal(size=y.shape), 2) + rng.normal(0, 3, y.shape)
    return (skin - 90 * inside - 40 * (np.hypot(*grid()) / (0.75 * SIDE)) ** 4).clip(0, 255).astype(np.uint8)[None]


def slices(rng: Generator) -> Array:
    """Like head scans: a bright oval with folds inside; another head each time."""
    y, x = grid()
    radius = np.hypot(y / rng.uniform(0.9, 1.1), x)
    brain = 110 + 40 * ndimage.gaussian_filter(rng.normal(size=y.shape), 4) * 8
    image = np.where(radius < 0.33 * SIDE, brain, np.where(radius < 0.37 * SIDE, 200, 5))
    return (image + rng.normal(0, 4, y.shape)).clip(0, 255).astype(np.uint8)[None]


def frames(rng: Generator, count: int) -> list[Array]:
    """Of one scene: shifted, turned and zoomed a little, with noise and another exposure."""
    scene = 110 + sum(60 * ndimage.gaussian_filter(rng.normal(size=(220, 220)), s) * s for s in (1.5, 4))
    found = []
    for _ in range(count):
        angle, zoom = rng.uniform(-0.15, 0.15), rng.uniform(0.95, 1.05)
        turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        offset = np.array([110, 110]) - turn @ np.array([SIDE / 2, SIDE / 2]) + rng.uniform(-8, 8, 2)
        seen = ndimage.affine_transform(scene, turn, offset, output_shape=(SIDE, SIDE), order=1, mode="nearest")
        found.append((seen * rng.uniform(0.8, 1.1) + rng.normal(0, 3, seen.shape)).clip(0, 255).astype(np.uint8)[None])
    return found


def pairs_of(images: list[Array]) -> Pairs:
    return near_duplicates([picture(image) for image in images])


@pytest.mark.parametrize("draw", [eye, lesion, slices])
def test_images_that_are_laid_out_alike_share_few_details(draw: Callable[[Generator], Array]) -> None:
    rng = np.random.default_rng(3)
    pictures = [picture(draw(rng)) for _ in range(14)]
    shared = [shared_details(pictures[i], pictures[j]) for i in range(14) for j in range(i)]
    assert max(shared) < SHARED
    assert near_duplicates(pictures).tolist() == []
    assert shared_details(pictures[0], pictures[0]) > 3 * SHARED  # there are details to share


def test_frames_of_one_scene_are_found_and_those_of_others_are_not() -> None:
    rng = np.random.default_rng(0)
    images = [image for _ in range(4) for image in frames(rng, 3)]
    pairs = pairs_of(images)
    assert (pairs[:, 0] // 3 == pairs[:, 1] // 3).all()
    assert len(np.unique(pairs)) >= 11  # of 12
    assert (leak(pairs, np.arange(12) // 3) == 0).all()
    assert leak(pairs, np.arange(12) % 3).mean() > 0.9


def test_pairs_go_through_a_table() -> None:
    pairs = np.array([[0, 2], [1, 2]])
    names = ["a b", "c", "d"]
    assert as_text(pairs, names) == ["d", "d", "a b;c"]
    np.testing.assert_array_equal(from_text(as_text(pairs, names), names), pairs)
    assert from_text(["", ""], ["x", "y"]).shape == (0, 2)


def test_what_has_no_details_is_like_nothing() -> None:
    flat = picture(np.full((1, 40, 40), 7, np.uint8))
    tiny = picture(np.arange(12, dtype=np.uint8).reshape(1, 3, 4))
    odd = picture(np.full((1, 8, 8, 8), np.nan))
    assert near_duplicates([flat, flat, odd, odd, NOTHING, NOTHING]).tolist() == []
    assert near_duplicates([flat, tiny, tiny]).tolist() == [[1, 2]]  # copies
    assert near_duplicates([flat]).tolist() == []


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets aren't at hand")
def test_frames_of_real_videos_are_found_and_real_lesions_are_not() -> None:
    frames = manifest.read(DATA / "cvc_clinicdb")[:60]
    pairs = pairs_of([read_image(DATA / "cvc_clinicdb" / frame.image) for frame in frames])
    videos = np.array([frame.group for frame in frames])
    assert (videos[pairs[:, 0]] == videos[pairs[:, 1]]).all()
    assert len(np.unique(pairs)) >= 0.5 * len(frames)
    lesions = manifest.read(DATA / "isic2017")[::4]
    assert pairs_of([read_image(DATA / "isic2017" / one.image) for one in lesions]).tolist() == []
