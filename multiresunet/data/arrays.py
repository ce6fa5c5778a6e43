"""Prepared data: memory-mapped arrays of one size, and one table of samples with their folds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from skimage.transform import resize

from multiresunet.data import formats
from multiresunet.data.loading import labels as told_labels
from multiresunet.data.loading import load_image, load_mask
from multiresunet.data.manifest import Sample
from multiresunet.data.parallel import blocks
from multiresunet.errors import UserError
from multiresunet.files import write_csv, write_json
from multiresunet.params import Dataset

CLASSES = "classes.json"


@dataclass(frozen=True)
class Prepared:
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
    def open(cls, folder: Path) -> Prepared:
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


def prepare(
    source: Path,
    samples: list[Sample],
    folds: Iterable[int],
    dataset: Dataset,
    size: tuple[int, ...],
    target: Path,
) -> None:
    """Bring every sample to one size and scale; write images.npy, masks.npy and samples.csv to `target`.

    If the data set has classes, classes.json holds their names.

    Files are decoded in parallel and arrays written in blocks, so that memory stays flat however many there are.

    Raises:
        UserError: as `fit_sample`, or if some images have 8 bits and some more.
    """

    def fit(sample: Sample) -> tuple[formats.Array, NDArray[np.uint8]]:
        image, mask = load_image(source, sample.image, dataset).array, load_mask(source, sample.mask).array
        if len(image) != dataset.channels or mask.shape != image.shape[1:] or mask.ndim != len(size):
            raise UserError(
                f"{source / sample.image}: image {list(image.shape)} and mask {list(mask.shape)} where params.yaml "
                f"declares {dataset.channels} channels and {len(size)} axes; the gate (validate) says what to mend"
            )
        return fit_sample(image, mask, dataset, size, sample.sample)

    first = fit(samples[0])[0]
    images = _Writer(target / "images.npy", (len(samples), *first.shape), first.dtype)
    masks = _Writer(target / "masks.npy", (len(samples), *size), np.dtype(np.uint8))
    with images, masks:
        for block in blocks(fit, samples):
            for index, (image, mask) in block:
                if image.dtype != first.dtype:
                    raise UserError(
                        f"{source / samples[index].image}: {image.dtype} where earlier files of the data set are "
                        f"{first.dtype}; save all images with the same number of bits"
                    )
                images.append(image)
                masks.append(mask)
    table = pd.DataFrame([{"sample": s.sample, "group": s.group} for s in samples])
    write_csv(target / "samples.csv", table.assign(fold=list(folds)))
    if dataset.mask.classes is not None:
        write_json(target / CLASSES, list(dataset.mask.classes))


class _Writer:
    """Writes an .npy file front to back: pages of a memory map would count as the process's own memory."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._file, self._shape = path.open("wb"), shape[1:]
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, array: formats.Array) -> None:
        if array.shape != self._shape:
            raise ValueError(f"shape {array.shape} where {self._shape} is expected")
        self._file.write(np.ascontiguousarray(array).data)


def fit_sample(
    image: formats.Array, mask: formats.Array, dataset: Dataset, size: tuple[int, ...], name: str
) -> tuple[formats.Array, NDArray[np.uint8]]:
    """One image (C×…) and its mask, resized or padded to `size`, scaled or standardised; the mask as labels.

    8-bit images that are only scaled stay uint8, as the authors' own preparation rounds them.

    Raises:
        UserError: if a sample that is to be padded is larger than `size`, or one that is only to be scaled
            has values that no [0, 1] holds.
    """
    labels = told_labels(mask, dataset.mask)
    if dataset.normalisation == "unit":
        _check_unit(image, name)
    else:
        # Each channel is a scan of its own, with a scale of its own.
        values = image.astype(np.float64)
        space = tuple(range(1, values.ndim))
        deviation = np.maximum(values.std(axis=space, keepdims=True), 1e-12)
        image = ((values - values.mean(axis=space, keepdims=True)) / deviation).astype(np.float32)
    if dataset.fit == "pad":
        if any(have > want for have, want in zip(labels.shape, size, strict=True)):
            raise UserError(
                f"{name}: {list(labels.shape)} doesn't fit into {list(size)}; raise the data set's size "
                "(and the recipe's longest_side), or use fit: resize"
            )
        image = np.stack([_padded(channel, size) for channel in image])
        labels = _padded(labels, size)
    elif labels.shape != size:
        image = np.stack([_resized(channel, size) for channel in image])
        labels = _resized_labels(labels, size)
    if dataset.normalisation == "unit" and image.dtype != np.uint8:
        top = np.iinfo(image.dtype).max if image.dtype.kind in "iu" else 1.0
        image = np.clip(image.astype(np.float32) / np.float32(top), 0, 1)
    return image, labels


def _check_unit(image: formats.Array, name: str) -> None:
    low, high = image.min(), image.max()
    if low < 0 or (image.dtype.kind == "f" and high > 1):
        raise UserError(
            f"{name}: values from {low:g} to {high:g} would be cut off at 0 and 1; use normalisation: standard"
        )


def _padded(array: formats.Array, size: tuple[int, ...]) -> formats.Array:
    missing = [want - have for have, want in zip(array.shape, size, strict=True)]
    return np.pad(array, [(m // 2, m - m // 2) for m in missing])


def _resized_labels(labels: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Foreground where it covers half of the new pixel or more; there the class that covers most of it."""
    inside = _resized((labels > 0).astype(np.float32), size) >= 0.5
    classes = range(1, int(labels.max()) + 1)
    if len(classes) <= 1:
        return inside.astype(np.uint8)
    covered = np.stack([_resized((labels == number).astype(np.float32), size) for number in classes])
    return np.where(inside, 1 + covered.argmax(axis=0), 0).astype(np.uint8)


def _resized(array: formats.Array, size: tuple[int, ...]) -> formats.Array:
    """Linear interpolation over the area that a new pixel covers; keeps the type, rounding integers."""
    new: formats.Array
    if array.ndim == 2:
        height, width = size
        picture = Image.fromarray(array.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
        new = np.asarray(picture)
    else:
        new = resize(array.astype(np.float32), size, order=1, mode="edge", anti_aliasing=True)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        new = np.clip(np.round(new), limits.min, limits.max)
    return new.astype(array.dtype)
