"""Where an image lies outside of what a model has seen in training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from multiresunet.data.description import DataDescription
from multiresunet.data.preprocessing import full_scale, leaves_unit
from multiresunet.data.readers import Array
from multiresunet.errors import UserError

ROOM = 0.5  # of the training's range, by which a value may lie outside of it
FACTOR = 2.0  # by which sides and spacings may be smaller or larger than any in training


def check(low: float, high: float, kind: np.dtype[Any], data: DataDescription, where: str) -> None:
    """Refuse an image whose values no network can be given.

    Args:
        low: the lowest value, as it is in the file.
        high: the highest.
        kind: the file's type.
        data: what the model learnt from.
        where: the file, for messages.

    Raises:
        UserError: if some value isn't finite, or would be cut off at 0 and 1.
    """
    if not math.isfinite(low) or not math.isfinite(high):
        raise UserError(f"{where}: has values that are NaN or infinite; replace them")
    if data.normalisation == "rescale" and leaves_unit(low, high, kind):
        raise UserError(
            f"{where}: values from {low:g} to {high:g} would be cut off at 0 and 1; save it with 8 bits, or divide its "
            "values by what their type holds"
        )


def outside(
    image: Array, data: DataDescription, spacing: Sequence[float] | None, where: str = "the image"
) -> tuple[str, ...]:
    """Warnings about an image, C×…, as it is in its file; of its intensity, its size, and its spacing in mm.

    Raises:
        UserError: as `outside_of`.
    """
    values = {
        "mean": float(image.mean(dtype=np.float64)),
        "deviation": float(image.std(dtype=np.float64)),
        "maximum": float(image.max()),
    }
    return outside_of(values, image.shape[1:], data, spacing, image.dtype, where)


def outside_of(
    values: Mapping[str, float],
    shape: Sequence[int],
    data: DataDescription,
    spacing: Sequence[float] | None,
    kind: np.dtype[Any] | None = None,
    where: str = "the image",
) -> tuple[str, ...]:
    """As `outside`, from the values' mean, deviation and maximum, and the shape without channels.

    Args:
        values: of the image, as they are in its file.
        shape: without channels.
        data: what the model learnt from.
        spacing: in mm, if it is known.
        kind: the file's type, by whose range a model may divide; without it, the training images' type is supposed.
        where: the file, for messages.

    Raises:
        UserError: if the file's type is so much wider than its values that the network would see black.
    """
    scales = _Scales(1.0, (1.0,)) if kind is None or data.normalisation != "rescale" else _scales(kind, data)
    lines = (
        None if kind is None else _too_wide(values["maximum"], kind, scales, data, where),
        *(_intensity(name, value, scales, data) for name, value in values.items()),
        _sides(shape, data),
        _spacing(spacing, data),
    )
    return tuple(line for line in lines if line)


class _Scales(NamedTuple):
    """What the network sees as 1: in the image, and in the training images (the likeliest first)."""

    image: float
    training: tuple[float, ...]


def _scales(kind: np.dtype[Any], data: DataDescription) -> _Scales:
    """Where the description doesn't say the training images' type: the narrowest that holds their values."""
    own, highest = full_scale(kind), data.intensity["maximum"][1]
    if data.types:
        tops = sorted({full_scale(np.dtype(type_)) for type_ in data.types})
        return _Scales(own, (own,) if own in tops else tuple(tops))
    if highest <= 1:  # floats; or integers of 0 and 1, which may be of any type
        return _Scales(own, (1.0, own) if highest in (0, 1) and own != 1 else (1.0,))
    bits = next(bits for bits in (8, 16, 32, 64, 1024) if highest < 2**bits)
    tops = [2.0**bits - 1, *([2.0 ** (bits - 1) - 1] if highest < 2 ** (bits - 1) else [])]  # without a sign, with one
    return _Scales(own, (own,) if own in tops else (tops[0],))


def _too_wide(maximum: float, kind: np.dtype[Any], scales: _Scales, data: DataDescription, where: str) -> str | None:
    """A warning about values of 8 bits in a type of 16 or more, and the like; None if there are none.

    Raises:
        UserError: if the network would see the image darker than any of training.
    """
    likeliest = scales.training[0]
    if kind.kind not in "iu" or scales.image == likeliest or maximum <= 0:
        return None
    bits = next((bits for bits in (8, 16) if max(maximum, likeliest) < 2**bits), None)
    if bits is None or scales.image <= 2**bits - 1:
        return None
    found = f"{kind} whose values end at {maximum:g}"
    if maximum / scales.image < data.intensity["maximum"][0] / likeliest:
        raise UserError(
            f"{where}: {found}, which the network would see darker than all training images, since it divides by "
            f"all that {kind} can hold; save it with {bits} bits, or stretch its values to that range"
        )
    return f"{found}, as those of {bits} bits do; if it isn't meant to be that dark, save it with {bits} bits"


def _intensity(name: str, value: float, scales: _Scales, data: DataDescription) -> str | None:
    low, high = data.intensity[name]
    room = ROOM * (high - low)
    seen = [value / scales.image * top for top in scales.training]  # on the training images' scale
    if any(low - room <= one <= high + room for one in seen):
        return None
    top = scales.training[0]
    if top == scales.image:
        return f"{name} of the values {value:.4g}, in training {low:.4g} to {high:.4g}"
    seen_in_training = f"{low / top:.4g} to {high / top:.4g}"
    return f"{name} of the values {value / scales.image:.4g} of the type's range, in training {seen_in_training}"


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
