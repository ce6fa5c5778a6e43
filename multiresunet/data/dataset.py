"""Prepared data: memory-mapped arrays, and one table of samples with their folds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CLASSES, WINDOW = "classes.json", "window.json"
IGNORED = 255
"""The label of a pixel about which nobody knows what it is; it counts nowhere."""
TEXTS = ("sample", "group", "original_size", "prepared_size", "spacing")

MM, PIXELS = "mm", "pixels"
"""Units of distances: millimetres, where all files say how large a pixel is; else pixels of the files."""


class Ragged(Sequence[NDArray[Any]]):
    """Arrays of several sizes, one after the other in a flat one.

    Args:
        flat: all values.
        shapes: of the arrays, in their order.
    """

    def __init__(self, flat: NDArray[Any], shapes: Sequence[tuple[int, ...]]) -> None:
        self.dtype, self.nbytes = flat.dtype, flat.nbytes
        self._flat, self._shapes = flat, list(shapes)
        self._starts = np.concatenate([[0], np.cumsum([prod(shape) for shape in shapes], dtype=np.int64)])

    @classmethod
    def of(cls, arrays: Sequence[NDArray[Any]]) -> Ragged:
        """These arrays, copied."""
        return cls(np.concatenate([array.ravel() for array in arrays]), [array.shape for array in arrays])

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Ragged: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | Ragged:
        if isinstance(index, slice):
            raise TypeError("arrays of several sizes are had one by one")
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._flat[self._starts[index] : self._starts[index + 1]].reshape(self._shapes[index])

    def __len__(self) -> int:
        return len(self._shapes)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True)
class PreparedDataset:
    """What training and evaluation read.

    images: N×C×(D×)H×W; uint8 stands for [0, 1] in steps of 1/255, float32 is taken as it is.
    masks: N×(D×)H×W, uint8; 0 is background, 1 foreground, or 1, 2, … are the classes; `IGNORED` isn't known.
    table: sample, group, fold; one row for each of the N; perhaps original_size, prepared_size, spacing (mm).
    classes: names of the classes 1, 2, …; empty if all foreground is one thing.
    window: of a data set whose images keep their sizes: that of the patches which networks see; images and masks are
        then `Ragged`. None where all images have one size.
    """

    images: NDArray[np.uint8] | NDArray[np.float32] | Ragged
    masks: NDArray[np.uint8] | Ragged
    table: pd.DataFrame
    classes: tuple[str, ...] = ()
    window: tuple[int, ...] | None = None

    @classmethod
    def open(cls, folder: Path) -> PreparedDataset:
        """Open a folder that `prepare` wrote, without reading the arrays into memory."""
        table = pd.read_csv(folder / "samples.csv", dtype=dict.fromkeys(TEXTS, str), keep_default_na=False)
        images, masks = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "masks"))
        classes = tuple(json.loads(names.read_text(encoding="utf-8"))) if (names := folder / CLASSES).exists() else ()
        if images.ndim > 1:
            return cls(images, masks, table, classes)
        about = json.loads((folder / WINDOW).read_text(encoding="utf-8"))
        shapes = [sides(text) for text in table["prepared_size"]]
        of_images = [(int(about["channels"]), *shape) for shape in shapes]
        return cls(Ragged(images, of_images), Ragged(masks, shapes), table, classes, tuple(about["window"]))

    @property
    def dims(self) -> int:
        """2 or 3."""
        return int(self.masks[0].ndim)

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.images[0].shape[0])

    @property
    def size(self) -> tuple[int, ...]:
        """What networks see at a time: the images' size, or the patches'."""
        return self.window or tuple(self.masks[0].shape)

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """Each sample's test fold."""
        return self.table["fold"].to_numpy(dtype=np.int64)

    @cached_property
    def ignores(self) -> bool:
        """Whether there may be pixels about which nobody knows what they are."""
        return "ignored" in self.table and bool((self.table["ignored"] > 0).any())

    @cached_property
    def pads(self) -> bool:
        """Whether patches reach beyond some image."""
        if self.window is None:
            return False
        return any(side > have for mask in self.masks for side, have in zip(self.window, mask.shape, strict=True))

    @property
    def unit(self) -> str:
        """Of distances: `MM` or `PIXELS`."""
        return MM if "spacing" in self.table and (self.table["spacing"] != "").all() else PIXELS

    def spacing(self, index: int) -> tuple[float, ...] | None:
        """A prepared pixel's size along each axis, in `unit`; None if it is 1."""
        if "original_size" not in self.table:
            return None
        row = self.table.iloc[index]
        original, now = sides(row["original_size"]), self._extent(index)
        of_file = numbers(row["spacing"]) if self.unit == MM else (1.0,) * len(original)
        found = tuple(one * old / new for one, old, new in zip(of_file, original, now, strict=True))
        return None if set(found) == {1.0} else found

    def truth(self, index: int) -> NDArray[np.bool_]:
        """Where one sample's foreground is, of whatever class: (D×)H×W."""
        labels = np.asarray(self.masks[index])
        return np.asarray((labels > 0) & (labels != IGNORED))

    def ignored(self, index: int) -> NDArray[np.bool_] | None:
        """Where nobody knows: (D×)H×W; None if the data set has no such pixels."""
        return np.asarray(self.masks[index]) == IGNORED if self.ignores else None

    def split(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the fold's training samples and of its test samples."""
        return np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Images as float32 N×C×(D×)H×W, masks as float32 N×1×(D×)H×W; of several sizes one at a time."""
        if self.window is None:
            assert isinstance(self.images, np.ndarray)
            images, masks = self.images[indices], np.asarray(self.masks)[indices]
        else:
            images, masks = (np.stack([part[int(i)] for i in indices]) for part in (self.images, self.masks))
        return as_floats(images), masks[:, None].astype(np.float32)

    def _extent(self, index: int) -> tuple[int, ...]:
        """How many prepared pixels the file's image spans, without padding."""
        text = self.table.iloc[index].get("prepared_size", "")
        return sides(text) if text else tuple(self.masks[index].shape)


def hatched(image: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """C×H×W with diagonal lines, light and dark, over the pixels of `where` (H×W), as pictures show what is ignored."""
    rows, columns = np.indices(where.shape)
    quarter = max(1, round(max(where.shape) / 128))  # so that a thumbnail shows them, too
    phase = (rows + columns) // quarter % 4
    drawn = image.copy()
    drawn[:, where & (phase == 0)], drawn[:, where & (phase == 2)] = 255, 0
    return drawn


def as_floats(images: NDArray[Any]) -> NDArray[np.float32]:
    """Prepared images as networks take them: uint8 stands for [0, 1] in steps of 1/255."""
    floats = images.astype(np.float32)
    if images.dtype == np.uint8:
        floats /= 255
    return floats


def sides(text: str) -> tuple[int, ...]:
    """`576×767` as numbers."""
    return tuple(int(side) for side in text.split("×"))


def numbers(text: str) -> tuple[float, ...]:
    """`0.5×0.5×3` as numbers."""
    return tuple(float(side) for side in text.split("×"))
