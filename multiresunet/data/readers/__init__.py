"""Read and write image files, whatever format a laboratory has; every conversion is noted, none is silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from multiresunet.data.readers import several
from multiresunet.data.readers.common import Array, Read, UndecidedError
from multiresunet.data.readers.foreign import remedy
from multiresunet.data.space import Space, canonical
from multiresunet.errors import UserError
from multiresunet.registries import READERS

__all__ = ["Array", "Decoded", "decode_image", "decode_mask", "read_image", "read_mask", "write_image"]

FALLBACK = "pictures"  # for files of unknown suffix: Pillow looks at the content
REPLACE = "replace it or take it out"
COLOURS = 256  # that a mask of colours may have
WHOLE = 1e-3  # how far from a whole number a label may be, where a program has resampled labels as floats


class Decoded(NamedTuple):
    """What a file holds.

    array: C×H×W or C×D×H×W for an image, H×W or D×H×W for a mask; the file's own type and scale. A volume whose file
        says where it lies has its axes towards right, anterior and superior.
    notes: what was done to get there, such as "alpha dropped"; empty if nothing was.
    container: the format's name, such as PNG or NIfTI.
    space: where a volume lies, and how to turn an array back to the file's own axes; None if the file doesn't say.
    spacing: a pixel's or voxel's size along each axis of the array, in mm; None if the file doesn't say.
    """

    array: Array
    notes: tuple[str, ...]
    container: str
    space: Space | None = None
    spacing: tuple[float, ...] | None = None


def decode_image(path: Path) -> Decoded:
    """Read an image as C×H×W, or a volume or a stack of pages as C×D×H×W.

    EXIF's orientation is applied, a palette becomes its colours, alpha is dropped. A fourth axis of a volume holds the
    channels.

    Raises:
        UserError: naming the file, if it is missing, damaged, too large, or of a kind that isn't known.
    """
    return _oriented(path, _read(path, as_mask=False))


def decode_mask(path: Path, *, alpha: bool | None = None, colours: Mapping[str, int] | None = None) -> Decoded:
    """Read a mask as H×W or D×H×W integers.

    As `decode_image`, but a palette of colours counts as labels, by its indices (a grey one by its grey values),
    colours that are all grey become one channel, and whether white is 0 changes nothing: values come as stored.

    Args:
        path: of the file, or of the folder that is one image.
        alpha: whether the alpha channel is the mask. Without an answer, one that isn't opaque is an error.
        colours: the label of each colour, as `{"#ff0000": 1}`.

    Raises:
        UserError: as `decode_image`, or if the file has channels, fractions, values that aren't finite, colours that
            aren't in `colours` or are too many for labels, or an alpha channel that nobody has decided on.
    """
    read = _read(path, as_mask=colours is None)
    if read.alpha is not None and alpha is None:
        shares = f"{np.mean(read.alpha > 0):.1%} of its pixels have alpha, {_marked(read.array):.1%} have a colour"
        raise UndecidedError(
            f"{path}: its alpha channel isn't opaque everywhere: {shares}; say whether alpha is the mask "
            "(`data add --alpha mask`, or mask.alpha: true in params.yaml) or the colours are (`--alpha drop`, false)"
        )
    if alpha:
        if read.alpha is None:
            raise UserError(f"{path}: mask.alpha says that alpha is the mask, and this file has none; fix either")
        read = read._replace(array=read.alpha[None], notes=("alpha channel taken as the mask",))
    elif colours is not None:
        read = _by_colour(path, read, colours)
    array, notes, container, space, spacing = _oriented(path, read)
    if len(array) == 3 and array.dtype == np.uint8:
        if not (array == array[0]).all():
            if (many := len(np.unique(_codes(array)))) > COLOURS:
                raise UserError(
                    f"{path}: {many} colours, as a photograph has, and no mask; see whether images and masks are "
                    "swapped, or export the mask as PNG without smoothing"
                )
            shown, example = palette_of(array)
            raise UndecidedError(
                f"{path}: a mask of colours: {shown}; say what each means: `data add --colours '{example}'`, or "
                "mask.colours in params.yaml"
            )
        array, notes = array[:1], (*notes, "equal colours taken as grey")
    if len(array) != 1:
        raise UserError(
            f"{path}: a mask has one channel, this file has {len(array)} (shape {np.moveaxis(array, 0, -1).shape}); "
            "save it as grey"
        )
    whole, rounded = _whole(path, array[0])
    return Decoded(whole, (*notes, *rounded), container, space, spacing)


def palette_of(array: Array, most: int = 8) -> tuple[str, str]:
    """The colours of 3×H×W uint8 with their shares, the most frequent first: "#000000 93.1%, #ff0000 6.9%".

    And labels for them, for example: "#000000=0 #ff0000=1".
    """
    codes, counts = np.unique(_codes(array), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    shown = ", ".join(f"#{int(codes[i]):06x} {counts[i] / counts.sum():.1%}" for i in order)
    example = " ".join(f"#{int(codes[i]):06x}={number}" for number, i in enumerate(order))
    return shown + (f" and {len(codes) - most} more" if len(codes) > most else ""), example


def decode_stored(path: Path) -> list[Array]:
    """The colours of a picture (C×H×W) as they are stored, and its alpha channel (1×H×W) unless that is opaque.

    Raises:
        UserError: as `decode_image`.
    """
    read = _read(path, as_mask=True)
    return [read.array] if read.alpha is None else [read.array, read.alpha[None]]


def read_image(path: Path) -> Array:
    """The array of `decode_image`."""
    return decode_image(path).array


def read_mask(path: Path) -> Array:
    """The array of `decode_mask`."""
    return decode_mask(path).array


def write_image(path: Path, image: Array, space: Space | None = None) -> None:
    """Write C×H×W (one or three channels) or H×W of uint8 as PNG, or C×D×H×W or D×H×W as NIfTI.

    With its space, a volume is written with the axes, and the affine, of the file that the space was read from.
    """
    if _reader_name(path.name) == "nifti":
        from multiresunet.data.readers.nifti import write_nifti  # here, since few data sets need nibabel

        write_nifti(
            path, image if space is None else space.to_file(image), None if space is None else space.file_affine
        )
        return
    array = np.moveaxis(image, 0, -1).squeeze(-1) if image.shape[0] == 1 and image.ndim == 3 else image
    Image.fromarray(np.moveaxis(array, 0, -1) if array.ndim == 3 else array).save(path)


@cache
def known_suffixes() -> dict[str, str]:
    """The reader's name for each suffix of a file's name, the longest first."""
    found = {suffix: name for name, entry in READERS.entries.items() for suffix in entry.facts["suffixes"]}
    return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))


def _reader_name(file: str) -> str | None:
    return next((name for suffix, name in known_suffixes().items() if file.lower().endswith(suffix)), None)


def _read(path: Path, as_mask: bool) -> Read:
    if not path.exists():
        raise UserError(f"{path}: this file is missing; put it back, or take its line out of the manifest")
    if path.is_file() and not path.stat().st_size:
        raise UserError(f"{path}: an empty file, not an image that can be read; replace it or take it out")
    name = several.reader_of_folder(path) if path.is_dir() else _reader_name(path.name)
    try:
        reader: Callable[[Path, bool], Read] = READERS[name or FALLBACK]
        return reader(path, as_mask)
    except UserError:
        raise
    except UnidentifiedImageError:
        what = None if name else remedy(path)
        known = "" if name or what else f" (known: {', '.join(sorted(known_suffixes()))})"
        raise UserError(f"{path}: not an image that can be read{known}; {what or REPLACE}") from None
    except Exception as error:  # damaged bytes make decoders raise what comes to hand, OverflowError included
        what = str(error)[:300] or type(error).__name__
        raise UserError(f"{path}: damaged or not readable ({what}); {REPLACE}") from None


def _oriented(path: Path, read: Read) -> Decoded:
    """A volume with its axes to the right, anterior and superior, where its file says which they are."""
    if read.affine is None or read.array.ndim != 4:
        return Decoded(read.array, read.notes, read.container, None, read.spacing)
    try:
        array, space, moved = canonical(read.array, read.affine)
    except ValueError as error:
        raise UserError(f"{path}: {error}; fix its header, or replace it") from None
    return Decoded(array, (*read.notes, *moved), read.container, space, space.spacing)


def _whole(path: Path, array: Array) -> tuple[Array, tuple[str, ...]]:
    """Integers of floats that are whole numbers, but for what resampling has left."""
    if array.dtype.kind != "f":
        return array, ()
    near = np.round(array)
    away = float(np.abs(array - near).max()) if np.isfinite(array).all() else np.inf
    if away > WHOLE or (array.size and np.abs(near).max() > 2**31):
        raise UserError(f"{path}: a mask holds whole numbers, this one has fractions or NaN; save its labels")
    return near.astype(np.int64), (f"labels rounded, by {away:.0e} at most",) if away else ()


def _marked(array: Array) -> float:
    return float(np.mean((array != 0).any(axis=0)))


def _codes(array: Array) -> Array:
    red, green, blue = (channel.astype(np.int64) for channel in (array if len(array) == 3 else array[[0, 0, 0]]))
    return np.asarray(red << 16 | green << 8 | blue)


def _by_colour(path: Path, read: Read, colours: Mapping[str, int]) -> Read:
    """The labels that colours stand for.

    Raises:
        UserError: if a colour has no label, or the file has no 8-bit colours.
    """
    if len(read.array) not in (1, 3) or read.array.dtype != np.uint8:
        raise UserError(f"{path}: {len(read.array)} channels of {read.array.dtype}, where mask.colours needs 8-bit RGB")
    known = np.array(sorted(int(colour.removeprefix("#"), 16) for colour in colours))
    labels = np.array([next(v for k, v in colours.items() if int(k.removeprefix("#"), 16) == code) for code in known])
    codes = _codes(read.array)
    odd = ~np.isin(codes, known)
    if odd.any():
        first = f"#{int(codes[odd].flat[0]):06x}"
        raise UserError(
            f"{path}: {odd.mean():.2%} of the pixels have a colour, such as {first}, that mask.colours doesn't list; "
            "add it there, or export the mask without smoothing"
        )
    return read._replace(
        array=labels[np.searchsorted(known, codes)][None], notes=(*read.notes, "colours read as labels")
    )
