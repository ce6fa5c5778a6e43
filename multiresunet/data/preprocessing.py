"""Every sample at one size and scale: memory-mapped arrays, and a table of samples with their folds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Dataset
from multiresunet.data.dataset import CLASSES
from multiresunet.data.loading import encode_labels, load_image, load_mask
from multiresunet.data.manifest import Sample
from multiresunet.data.parallel import blocks
from multiresunet.data.readers import Array
from multiresunet.data.resizing import REMEDY, Kept, emptied, in_words, kept, padded, resized, resized_labels
from multiresunet.errors import UserError
from multiresunet.files import some_of, write_csv, write_json


class Prepared(NamedTuple):
    """One sample as the network sees it, and what it was: a row of samples.csv."""

    image: Array
    labels: NDArray[np.uint8]
    original_size: tuple[int, ...]
    kept: Kept
    emptied: bool


def prepare(
    source: Path,
    samples: list[Sample],
    folds: Iterable[int],
    dataset: Dataset,
    size: tuple[int, ...],
    target: Path,
) -> pd.DataFrame:
    """Resize and rescale every sample; write images.npy, masks.npy and samples.csv to `target`.

    If the data set has classes, classes.json holds their names.

    Files are decoded in parallel and arrays written in blocks, so that memory stays flat however many there are.

    Returns:
        What samples.csv holds: sample, group, fold, original_size (of the file's array, like "576×767"), and which
        share of what the mask marks, and of its components, resizing has left (foreground_kept, components_kept).

    Raises:
        UserError: as `fit_sample`, if some images have 8 bits and some more, or if resizing empties a mask.
    """

    def fit(sample: Sample) -> Prepared:
        image, mask = load_image(source, sample.image, dataset).array, load_mask(source, sample.mask).array
        if len(image) != dataset.channels or mask.shape != image.shape[1:] or mask.ndim != len(size):
            raise UserError(
                f"{source / sample.image}: image {list(image.shape)} and mask {list(mask.shape)} where params.yaml "
                f"declares {dataset.channels} channels and {len(size)} axes; validate says what to fix"
            )
        before = encode_labels(mask, dataset.mask)
        image, labels = fit_sample(image, before, dataset, size, sample.sample)
        return Prepared(image, labels, before.shape, kept(before, labels), emptied(before, labels))

    first = fit(samples[0]).image
    images = _Writer(target / "images.npy", (len(samples), *first.shape), first.dtype)
    masks = _Writer(target / "masks.npy", (len(samples), *size), np.dtype(np.uint8))
    rows, empty = list[dict[str, object]](), list[str]()
    with images, masks:
        for block in blocks(fit, samples):
            for index, one in block:
                sample = samples[index]
                if one.image.dtype != first.dtype:
                    raise UserError(
                        f"{source / sample.image}: {one.image.dtype} where earlier files of the data set are "
                        f"{first.dtype}; save all images with the same number of bits"
                    )
                images.append(one.image)
                masks.append(one.labels)
                empty += [sample.sample] * one.emptied
                rows.append(
                    {
                        "sample": sample.sample,
                        "group": sample.group,
                        "original_size": in_words(one.original_size),
                        "foreground_kept": one.kept.foreground,
                        "components_kept": one.kept.components,
                    }
                )
    if empty:
        raise UserError(
            f"{source}: at {in_words(size)} the masks of {some_of(empty)} become empty, since what they mark is "
            f"smaller than a pixel there; {REMEDY}"
        )
    table = pd.DataFrame(rows)
    table.insert(2, "fold", list(folds))
    write_csv(target / "samples.csv", table)
    if dataset.mask.classes is not None:
        write_json(target / CLASSES, list(dataset.mask.classes))
    return table


class _Writer:
    """Writes an .npy file front to back: pages of a memory map would count as the process's own memory."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._file, self._shape = path.open("wb"), shape[1:]
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, array: Array) -> None:
        if array.shape != self._shape:
            raise ValueError(f"shape {array.shape} where {self._shape} is expected")
        self._file.write(np.ascontiguousarray(array).data)


def fit_sample(
    image: Array, labels: NDArray[np.uint8], dataset: Dataset, size: tuple[int, ...], name: str
) -> tuple[Array, NDArray[np.uint8]]:
    """One image (C×…) and its labels, resized or padded to `size`; the image scaled or standardised.

    8-bit images that are only scaled stay uint8, as the authors' own preparation rounds them.

    Raises:
        UserError: if a sample that is to be padded is larger than `size`, or one that is only to be scaled
            has values that no [0, 1] holds.
    """
    if dataset.normalisation == "rescale":
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
        image = np.stack([padded(channel, size) for channel in image])
        labels = padded(labels, size)
    elif labels.shape != size:
        image = np.stack([resized(channel, size) for channel in image])
        labels = resized_labels(labels, size)
    if dataset.normalisation == "rescale" and image.dtype != np.uint8:
        top = np.iinfo(image.dtype).max if image.dtype.kind in "iu" else 1.0
        image = np.clip(image.astype(np.float32) / np.float32(top), 0, 1)
    return image, labels


def _check_unit(image: Array, name: str) -> None:
    low, high = image.min(), image.max()
    if low < 0 or (image.dtype.kind == "f" and high > 1):
        raise UserError(
            f"{name}: values from {low:g} to {high:g} would be cut off at 0 and 1; use normalisation: zscore"
        )
