"""From an image as its file has it to what the network sees, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multiresunet.data.description import DataDescription
from multiresunet.data.preprocessing import fit_image
from multiresunet.data.readers import Array
from multiresunet.data.resizing import padded, resized
from multiresunet.errors import UserError
from multiresunet.inference.windows import Maps
from multiresunet.paper import STEP


@dataclass(frozen=True)
class Fitted:
    """An image as the network sees it.

    image: C×size.
    inside: what of it isn't padding.
    shape: of the file's own grid.
    """

    image: Array
    inside: tuple[int, ...]
    shape: tuple[int, ...]

    def back(self, maps: Maps) -> Maps:
        """K×size as K×shape: what was padded is taken off, then linear interpolation."""
        size = self.image.shape[1:]
        begin = [(have - want) // 2 for have, want in zip(size, self.inside, strict=True)]
        maps = maps[(slice(None), *(slice(at, at + side) for at, side in zip(begin, self.inside, strict=True)))]
        return maps if self.inside == self.shape else np.stack([resized(one, self.shape) for one in maps])


def with_channels(image: Array, data: DataDescription, name: str) -> Array:
    """C×…, of an image with or without channels; of a file's channels, the one that the model takes.

    Raises:
        UserError: if it has other dimensions or channels than the model.
    """
    axes = "H×W" if data.dims == 2 else "D×H×W"
    found = "×".join(map(str, image.shape))
    if image.ndim == data.dims:
        image = image[None]
    if image.ndim != data.dims + 1 or not image.size:
        kind = "images" if data.dims == 2 else "volumes"
        raise UserError(f"{name}: an array of {found}, where the model takes {kind} of C×{axes}; choose another file")
    return image[of_channels(len(image), data, name)]


def check_picture(image: Array, data: DataDescription, name: str) -> None:
    """Refuse a file's C×H×W for a model of volumes; `with_channels` would take its channels for slices.

    Raises:
        UserError: if it is one.
    """
    if data.dims == 3 and image.ndim == 3:
        raise UserError(
            f"{name}: a picture of {'×'.join(map(str, image.shape))} (channels, rows, columns), where the model takes "
            "volumes; choose another file"
        )


def of_channels(count: int, data: DataDescription, name: str) -> slice:
    """Which of an image's channels the model takes.

    Raises:
        UserError: if it hasn't as many.
    """
    if data.channel is not None and data.channel < count != 1:
        return slice(data.channel, data.channel + 1)
    if count != data.channels:
        raise UserError(f"{name}: has {count} channels, where the model takes {data.channels}; save it with as many")
    return slice(None)


def fitted(image: Array, data: DataDescription, shape: tuple[int, ...], name: str) -> Fitted:
    """Repeat what `preprocess` did to the training images.

    Args:
        image: C×(D×)H×W, in the file's own type and scale.
        data: of the model.
        shape: to come to by resampling, as `shape_in_training` says.
        name: for messages.

    Raises:
        UserError: if its values can't be scaled as those of the training images were.
    """
    made = fit_image(image, data.normalisation, shape, name)
    pads = data.fit in ("pad", "spacing")
    if pads:
        size = tuple(max(want, side + -side % STEP) for want, side in zip(data.size, shape, strict=True))
        made = np.stack([padded(channel, size) for channel in made])
    return Fitted(made, shape if pads else made.shape[1:], image.shape[1:])


def shape_in_training(
    shape: tuple[int, ...], data: DataDescription, spacing: Sequence[float] | None
) -> tuple[int, ...]:
    """What `preprocess` would have made of an image of this shape and spacing, before it is padded."""
    if data.fit == "resize":
        return data.size
    return scaled_size(shape, data, spacing)


def scaled_size(shape: Sequence[int], data: DataDescription, spacing: Sequence[float] | None) -> tuple[int, ...]:
    """The size at which an image's details are as large as those of the training images were."""
    factors = np.asarray(data.scale)
    if data.spacing is not None:
        # Without a spacing of its own, the image is taken as one of training's middle; `ranges` warns.
        own = spacing or tuple((low + high) / 2 for low, high in data.spacings or ())
        if own:
            factors = np.asarray(data.spacing) / np.asarray(own)
    return tuple(max(1, round(side / factor)) for side, factor in zip(shape, factors, strict=True))
