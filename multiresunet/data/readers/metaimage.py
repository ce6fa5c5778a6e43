"""The header of MetaImage (.mha, .mhd), looked at before ITK does: a damaged one ends ITK's process."""

from __future__ import annotations

import math
import re
from pathlib import Path

from multiresunet.errors import UserError

LINE = re.compile(rb"^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t\r]*$")
LONGEST = 250  # bytes of a text; ITK has room for 255
AXES = (2, 3, 4)
VECTORS = ("DimSize", "ElementSpacing", "ElementSize", "Offset", "Position", "Origin", "CenterOfRotation", "SequenceID")
MATRICES = ("TransformMatrix", "Rotation", "Orientation")
NUMBERS = ("ElementNumberOfChannels", "HeaderSize", "ElementNBits", "CompressedDataSize", "CompressionLevel", "ID")


def check_header(path: Path) -> None:
    """Refuse a header that isn't as MetaImage defines it.

    Raises:
        UserError: naming the line.
    """
    fields = _fields(path)
    axes = _numbers(path, fields, "NDims", 1)[0]
    if axes not in AXES:
        raise UserError(f"{path}: NDims is {axes:g}, where an image has two or three axes; save it again")
    for name in fields:
        if name in (*VECTORS, *MATRICES):
            _numbers(path, fields, name, int(axes) ** (1 + (name in MATRICES)))
        elif name in NUMBERS:
            _numbers(path, fields, name, 1)
    if min(_numbers(path, fields, "DimSize", int(axes))) < 1:
        raise UserError(f"{path}: DimSize is {fields['DimSize']}, where each axis has a voxel or more; save it again")
    if not 1 <= float(fields.get("ElementNumberOfChannels", "1")) <= 2**10:
        raise UserError(f"{path}: ElementNumberOfChannels is {fields['ElementNumberOfChannels']}; save it again")


def _fields(path: Path) -> dict[str, str]:
    """The header's lines, up to the one that says where the voxels are."""
    found: dict[str, str] = {}
    with path.open("rb") as file:
        for line in file.read(2**16).split(b"\n"):
            read = LINE.match(line)
            if not read or (len(line) > LONGEST and read[1] not in map(str.encode, MATRICES)):
                break
            name = read[1].decode()
            found.setdefault(name, read[2].decode("latin-1"))
            if name == "ElementDataFile":
                return found
    raise UserError(f"{path}: its header isn't MetaImage's ({line[:40]!r}); replace it or take it out")


def _numbers(path: Path, fields: dict[str, str], name: str, count: int) -> list[float]:
    words = fields.get(name, "").split()
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = []
    if len(found) != count or not all(map(math.isfinite, found)) or max(map(abs, found)) >= 2**31:
        raise UserError(f"{path}: {name} is {fields.get(name, 'missing')!r}, not {count} numbers; save it again")
    return found
