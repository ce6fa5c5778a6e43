"""Every sample at one size and scale: memory-mapped arrays, and a table of samples with their folds."""

from __future__ import annotations

import io
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Dataset
from multiresunet.data.dataset import CLASSES, IGNORED, WINDOW
from multiresunet.data.loading import encode_labels, load_image, load_mask
from multiresunet.data.manifest import Sample, parts
from multiresunet.data.measures import measures, pieces
from multiresunet.data.parallel import at_once, blocks
from multiresunet.data.readers import Array
from multiresunet.data.resizing import REMEDY, emptied, in_words, interpolated, kept, padded, resized, resized_labels
from multiresunet.errors import UserError
from multiresunet.files import some_of, write_csv, write_json

HEADER = 128  # bytes of an .npy file's header, whatever its shape


class Prepared(NamedTuple):
    """One sample as the network sees it, and what it was: a row of samples.csv."""

    image: Array
    labels: NDArray[np.uint8]
    facts: dict[str, object]
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

    With `fit: patches` images keep their own sizes, one after the other in flat arrays, and window.json says how large
    the patches are. If the data set has classes, classes.json holds their names.

    Files are decoded in parallel and arrays written in blocks, so that memory stays flat however many there are.

    Returns:
        What samples.csv holds: sample, group, fold, original_size (of the file's array, like "576×767"), prepared_size
        (without padding), spacing (of the file, in mm; empty if it isn't known), foreground_kept and components_kept
        (which share of what the mask marks, and of its components, resizing has left), ignored (number of pixels).

    Raises:
        UserError: as `fit_sample`, if some images have 8 bits and some more, or if resizing empties a mask.
    """

    def fit(sample: Sample) -> Prepared:
        return _prepared(source, sample, dataset, size)

    ragged, files = dataset.fit == "patches", (source / path for s in samples for path in parts(s.image))
    rows, empty, first = list[dict[str, object]](), list[str](), None
    with _Writer(target / "images.npy") as images, _Writer(target / "masks.npy") as masks:
        for block in blocks(fit, samples, **at_once(files)):
            for index, one in block:
                sample = samples[index]
                first = first or one.image.dtype
                if one.image.dtype != first:
                    raise UserError(
                        f"{source / sample.image}: {one.image.dtype} where earlier files of the data set are "
                        f"{first}; save all images with the same number of bits"
                    )
                images.append(one.image)
                masks.append(one.labels)
                empty += [sample.sample] * one.emptied
                rows.append(one.facts)
            del one, block  # before the next ones are made
        images.close(ragged=ragged)
        masks.close(ragged=ragged)
    if empty:
        raise UserError(
            f"{source}: at {in_words(size)} the masks of {some_of(empty)} become empty, since what they mark is "
            f"smaller than a pixel there; {REMEDY}"
        )
    table = pd.DataFrame(rows)
    table.insert(2, "fold", list(folds))
    write_csv(target / "samples.csv", table)
    if ragged:
        write_json(target / WINDOW, {"window": list(size), "channels": dataset.channels})
    if dataset.mask.classes is not None:
        write_json(target / CLASSES, list(dataset.mask.classes))
    return table


def _prepared(source: Path, sample: Sample, dataset: Dataset, size: tuple[int, ...]) -> Prepared:
    read = load_image(source, sample.image, dataset)
    image, mask = read.array, load_mask(source, sample.mask, dataset.mask, read).array
    if len(image) != dataset.channels or mask.shape != image.shape[1:] or mask.ndim != len(size):
        raise UserError(
            f"{source / sample.image}: image {list(image.shape)} and mask {list(mask.shape)} where params.yaml "
            f"declares {dataset.channels} channels and {len(size)} axes; validate says what to fix"
        )
    labels = encode_labels(mask, dataset.mask)
    shape = target_shape(labels.shape, read.spacing, dataset, size, str(source / sample.image))
    del mask
    made, found = fit_sample(image, labels, dataset, shape, sample.sample)
    left = kept(labels, found)
    facts = {
        "sample": sample.sample,
        "group": sample.group,
        "original_size": in_words(labels.shape),
        "prepared_size": in_words(shape),
        "spacing": "" if read.spacing is None else "×".join(f"{side:.6g}" for side in read.spacing),
        "foreground_kept": left.foreground,
        "components_kept": left.components,
        "ignored": np.count_nonzero(found == IGNORED),
    }
    gone = emptied(labels, found)
    if dataset.fit in ("pad", "spacing"):
        made, found = np.stack([padded(channel, size) for channel in made]), padded(found, size)
    return Prepared(made, found, facts, gone)


class _Writer:
    """Writes an .npy file front to back: pages of a memory map would count as the process's own memory.

    NumPy leaves room in the header for any length, so it is written again once that is known.
    """

    def __init__(self, path: Path) -> None:
        self._file, self._count, self._values = path.open("wb"), 0, 0
        self._shape: tuple[int, ...] | None = None
        self._dtype = np.dtype(np.uint8)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, array: Array) -> None:
        """Write an array behind the others."""
        if self._shape is None:
            self._shape, self._dtype = array.shape, array.dtype
            self._header((0, *array.shape))
        self._file.write(np.ascontiguousarray(array).data)
        self._count, self._values = self._count + 1, self._values + array.size

    def close(self, *, ragged: bool) -> None:
        """End the file: as one array for all, or (`ragged`) as a flat one."""
        assert self._shape is not None
        if not ragged and self._values != self._count * prod(self._shape):
            raise ValueError("arrays of several shapes where one is expected")
        self._file.seek(0)
        self._header((self._values,) if ragged else (self._count, *self._shape))

    def _header(self, shape: tuple[int, ...]) -> None:
        buffer = io.BytesIO()
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(buffer, header)
        # The same length for any shape: what is between the text and the end of its line is spaces.
        text = buffer.getvalue()[10:].rstrip(b" \n")
        self._file.write(buffer.getvalue()[:8] + (HEADER - 10).to_bytes(2, "little"))
        self._file.write(text.ljust(HEADER - 11) + b"\n")


def target_shape(
    shape: tuple[int, ...], spacing: tuple[float, ...] | None, dataset: Dataset, size: tuple[int, ...], where: str
) -> tuple[int, ...]:
    """What a file's array becomes by resampling, before it is padded.

    Args:
        shape: of the file's array, without channels.
        spacing: of the file, in mm; None if it isn't known.
        dataset: says how images are fitted.
        size: what the network sees.
        where: the file, for messages.

    Raises:
        UserError: if the spacing is needed and isn't known, or if what isn't resized is larger than `size`.
    """
    found = shape
    if dataset.spacing is not None:
        if spacing is None:
            raise UserError(
                f"{where}: the file doesn't say how large a pixel is, so it can't be resampled to "
                f"{'×'.join(f'{side:g}' for side in dataset.spacing)} mm; save it with its spacing, or say fit: resize"
            )
        found = tuple(
            max(1, round(side * own / wanted))
            for side, own, wanted in zip(shape, spacing, dataset.spacing, strict=True)
        )
    if dataset.fit == "resize":
        return size
    if dataset.fit in ("pad", "spacing") and any(have > want for have, want in zip(found, size, strict=True)):
        raise UserError(
            f"{where}: {list(found)} doesn't fit into {list(size)}; raise the data set's size "
            "(and the recipe's longest_side), or use fit: resize or fit: patches"
        )
    return found


def fit_sample(
    image: Array, labels: NDArray[np.uint8], dataset: Dataset, shape: tuple[int, ...], name: str
) -> tuple[Array, NDArray[np.uint8]]:
    """One image (C×…) and its labels, resized to `shape`; the image scaled or standardised.

    8-bit images that are only scaled stay uint8, as the authors' own preparation rounds them.

    Raises:
        UserError: if an image that is only to be scaled has values that no [0, 1] holds.
    """
    made = fit_image(image, dataset.normalisation, shape, name)
    return made, labels if labels.shape == shape else resized_labels(labels, shape)


def fit_image(image: Array, normalisation: str, shape: tuple[int, ...], name: str) -> Array:
    """An image (C×…), resized to `shape`, scaled or standardised; `name` is for messages.

    Raises:
        UserError: if it is only to be scaled, and has values that no [0, 1] holds.
    """
    if normalisation == "zscore":
        return _standardised(image, shape)
    check_unit(image, name)
    return rescaled(image if image.shape[1:] == shape else np.stack([resized(channel, shape) for channel in image]))


def rescaled(image: Array) -> Array:
    """uint8 as it is, which stands for [0, 1]; other integers by their type's range, as float32 in [0, 1]."""
    if image.dtype == np.uint8:
        return image
    return np.asarray(np.clip(image.astype(np.float32) / np.float32(full_scale(image.dtype)), 0, 1))


def full_scale(dtype: np.dtype[Any]) -> float:
    """The value that `rescaled` makes 1."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def _standardised(image: Array, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """C×shape, where each channel of `image` has mean 0 and deviation 1: each is a scan of its own, on its own scale.

    Resized first, since that commutes with scaling and leaves less to hold in memory.
    """
    found = np.empty((len(image), *shape), dtype=np.float32)
    for channel, into in zip(image, found, strict=True):
        _, _, mean, deviation, _ = measures(channel)
        values = channel if channel.shape == shape else interpolated(channel, shape)
        for piece, place in zip(pieces(values), pieces(into), strict=True):
            place[:] = (piece.astype(np.float64) - mean) / max(deviation, 1e-12)
    return found


def leaves_unit(low: float, high: float, kind: np.dtype[Any]) -> bool:
    """Whether values of a type would be cut off at 0 and 1, after division by what the type holds."""
    return low < 0 or (kind.kind == "f" and high > 1)


def check_unit(image: Array, name: str) -> None:
    """Refuse values that would be cut off at 0 and 1.

    Raises:
        UserError: there are some.
    """
    low, high = image.min(), image.max()
    if leaves_unit(low, high, image.dtype):
        raise UserError(
            f"{name}: values from {low:g} to {high:g} would be cut off at 0 and 1; use normalisation: zscore"
        )
