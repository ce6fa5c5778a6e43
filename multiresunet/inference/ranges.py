"""Where an image lies outside of what a model has seen in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from multiresunet.data.description import DataDescription
from multiresunet.data.readers import Array

ROOM = 0.5  # of the training's range, by which a value may lie outside of it
FACTOR = 2.0  # by which sides and spacings may be smaller or larger than any in training


def outside(image: Array, data: DataDescription, spacing: Sequence[float] | None) -> tuple[str, ...]:
    """Warnings about an image, C×…, as it is in its file; of its intensity, its size, and its spacing in mm."""
    values = {
        "mean": float(image.mean(dtype=np.float64)),
        "deviation": float(image.std(dtype=np.float64)),
        "maximum": float(image.max()),
    }
    return outside_of(values, image.shape[1:], data, spacing)


def outside_of(
    values: Mapping[str, float], shape: Sequence[int], data: DataDescription, spacing: Sequence[float] | None
) -> tuple[str, ...]:
    """As `outside`, from the values' mean, deviation and maximum, and the shape without channels."""
    lines = (
        *(_intensity(name, value, data) for name, value in values.items()),
        _sides(shape, data),
        _spacing(spacing, data),
    )
    return tuple(line for line in lines if line)


def _intensity(name: str, value: float, data: DataDescription) -> str | None:
    low, high = data.intensity[name]
    room = ROOM * (high - low)
    if low - room <= value <= high + room:
        return None
    return f"{name} of the values {value:.4g}, in training {low:.4g} to {high:.4g}"


def _sides(shape: Sequence[int], data: DataDescription) -> str | None:
    if all(low / FACTOR <= side <= high * FACTOR for side, (low, high) in zip(shape, data.sides, strict=True)):
        return _turned(shape, data)
    seen = " × ".join(str(low) if low == high else f"{low} to {high}" for low, high in data.sides)
    return f"{_by(shape)} pixels, in training {seen}"


def _turned(shape: Sequence[int], data: DataDescription) -> str | None:
    """A picture that is upright where all of the training's lay across, or the other way round."""
    rows, columns = data.sides[-2:]
    if rows[1] < columns[0] and shape[-2] > shape[-1]:
        return f"{_by(shape)} pixels, upright, where in training all images were wider than high"
    if columns[1] < rows[0] and shape[-1] > shape[-2]:
        return f"{_by(shape)} pixels, across, where in training all images were higher than wide"
    return None


def _spacing(spacing: Sequence[float] | None, data: DataDescription) -> str | None:
    if data.spacings is None:
        return None
    seen = " × ".join(f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}" for low, high in data.spacings)
    if spacing is None:
        return f"the spacing isn't known, in training it was {seen} mm"
    if all(low / FACTOR <= one <= high * FACTOR for one, (low, high) in zip(spacing, data.spacings, strict=True)):
        return None
    return f"spacing {' × '.join(f'{one:.4g}' for one in spacing)} mm, in training {seen} mm"


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
