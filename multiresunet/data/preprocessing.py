"""Every sample at one size and scale: memory-mapped arrays, and a table of samples with their folds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from skimage.transform import resize

from multiresunet.config import Dataset
from multiresunet.data.dataset import CLASSES
from multiresunet.data.loading import encode_labels, load_image, load_mask
from multiresunet.data.manifest import Sample
from multiresunet.data.parallel import blocks
from multiresunet.data.readers import Array
from multiresunet.errors import UserError
from multiresunet.files import write_csv, write_json


def prepare(
    source: Path,
    samples: list[Sample],
    folds: Iterable[int],
    dataset: Dataset,
    size: tuple[int, ...],
    target: Path,
) -> None:
    """Resize and rescale every sample; write images.npy, masks.npy and samples.csv to `target`.

    If the data set has classes, classes.json holds their names.

    Files are decoded in parallel and arrays written in blocks, so that memory stays flat however many there are.

    Raises:
        UserError: as `fit_sample`, or if some images have 8 bits and some more.
    """

    def fit(sample: Sample) -> tuple[Array, NDArray[np.uint8]]:
        image, mask = load_image(source, sample.image, dataset).array, load_mask(source, sample.mask).array
        if len(image) != dataset.channels or mask.shape != image.shape[1:] or mask.ndim != len(size):
            raise UserError(
                f"{source / sample.image}: image {list(image.shape)} and mask {list(mask.shape)} where params.yaml "
                f"declares {dataset.channels} channels and {len(size)} axes; validate says what to fix"
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

    def append(self, array: Array) -> None:
        if array.shape != self._shape:
            raise ValueError(f"shape {array.shape} where {self._shape} is expected")
        self._file.write(np.ascontiguousarray(array).data)


def fit_sample(
    image: Array, mask: Array, dataset: Dataset, size: tuple[int, ...], name: str
) -> tuple[Array, NDArray[np.uint8]]:
    """One image (C×…) and its mask, resized or padded to `size`, scaled or standardised; the mask as labels.

    8-bit images that are only scaled stay uint8, as the authors' own preparation rounds them.

    Raises:
        UserError: if a sample that is to be padded is larger than `size`, or one that is only to be scaled
            has values that no [0, 1] holds.
    """
    labels = encode_labels(mask, dataset.mask)
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
        image = np.stack([_padded(channel, size) for channel in image])
        labels = _padded(labels, size)
    elif labels.shape != size:
        image = np.stack([_resized(channel, size) for channel in image])
        labels = _resized_labels(labels, size)
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


def _padded(array: Array, size: tuple[int, ...]) -> Array:
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


def _resized(array: Array, size: tuple[int, ...]) -> Array:
    """Linear interpolation over the area that a new pixel covers; keeps the type, rounding integers."""
    new: Array
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
