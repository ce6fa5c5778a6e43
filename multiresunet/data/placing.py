"""A mask beside its image: turned as the camera was held, and on the grid where the image lies."""

from __future__ import annotations

import re
from pathlib import Path

from multiresunet.data.readers import Array, Decoded
from multiresunet.data.readers.common import upright
from multiresunet.data.space import ElsewhereError, Space, onto
from multiresunet.errors import UserError

TURN = re.compile(r"turned upright by EXIF orientation (\d)")
XYZ = ("NIfTI", "Analyze", "MGH", "NRRD", "MetaImage", "DICOM")  # formats whose files order axes alike


def turn_of(read: Decoded) -> int:
    """EXIF's orientation that reading has undone; 1 if it had none."""
    return next((int(found[1]) for note in read.notes if (found := TURN.search(note))), 1)


def beside(path: Path, mask: Decoded, image: Decoded) -> Decoded:
    """A mask, turned and resampled where its image needs it; its shape is the image's, or shows what is wrong.

    Raises:
        UserError: naming the file, if nobody can tell how the two belong together.
    """
    if mask.array.ndim == 2 and image.array.ndim == 3:
        return _turned(path, mask, image)
    if mask.array.ndim != 3 or image.array.ndim != 4:
        return mask  # validation names what has other axes
    if image.space is not None and mask.space is not None:
        try:
            array, notes = onto(mask.array, mask.space, image.space)
        except ElsewhereError as error:
            raise UserError(f"{path}: {error}") from None
        return mask._replace(array=array, notes=(*mask.notes, *notes), space=image.space, spacing=image.spacing)
    known = image.space or mask.space
    return mask if known is None else _as_stored(path, mask, image, known)


def _as_stored(path: Path, mask: Decoded, image: Decoded, known: Space) -> Decoded:
    """The mask voxel by voxel, where only one of the two says where it lies."""
    whose = "image" if image.space else "mask"
    stored = known.to_file(image.array if image.space else mask.array).shape[-3:]
    other = (mask.array if image.space else image.array).shape[-3:]
    alike = {image.container, mask.container} <= set(XYZ) or stored[0] != stored[2]
    if stored != other or not alike:
        raise UserError(
            f"{path}: only the {whose} says where it lies, and the shapes ({'×'.join(map(str, stored))} and "
            f"{'×'.join(map(str, other))}, {image.container} and {mask.container}) don't tell how the two belong "
            "together; save both in one format, with an affine"
        )
    array: Array = image.space.from_file(mask.array) if image.space else known.to_file(mask.array)
    note = f"only the {whose} says where it lies; voxels taken in the files' order"
    return mask._replace(array=array, notes=(*mask.notes, note), space=image.space, spacing=image.spacing)


def _turned(path: Path, mask: Decoded, image: Decoded) -> Decoded:
    """A picture's mask, turned as its image was, where the shapes prove that it must be.

    Raises:
        UserError: if only one of the two was turned, and the shapes don't prove anything.
    """
    turns = turn_of(image), turn_of(mask)
    if turns[0] == turns[1]:
        return mask
    shape, sides = mask.array.shape, image.array.shape[1:]
    if turns[1] == 1 and turns[0] >= 5 and sides[0] != sides[1]:
        if shape == sides:
            return mask  # drawn on the upright image
        if shape == sides[::-1]:
            array, notes = upright(mask.array, turns[0])
            return mask._replace(array=array, notes=(*notes, *mask.notes))
    elif turns[0] == 1 and turns[1] >= 5 and shape[0] != shape[1] and shape == sides:
        return mask
    which = "image" if turns[1] == 1 else "mask"
    raise UserError(
        f"{path}: EXIF (orientation {max(turns)}) turns the {which} alone, and the shapes don't tell whether the mask "
        "was drawn on the turned image; save both upright and without EXIF (`mogrify -auto-orient`)"
    )
