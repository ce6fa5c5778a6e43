"""Images that are several files: a header with its data beside it, or a folder (a DICOM series, an OME-Zarr)."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from multiresunet.errors import UserError

HEADERS = (".mhd", ".nhdr")  # text that names the file of the voxels
PAIRS = {".img": ".hdr", ".hdr": ".img"}  # NIfTI pairs and Analyze
ZARR = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
LITTER = re.compile(r"^(\..*|__macosx|thumbs\.db|desktop\.ini|ehthumbs\.db|@eadir|icon\r)$", re.IGNORECASE)
DATA_FILE = re.compile(rb"^(?:data ?file|ElementDataFile)\s*[:=]\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


def is_litter(path: Path) -> bool:
    """Whether systems leave such a file lying about: hidden files, .DS_Store, Thumbs.db, __MACOSX and so on."""
    return LITTER.match(path.name) is not None or "__MACOSX" in path.parts


def reader_of_folder(path: Path) -> str:
    """The reader of a folder that is one image.

    Raises:
        UserError: if it is none.
    """
    if any((path / name).is_file() for name in ZARR):
        return "zarr"
    if _has_dicom(path):
        return "dicom"
    raise UserError(f"{path}: a folder, and neither a DICOM series nor an OME-Zarr; name the image files in it")


def is_image_folder(path: Path) -> bool:
    """Whether a folder is one image."""
    try:
        return path.is_dir() and bool(reader_of_folder(path))
    except UserError:
        return False


def files_of(path: Path) -> list[Path]:
    """All files that hold the image at `path`: itself, a header's data file, or a folder's files; sorted in a folder.

    Raises:
        UserError: if a header names no file, or one that isn't beside it.
    """
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and not _is_junk(file))
    return [path, *companions(path)]


def companions(path: Path) -> list[Path]:
    """The files beside a header that it can't be read without.

    Raises:
        UserError: if a header names no file, or one that isn't beside it.
    """
    suffix = path.suffix.lower()
    if suffix in PAIRS and path.is_file():
        found = [
            other for other in path.parent.glob(f"{_escaped(path.stem)}.*") if other.suffix.lower() == PAIRS[suffix]
        ]
        if not found:
            raise UserError(f"{path}: {path.stem}{PAIRS[suffix]} belongs to it and isn't there; put it beside it")
        return found[:1]
    if suffix in HEADERS and path.is_file():
        return [data_file(path)]
    return []


def data_file(path: Path) -> Path:
    """The file of voxels that a header (.mhd, .nhdr) names; it must lie beside the header.

    Raises:
        UserError: if it names none, several, or one that lies elsewhere or is missing.
    """
    with path.open("rb") as file:
        named = DATA_FILE.search(file.read(2**16))
    name = named[1].decode("utf-8", "replace").strip() if named else ""
    place = path.parent / name
    if not name or name.upper() in ("LIST", "LOCAL") or name.upper().startswith("LIST ") or "%" in name:
        raise UserError(f"{path}: names no single file with its voxels; save header and voxels as one .nrrd or .mha")
    if place.name != name or place.resolve().parent != path.resolve().parent:
        raise UserError(f"{path}: its voxels lie in another file, {name}, and not beside it; put it there")
    if not place.is_file():
        raise UserError(f"{path}: {name} belongs to it and isn't there; put it beside it")
    return place


def without_companions(files: list[Path]) -> list[Path]:
    """A list of files without those that belong to others of them."""
    taken: set[Path] = set()
    for path in sorted(files):
        if path not in taken:
            with suppress(UserError):  # said when it is read
                taken |= set(companions(path))
    return [path for path in sorted(files) if path not in taken]


def _escaped(name: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", name)


def _is_junk(file: Path) -> bool:
    """Litter, but for the hidden files of an OME-Zarr."""
    return is_litter(file) and file.name not in ZARR and file.name != ".zmetadata"


def _has_dicom(path: Path) -> bool:
    for file in sorted(path.iterdir())[:16]:
        if file.suffix.lower() == ".dcm":
            return True
        if file.is_file() and not is_litter(file):
            with file.open("rb") as opened:
                if opened.read(132)[128:] == b"DICM":
                    return True
    return False
