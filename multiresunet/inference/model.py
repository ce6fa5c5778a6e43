"""A trained model that knows how its training images were prepared, and predicts new ones on their own grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from multiresunet.errors import UserError
from multiresunet.inference import large, ranges
from multiresunet.inference.description import ModelDescription
from multiresunet.inference.geometry import fitted, shape_in_training, with_channels
from multiresunet.inference.prediction import Prediction
from multiresunet.inference.predictor import Predictor
from multiresunet.inference.windows import Maps, from_array

GIB = 2**30


@dataclass(frozen=True)
class Options:
    """How to predict.

    how: `trained` repeats what was done to the training images and takes the probabilities back to the image's grid;
        `tiles` leaves the image's details as large as they were in training, and predicts window by window.
    flip: whether to average over the image flipped along each of its axes, too.
    threshold: of the probability; None takes the model's.
    memory: bytes that `tiles` may take, about.
    """

    how: Literal["trained", "tiles"] = "trained"
    flip: bool = False
    threshold: float | None = None
    memory: int = 2 * GIB


DEFAULTS = Options()


@dataclass(frozen=True)
class Model:
    """What `load_model` loads.

    predictor: the networks.
    description: what model.json says.
    folder: where it is.
    names: of the networks, in `description.networks`.
    """

    predictor: Predictor
    description: ModelDescription
    folder: Path
    names: tuple[str, ...]

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 of each network's weights."""
        return {name: self.description.networks[name].sha256 for name in self.names}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes 1, 2, …; empty if all foreground is one thing."""
        return self.description.data.classes

    def described(self, names: Sequence[str]) -> ModelDescription:
        """The description with those networks alone, for a file that holds no others."""
        networks = {name: self.description.networks[name] for name in names}
        return self.description.model_copy(update={"networks": networks})

    def predict(
        self,
        image: NDArray[Any],
        spacing: Sequence[float] | None = None,
        options: Options = DEFAULTS,
        name: str = "the image",
    ) -> Prediction:
        """Predict one image as it is in its file; the probabilities are on its own grid.

        Args:
            image: (C×)H×W, or a volume (C×)D×H×W, in the type and scale of the training images' files.
            spacing: a pixel's size along each axis, in mm.
            options: how to predict.
            name: for messages.

        Raises:
            UserError: if dimensions, channels or values don't fit the model.
        """
        data = self.description.data
        image = with_channels(image, data, name)
        if image.dtype.kind not in "biuf":
            raise UserError(f"{name}: values of type {image.dtype}, which no pixel has; give integers or floats")
        ranges.check(float(image.min()), float(image.max()), image.dtype, data, name)
        known = None if spacing is None else tuple(map(float, spacing))
        if known is not None and len(known) != data.dims:
            axes = "H×W" if data.dims == 2 else "D×H×W"
            raise UserError(f"{name}: a spacing of {len(known)} numbers, where the model takes one for each of {axes}")
        warnings = ranges.outside(image, data, known, name)
        if options.how == "trained":
            ready = fitted(image, data, shape_in_training(image.shape[1:], data, known), name)
            maps = ready.back(self.maps(ready.image[None], options.flip)[0])
        else:
            source = large.Source(from_array(image), image.shape[1:], known, *large.moments_of(image, data))
            maps = np.concatenate(list(large.stream(self, source, options)), axis=1)
        return self.prediction(maps, options, known, warnings)

    def prediction(
        self, maps: Maps, options: Options, spacing: tuple[float, ...] | None, warnings: tuple[str, ...]
    ) -> Prediction:
        """What maps K×… (see `maps`) say."""
        count = self.predictor.spec.classes
        threshold = self.description.threshold if options.threshold is None else options.threshold
        return Prediction(maps[:count], maps[count] if len(maps) > count else None, threshold, spacing, warnings)

    def maps(self, images: NDArray[Any], flip: bool = False) -> Maps:
        """Mean probabilities, and of several networks the standard deviation of the foreground's, as one more map.

        Args:
            images: N×C×… as the training images were prepared.
            flip: whether to average over flips of all axes of space.

        Returns:
            N×K×… or N×(K+1)×….
        """
        axes = range(2, images.ndim)
        turns = [turn for count in range(len(axes) + 1) for turn in combinations(axes, count)] if flip else [()]
        each: list[Maps] = []
        for turn in turns:
            for index, found in enumerate(self.predictor.each(np.flip(images, turn))):
                back = np.flip(found, turn) if turn else found
                if len(each) == index:
                    each.append(back)
                else:
                    each[index] = each[index] + back
        if len(turns) > 1:
            each = [one / np.float32(len(turns)) for one in each]
        if len(each) == 1:
            return each[0]
        mean = sum(each[1:], start=each[0].copy()) / np.float32(len(each))
        inside = np.stack([one[:, 0] if one.shape[1] == 1 else 1 - one[:, 0] for one in each])
        return np.concatenate([mean, inside.std(axis=0)[:, None]], axis=1)


def predict(model: Model, image: NDArray[Any], spacing: Sequence[float] | None = None) -> Prediction:
    """Predict one image as it is in its file: `model.predict(image, spacing)`.

    Args:
        model: from `load_model`.
        image: (C×)H×W, or a volume (C×)D×H×W, in the type and scale of the training images' files.
        spacing: a pixel's size along each axis, in mm.

    Raises:
        UserError: if dimensions, channels or values don't fit the model.
    """
    return model.predict(image, spacing)
