"""Prepared data: memory-mapped arrays of one size, and one table of samples with their folds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CLASSES = "classes.json"


@dataclass(frozen=True)
class PreparedDataset:
    """What training and evaluation read.

    images: N×C×(D×)H×W; uint8 stands for [0, 1] in steps of 1/255, float32 is taken as it is.
    masks: N×(D×)H×W, uint8; 0 is background, 1 foreground, or 1, 2, … are the classes.
    table: sample, group, fold; one row for each of the N.
    classes: names of the classes 1, 2, …; empty if all foreground is one thing.
    """

    images: NDArray[np.uint8] | NDArray[np.float32]
    masks: NDArray[np.uint8]
    table: pd.DataFrame
    classes: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: Path) -> PreparedDataset:
        """Open a folder that `prepare` wrote, without reading the arrays into memory."""
        return cls(
            np.load(folder / "images.npy", mmap_mode="r"),
            np.load(folder / "masks.npy", mmap_mode="r"),
            pd.read_csv(folder / "samples.csv", dtype={"sample": str, "group": str}, keep_default_na=False),
            tuple(json.loads(names.read_text(encoding="utf-8"))) if (names := folder / CLASSES).exists() else (),
        )

    @property
    def dims(self) -> int:
        """2 or 3."""
        return self.masks.ndim - 1

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.images.shape[1])

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """Each sample's test fold."""
        return self.table["fold"].to_numpy(dtype=np.int64)

    def split(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the fold's training samples and of its test samples."""
        return np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Images as float32 N×C×(D×)H×W, masks as float32 N×1×(D×)H×W."""
        images = self.images[indices].astype(np.float32)
        if self.images.dtype == np.uint8:
            images /= 255
        return images, self.masks[indices, None].astype(np.float32)
