"""A sample as its data set declares it: channels put together, instances merged, foreground apart from the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiresunet.config import Dataset, MaskRule
from multiresunet.data import manifest, readers
from multiresunet.data.dataset import IGNORED
from multiresunet.data.placing import beside
from multiresunet.data.readers import Decoded
from multiresunet.data.space import same_grid
from multiresunet.errors import UserError

Array = NDArray[Any]


def load_image(folder: Path, path: str, dataset: Dataset) -> Decoded:
    """Read C×H×W or C×D×H×W; several files joined by `;` are channels, in that order.

    Raises:
        UserError: naming the file that can't be read, or those that don't fit together (of several types, if they are
            to be rescaled by them), or if the file doesn't have the channel that is declared.
    """
    several = _each(folder, path, dataset.pages)
    if dataset.normalisation == "rescale":
        _same_type(folder, manifest.parts(path), several)
    read = _joined(folder, path, several)
    array, notes = read.array, read.notes
    if dataset.channel is not None:
        if dataset.channel >= len(array):
            raise UserError(
                f"{folder / manifest.parts(path)[0]}: has no channel {dataset.channel} (counted from 0, "
                f"of {len(array)}); fix channel"
            )
        if len(array) > 1:
            notes = (*notes, f"channel {dataset.channel} of {len(array)} taken")
        array = array[dataset.channel : dataset.channel + 1]
    return read._replace(array=array, notes=notes)


def read_channels(folder: Path, path: str, pages: str | None = None) -> Decoded:
    """As `load_image`, with all channels; `pages` says what a TIFF's pages are, where it doesn't say it itself.

    Raises:
        UserError: naming the file that can't be read, or those that don't fit together.
    """
    return _joined(folder, path, _each(folder, path, pages))


def _each(folder: Path, path: str, pages: str | None) -> list[Decoded]:
    return [paged(readers.decode_image(folder / name), pages) for name in manifest.parts(path)]


def _joined(folder: Path, path: str, read: list[Decoded]) -> Decoded:
    names = manifest.parts(path)
    _turned_alike(folder, names, read)
    _same_shape(folder, names, [one.array.shape[1:] for one in read], "channels of one image")
    for name, one in zip(names, read, strict=True):
        if one.space and read[0].space and not same_grid(one.space, read[0].space):
            raise UserError(f"{folder / name}: lies elsewhere than {names[0]}, by its affine; resample it to that grid")
    array = read[0].array if len(read) == 1 else np.concatenate([one.array for one in read])
    return read[0]._replace(array=array, notes=_notes(read, f"channels read from {len(read)} files"))


def _turned_alike(folder: Path, names: list[str], read: list[Decoded]) -> None:
    """Refuse channels of which only some say where they lie, if those were turned: the others would be mirrored."""
    lost = next((name for name, one in zip(names, read, strict=True) if one.space is None), None)
    for name, one in zip(names, read, strict=True):
        if lost is not None and one.space and one.space.turned:
            raise UserError(
                f"{folder / lost}: doesn't say where it lies, and {name}, a channel of the same image, does and is "
                "turned by it; save both with an affine"
            )


def _same_type(folder: Path, names: list[str], read: list[Decoded]) -> None:
    for name, one in zip(names, read, strict=True):
        if one.array.dtype != read[0].array.dtype:
            raise UserError(
                f"{folder / name}: {one.array.dtype} where {names[0]} is {read[0].array.dtype}, so the two can't be "
                "rescaled alike; save all channels in one type, or use normalisation: zscore"
            )


def load_mask(folder: Path, path: str, rule: MaskRule | None = None, image: Decoded | None = None) -> Decoded:
    """Read H×W or D×H×W integers; of several files joined by `;` (one instance each) the highest value counts.

    Args:
        folder: the data set's.
        path: relative to it.
        rule: says whether alpha is the mask, and what colours mean.
        image: the mask's image as `load_image` returns it; the mask is moved to its grid.

    Raises:
        UserError: naming the file that can't be read, those that don't fit together, or a mask that doesn't lie where
            its image does.
    """
    names = manifest.parts(path)
    alpha, colours = (rule.alpha, rule.colours) if rule else (None, None)
    read = [readers.decode_mask(folder / name, alpha=alpha, colours=colours) for name in names]
    if image is not None:
        read = [beside(folder / name, one, image) for name, one in zip(names, read, strict=True)]
    _same_shape(folder, names, [one.array.shape for one in read], "instances of one mask")
    array = read[0].array
    for one in read[1:]:
        array = np.maximum(array, one.array)
    return read[0]._replace(array=array, notes=_notes(read, f"instances merged from {len(read)} files"))


def foreground(mask: Array, rule: MaskRule) -> NDArray[np.bool_]:
    """Where the mask is foreground, by the declared rule; the mask's shape. What is to be ignored is none."""
    if rule.above is None:
        return _among(mask, rule.foreground or [])
    inside = np.asarray(mask > rule.above)
    return inside if rule.ignore is None else inside & ~ignored(mask, rule)


def ignored(mask: Array, rule: MaskRule) -> NDArray[np.bool_]:
    """Where nobody knows what the mask should say, by the declared rule; the mask's shape."""
    return np.zeros(mask.shape, dtype=bool) if rule.ignore is None else np.asarray(mask == rule.ignore)


def encode_labels(mask: Array, rule: MaskRule) -> NDArray[np.uint8]:
    """0 for background, 1 for foreground; or 1, 2, … for the declared classes, in their order. The mask's shape.

    `IGNORED` stands where the rule says that nobody knows.
    """
    if rule.classes is None:
        found = foreground(mask, rule).astype(np.uint8)
    else:
        found = np.zeros(mask.shape, dtype=np.uint8)
        for number, values in enumerate(rule.classes.values(), start=1):
            found[_among(mask, values)] = number
    if rule.ignore is not None:
        found[ignored(mask, rule)] = IGNORED
    return found


def _among(mask: Array, values: list[int]) -> NDArray[np.bool_]:
    """`np.isin`, which makes copies of eight bytes a pixel, without them."""
    found = np.zeros(mask.shape, dtype=bool)
    for value in values:
        found |= mask == value
    return found


def paged(read: Decoded, pages: str | None) -> Decoded:
    """A stack whose pages are declared to be channels, as an image with channels: C×H×W of 1×pages×H×W."""
    if pages != "channels" or read.array.ndim != 4 or len(read.array) != 1:
        return read
    return read._replace(array=read.array[0], notes=("pages taken as channels",))


def _same_shape(folder: Path, names: list[str], shapes: list[tuple[int, ...]], what: str) -> None:
    for name, shape in zip(names, shapes, strict=True):
        if shape != shapes[0]:
            sizes = ("×".join(map(str, one)) for one in (shape, shapes[0]))
            raise UserError(f"{folder / name}: {' where the first file is '.join(sizes)}; {what} must have one size")


def _notes(read: list[Decoded], several: str) -> tuple[str, ...]:
    """What was noted on any of the files, each once, in order."""
    notes = dict.fromkeys(note for one in read for note in one.notes)
    return (*notes, several) if len(read) > 1 else tuple(notes)
