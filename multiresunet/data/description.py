"""What a prepared data set says of itself: what a network that learnt from it must know of images to come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import ConfigDict, ValidationError

from multiresunet.config import Dataset, MaskRule, Strict
from multiresunet.data.dataset import numbers
from multiresunet.errors import UserError
from multiresunet.files import write_json

NAME = "dataset.json"
MEASURED = ("minimum", "maximum", "mean", "deviation")

Interval = tuple[float, float]


class DataDescription(Strict):
    """What the images of a prepared data set were, and what was done to them.

    size: of the arrays that the network sees.
    fit, normalisation, channels, channel, pages, mask: as params.yaml declares them.
    scale: how many of a file's pixels one pixel of the network spans, along each axis; the median over the samples.
    spacing: physical size of the network's pixels where all images are resized to one, else None.
    sides: the lowest and the highest number of pixels of the files, along each axis.
    spacings: the lowest and the highest spacing of the files, along each axis; None if it isn't known.
    intensity: of the files' own values, the lowest and the highest minimum, maximum, mean and deviation.
    types: of the files' values, like uint8; empty in files of before they were kept.
    card: the data card; None if there is none.
    """

    model_config = ConfigDict(strict=False)  # JSON has lists, not tuples

    name: str
    modality: str
    size: tuple[int, ...]
    fit: str
    normalisation: str
    channels: int
    channel: int | None = None
    pages: Literal["channels", "z"] | None = None
    mask: MaskRule
    images: int
    scale: tuple[float, ...]
    spacing: tuple[float, ...] | None = None
    sides: tuple[tuple[int, int], ...]
    spacings: tuple[Interval, ...] | None = None
    intensity: dict[str, Interval]
    types: tuple[str, ...] = ()
    card: dict[str, Any] | None = None

    @property
    def dims(self) -> int:
        """2 or 3."""
        return len(self.size)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes 1, 2, …; empty if all foreground is one thing."""
        return tuple(self.mask.classes or ())

    @classmethod
    def open(cls, folder: Path) -> DataDescription:
        """Read what `preprocess` wrote into data/prepared/<name>.

        Raises:
            UserError: if it is missing or not what `preprocess` writes.
        """
        path = folder / NAME
        try:
            return cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise UserError(f"{path} is missing; run `dvc repro preprocess@{folder.name}` first") from None
        except (ValidationError, ValueError):
            raise UserError(f"{path}: damaged; run `dvc repro -f preprocess@{folder.name}`") from None

    def write(self, folder: Path) -> None:
        """Write it beside the arrays."""
        write_json(folder / NAME, self.model_dump(mode="json"))


def describe(
    name: str, dataset: Dataset, size: tuple[int, ...], facts: pd.DataFrame, card: dict[str, Any] | None
) -> DataDescription:
    """The description of a data set.

    Args:
        name: of the data set.
        dataset: as params.yaml declares it.
        size: of the prepared arrays.
        facts: what `profile` measured, of all samples; and `spacing`, like "0.5×0.5", where the files say it.
        card: the data card's content, if there is one.
    """
    shapes = np.array([[int(side) for side in shape.split("×")] for shape in facts["image_shape"]])
    known = [numbers(text) for text in facts["spacing"] if text] if "spacing" in facts else []
    spacings = np.array(known) if len(known) == len(facts) else None
    scale = np.ones(len(size))
    if dataset.fit == "resize":
        scale = np.median(shapes / np.asarray(size), axis=0)
    elif dataset.spacing is not None and spacings is not None:
        scale = np.median(np.asarray(dataset.spacing) / spacings, axis=0)
    measured = {column: facts[column].astype(float) for column in MEASURED}
    return DataDescription(
        name=name,
        modality=dataset.modality,
        size=size,
        fit=dataset.fit,
        normalisation=dataset.normalisation,
        channels=dataset.channels,
        channel=dataset.channel,
        pages=dataset.pages,
        mask=dataset.mask,
        images=len(facts),
        scale=tuple(map(float, scale)),
        spacing=None if dataset.spacing is None else tuple(dataset.spacing),
        sides=tuple((int(low), int(high)) for low, high in zip(shapes.min(0), shapes.max(0), strict=True)),
        spacings=None
        if spacings is None
        else tuple((float(low), float(high)) for low, high in zip(spacings.min(0), spacings.max(0), strict=True)),
        intensity={column: (float(values.min()), float(values.max())) for column, values in measured.items()},
        types=tuple(sorted(set(facts["type"]))) if "type" in facts else (),
        card=card,
    )
