"""Which files `predict` is given, and what each is called in the output's folder."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from multiresunet.data import manifest, readers
from multiresunet.data.readers import Decoded, known_suffixes
from multiresunet.data.readers.several import files_of, is_image_folder, is_litter, without_companions
from multiresunet.errors import UserError
from multiresunet.files import sha256, some_of
from multiresunet.inference.writing import tiff_spacing, turn_of

WILD = "*?["
LONGEST = 255  # bytes of a file's name that systems take


@dataclass(frozen=True)
class Input:
    """An image (a file, or a folder that is one), and its name in the output's folder: relative, without suffix."""

    path: Path
    name: str


def found(words: Iterable[str], out: Path) -> list[Input]:
    """The images that some words name, in order of their names.

    Args:
        words: files; folders that are an image (a DICOM series, an OME-Zarr); other folders, with all images below
            them; or patterns (`**` for any folders).
        out: the output's folder; what is below it is no input.

    Raises:
        UserError: if a word names nothing, or two files would be called the same.
    """
    inputs: dict[Path, Input] = {}
    for word in words:
        some = [one for one in _named(word) if out.resolve() not in one.path.resolve().parents]
        if not some:
            raise UserError(f"{word}: no such file, or no images in there; put patterns in quotes: 'scans/**/*.tif'")
        for one in some:
            inputs.setdefault(one.path.resolve(), one)
    names: dict[str, list[str]] = {}
    for one in inputs.values():
        names.setdefault(one.name.casefold(), []).append(str(one.path))
    for same in names.values():
        if len(same) > 1:
            raise UserError(f"{some_of(same)}: would be written under the same name; predict them into two folders")
    return sorted(inputs.values(), key=lambda one: one.name)


def read(path: Path) -> Decoded:
    """What an image holds, with its spacing; a TIFF's by its resolution, which the readers leave to others to believe.

    Raises:
        UserError: as `readers.decode_image`.
    """
    decoded = readers.decode_image(path)
    if decoded.spacing is None and decoded.container == "TIFF":
        spacing = tiff_spacing(path, decoded.array.ndim - 1)
        if spacing and turn_of(decoded) >= 5:
            spacing = (*spacing[:-2], spacing[-1], spacing[-2])
        return decoded._replace(spacing=spacing)
    return decoded


def digest(path: Path) -> str:
    """SHA-256 of an image's file; where an image is several files, of all their names and digests.

    Raises:
        UserError: if one of them is missing.
    """
    files = files_of(path)
    if files == [path]:
        return sha256(path)
    listed = (f"{sha256(file)} {file.relative_to(path.parent).as_posix()}" for file in files)
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()


def check_names(one: Input, names: list[str]) -> None:
    """Refuse an image beside whose name there is no room for what is written, before there is work in it.

    Raises:
        UserError: if a name has too many bytes, or the image's can't be written into a table.
    """
    try:
        str(one.path).encode()
    except UnicodeEncodeError:
        raise UserError(f"{one.path}: its name isn't UTF-8; rename it") from None
    if any(len(os.fsencode(name)) > LONGEST for name in names):
        raise UserError(f"{one.path}: its name is too long for those of the files that are written; shorten it")


def _named(word: str) -> Iterator[Input]:
    path = Path(word)
    if path.is_file() or is_image_folder(path):
        yield Input(path, _name_of(path))
    elif path.is_dir():
        yield from (_below(path, one) for one in _within(path))
    elif any(sign in word for sign in WILD):
        fixed = Path()
        for part in path.parts[:-1]:
            if any(sign in part for sign in WILD):
                break
            fixed /= part
        files = [Path(one) for one in glob.glob(word, recursive=True)]  # noqa: PTH207
        yield from (_below(fixed, one) for one in without_companions(files) if one.is_file() or is_image_folder(one))


def _within(folder: Path) -> Iterator[Path]:
    """All images in a folder and the folders in it; a DICOM series or an OME-Zarr is one."""
    for path in without_companions([path for path in folder.iterdir() if not is_litter(path)]):
        if path.is_dir():
            if is_image_folder(path):
                yield path
            elif not path.is_symlink():  # which may lead in a circle
                yield from _within(path)
        elif path.name.lower().endswith(tuple(known_suffixes())):
            yield path


def _below(folder: Path, path: Path) -> Input:
    return Input(path, (path.relative_to(folder).parent / _name_of(path)).as_posix())


def _name_of(path: Path) -> str:
    """The name without what is a suffix; a folder's is one only if it is known."""
    whole = path.is_dir() and not path.name.lower().endswith(tuple(known_suffixes()))
    return path.name if whole else manifest.sample_name(path.name)
