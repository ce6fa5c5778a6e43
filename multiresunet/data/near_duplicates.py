"""Images of one scene: near-duplicates by the details that they share, and how far folds leak because of them.

Small grey pictures, and hashes of them, tell what an image is laid out like: all eyes, all lesions, all slices of a
scanner are laid out alike. Here two images are near-duplicates if details of the one (corners, as ORB describes them)
are found in the other at places that one shift, turn and zoom explains, as in frames of a video or repeated takes;
or if they are copies but for a little noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.feature import ORB, match_descriptors

from multiresunet.data.manifest import JOIN

Indices = NDArray[np.int64]
Pairs = NDArray[np.int64]

SIDE = 128  # pixels of the longer side of the picture that is compared
FINEST = 2_048  # pixels of the longer side that are looked at, evenly spaced
SAME = 0.998  # correlation from which two pictures are called copies
DETAILS = 200  # corners of a picture, at most
SHARED = 10  # details that two pictures share, at least; unlike ones of one kind share up to 7 by chance
WITHIN = 3.0  # pixels from where a shift, turn and zoom would put a detail
ZOOM = 1.5  # from one to the other, at most
TRIES = 256  # of a shift, turn and zoom, each from two details
CANDIDATES = 6  # pictures that are laid out most alike, each of which is looked at in detail
APART = 22  # bits of the layout in which a candidate may differ, of 64; of any two images about half do
MOST = 1_000  # images that are looked up at most, evenly spaced, so that the time stays linear


@dataclass(frozen=True, eq=False)
class Picture:
    """What is kept of an image: 64 bits of its layout, and a small grey picture, whose details are found if needed."""

    layout: np.uint64
    grey: NDArray[np.uint8]

    @cached_property
    def details(self) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
        """Where its corners are (column + row·i), and 256 bits about each."""
        orb = ORB(n_keypoints=DETAILS, fast_threshold=0.02)
        try:
            orb.detect_and_extract(self.grey.astype(np.float64) / 255)
        except (RuntimeError, IndexError, ValueError):  # too small, or without any corner
            return np.empty(0, np.complex128), np.empty((0, 256), np.bool_)
        places = np.asarray(orb.keypoints)
        return places[:, 1] + 1j * places[:, 0], np.asarray(orb.descriptors)


def picture(image: NDArray[np.generic]) -> Picture:
    """Of C×H×W, or of the middle slice of C×D×H×W, the way round that volumes are looked at."""
    middle = image if image.ndim == 3 else image[..., image.shape[-1] // 2]
    step = max(1, max(middle.shape[1:]) // FINEST)
    middle = middle[:, ::step, ::step]
    plane = np.nan_to_num(middle.astype(np.float32), posinf=0, neginf=0).mean(axis=0)
    low, high = plane.min(), plane.max()
    grey = Image.fromarray(((plane - low) / max(high - low, np.finfo(np.float32).tiny) * 255).astype(np.uint8))
    layout = np.uint64(int(str(imagehash.phash(grey)), 16))
    scale = SIDE / max(grey.size)
    width, height = (max(1, round(side * scale)) for side in grey.size)
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return Picture(layout, np.asarray(grey.resize((width, height), how)))


NOTHING = Picture(np.uint64(0), np.zeros((1, 1), np.uint8))
"""Of an image that can't be read; like no other."""


def shared_details(one: Picture, other: Picture) -> int:
    """How many details of the one are found in the other where a single shift, turn and zoom expects them."""
    (places, details), (other_places, other_details) = one.details, other.details
    if min(len(places), len(other_places)) < SHARED:
        return 0
    matched = match_descriptors(details, other_details, cross_check=True, max_ratio=0.85)
    if len(matched) < SHARED:
        return 0
    here, there = places[matched[:, 0]], other_places[matched[:, 1]]
    rng = np.random.default_rng(len(matched))
    first, second = rng.integers(0, len(matched), (2, TRIES))
    usable = np.abs(here[first] - here[second]) > WITHIN
    first, second = first[usable], second[usable]
    if not len(first):
        return 0
    # A turn and a zoom are one complex number.
    factor = (there[first] - there[second]) / (here[first] - here[second])
    plausible = (np.abs(factor) <= ZOOM) & (np.abs(factor) >= 1 / ZOOM)
    expected = factor[:, None] * (here[None] - here[first][:, None]) + there[first][:, None]
    fitting = (np.abs(expected - there[None]) <= WITHIN).sum(axis=1)
    return int(np.where(plausible, fitting, 0).max())


def copies(one: Picture, other: Picture) -> bool:
    """Whether two pictures are the same but for a little noise: what has few details can be a copy, too."""
    if one.grey.shape != other.grey.shape or one.grey.std() == 0 or other.grey.std() == 0:
        return False
    return bool(np.corrcoef(one.grey.ravel(), other.grey.ravel())[0, 1] >= SAME)


def near_duplicates(pictures: Sequence[Picture]) -> Pairs:
    """Which of N images show the same scene: K×2 indices, the lower one first, sorted.

    Each image is compared with the few that are laid out most alike; above `MOST` only evenly spaced ones are.
    """
    layouts = np.array([one.layout for one in pictures], dtype=np.uint64)
    pairs = set()
    for index in looked_up(len(pictures)).tolist():
        apart = np.bitwise_count(layouts ^ layouts[index]).astype(np.int64)
        apart[index] = 65
        nearest = np.argsort(apart, kind="stable")[:CANDIDATES]
        for other in nearest[apart[nearest] <= APART].tolist():
            pair = (min(index, other), max(index, other))
            if pair in pairs:
                continue
            one, two = (pictures[place] for place in pair)
            if copies(one, two) or shared_details(one, two) >= SHARED:
                pairs.add(pair)
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def looked_up(count: int) -> Indices:
    """Which of `count` images are compared with others."""
    return np.arange(0, count, -(-count // MOST) or 1)


def leak(pairs: Pairs, folds: Indices) -> NDArray[np.float64]:
    """For each fold: the share of its (looked up) test images that have a near-duplicate in training."""
    apart = pairs[folds[pairs[:, 0]] != folds[pairs[:, 1]]]
    some, count = looked_up(len(folds)), int(folds.max()) + 1
    hit = np.isin(some, apart)
    totals = np.bincount(folds[some], minlength=count)
    return np.asarray(np.bincount(folds[some], weights=hit, minlength=count) / np.maximum(totals, 1))


def as_text(pairs: Pairs, names: Sequence[str]) -> list[str]:
    """For each image the names of those that show its scene, joined by ";"."""
    found: list[list[str]] = [[] for _ in names]
    for one, other in pairs.tolist():
        found[one].append(names[other])
        found[other].append(names[one])
    return [JOIN.join(sorted(each)) for each in found]


def from_text(texts: Sequence[str], names: Sequence[str]) -> Pairs:
    """The pairs that `as_text` wrote."""
    place = {name: index for index, name in enumerate(names)}
    pairs = {
        (min(index, place[other]), max(index, place[other]))
        for index, text in enumerate(texts)
        for other in filter(None, text.split(JOIN))
    }
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
