"""A drawn image, by which a package is tested and shown: training's own may not be passed on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multiresunet.data.description import DataDescription
from multiresunet.data.preprocessing import fit_image
from multiresunet.inference.packages.graph import Images

SIDE = 256  # of each half of the cover, in pixels


def image(data: DataDescription) -> Images:
    """Balls on a noisy ground, 1×C×size, with values of the training images' range."""
    rng = np.random.default_rng(0)
    axes = np.stack(np.meshgrid(*(np.arange(side) for side in data.size), indexing="ij"))
    inside = np.zeros(data.size, dtype=bool)
    for _ in range(5):
        centre = (rng.uniform(0.1, 0.9, data.dims) * data.size).reshape(-1, *[1] * data.dims)
        inside |= ((axes - centre) ** 2).sum(axis=0) < (rng.uniform(0.08, 0.2) * min(data.size)) ** 2
    shown = 0.25 + 0.5 * inside + rng.normal(0, 0.05, (1, data.channels, *data.size))
    low, high = data.intensity["minimum"][0], data.intensity["maximum"][1]
    return (low + (high - low) * shown.clip(0, 1)).astype(np.float32)


def normalised(images: Images, data: DataDescription, gain: float) -> Images:
    """Images N×C×… in the files' values, as the network takes them."""
    if data.normalisation == "zscore":
        return np.stack([fit_image(one, data.normalisation, one.shape[1:], "the test image") for one in images])
    return images * np.float32(gain)


def cover(images: Images, probabilities: Images) -> Image.Image:
    """An image beside its probability of foreground, twice as wide as high; of a volume, the middle plane."""
    inside = probabilities[0, 0] if probabilities.shape[1] == 1 else 1 - probabilities[0, 0]
    halves = [_grey(images[0, 0]), _grey(inside, 0, 1)]
    both = Image.new("L", (2 * SIDE, SIDE))
    for number, half in enumerate(halves):
        both.paste(Image.fromarray(half).resize((SIDE, SIDE)), (number * SIDE, 0))
    return both


def _grey(values: NDArray[np.float32], low: float | None = None, high: float | None = None) -> NDArray[np.uint8]:
    plane = values if values.ndim == 2 else values[len(values) // 2]
    low, high = plane.min() if low is None else low, plane.max() if high is None else high
    return (255 * (plane - low) / max(high - low, 1e-12)).round().astype(np.uint8)
