"""Which files `predict` is given, and what each is called in the output's folder."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from multiresunet.data import manifest, readers
from multiresunet.data.loading import paged
from multiresunet.data.readers import Decoded, known_suffixes
from multiresunet.data.readers.foreign import FOREIGN, remedy
from multiresunet.data.readers.several import (
    files_of,
    is_image_folder,
    is_litter,
    reader_of_folder,
    without_companions,
)
from multiresunet.errors import UserError
from multiresunet.files import sha256, some_of
from multiresunet.inference.writing import tiff_spacing, turn_of
from multiresunet.registries import READERS

WILD = "*?["
NO_PIXELS = ("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF")  # which Pillow tells from others, and can't read by itself
LONGEST = 255  # bytes of a file's name that systems take

Leave = Callable[[Path], object]  # is given each path that isn't taken


@dataclass(frozen=True)
class Input:
    """An image (a file, or a folder that is one), and its name in the output's folder: relative, without suffix."""

    path: Path
    name: str


def found(words: Iterable[str], out: Path, on_left_out: Callable[[Path], None] = lambda _path: None) -> list[Input]:
    """The images that some words name, in order of their names.

    Args:
        words: files; folders that are an image (a DICOM series, an OME-Zarr); other folders, with all images below
            them; or patterns (`**` for any folders).
        out: the output's folder; what is below it is no input.
        on_left_out: given what isn't taken: files of no known suffix and links that lead in a circle, from a folder;
            and folders with images that a pattern names, but nothing in them.

    Raises:
        UserError: if a word names nothing, or two files would be called the same.
    """
    inputs: dict[Path, Input] = {}
    left: dict[Path, Path] = {}

    def wanted(path: Path) -> bool:
        return out.resolve() not in (path.parent.resolve() / path.name).parents

    for word in words:
        skipped: list[Path] = []
        named = list(_named(word, skipped.append))
        some = [one for one in named if wanted(one.path)]
        if not some and named:
            raise UserError(f"{word}: lies in --out {out}, whose files are no input; choose another --out")
        if not some:
            raise UserError(f"{word}: {_nothing(word, skipped)}")
        for path in skipped:
            left.setdefault(path.absolute(), path)
        for one in some:
            inputs.setdefault(one.path.absolute(), one)  # two links to one file are two images
    for path in filter(wanted, left.values()):
        on_left_out(path)
    names: dict[str, list[str]] = {}
    for one in inputs.values():
        names.setdefault(one.name.casefold(), []).append(str(one.path))
    for same in names.values():
        if len(same) > 1:
            raise UserError(f"{some_of(same)}: would be written under the same name; predict them into two folders")
    return sorted(inputs.values(), key=lambda one: one.name)


def read(path: Path, pages: str | None = None) -> Decoded:
    """What an image holds, with its spacing; a TIFF's by its resolution, which the readers leave to others to believe.

    Args:
        path: of the image.
        pages: what a TIFF's pages are where it doesn't say, as in the model's training images.

    Raises:
        UserError: as `readers.decode_image`.
    """
    decoded = paged(readers.decode_image(path), pages)
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


def _named(word: str, leave: Leave) -> Iterator[Input]:
    path = Path(word)
    if path.is_file() or _is_one(path):
        yield Input(path, _name_of(path))
    elif path.is_dir():
        yield from (_below(path, one) for one in _within(path, leave))
    elif any(sign in word for sign in WILD):
        fixed = Path()
        for part in path.parts[:-1]:
            if any(sign in part for sign in WILD):
                break
            fixed /= part
        hits = without_companions([Path(one) for one in glob.glob(word, recursive=True)])  # noqa: PTH207 - absolute ones, too
        above = {folder for one in hits for folder in one.parents}
        for one in hits:
            if one.is_file() or _is_one(one):
                yield _below(fixed, one)
            elif is_image_folder(one):  # a series among other images
                yield from (_below(fixed, each) for each in _within(one, leave))
            elif one not in above and next(_within(one, lambda _path: None), None):
                leave(one)


def _nothing(word: str, left: list[Path]) -> str:
    """Why a word names no image; `left` is what it names beside images."""
    others = [path for path in left if not path.is_dir()]
    if others:
        what = remedy(others[0])
        return (
            f"no images in there that are read, but {some_of(list(map(str, others)))}"
            f"{f': {what}' if what else '; save them as TIFF, PNG or NIfTI'}"
        )
    if Path(word).is_dir():
        return "no images in there; name another folder"
    if left:
        named = some_of(list(map(str, left)))
        return f"names folders, {named}; name them without a pattern, or their files, as 'scans/**/*.tif'"
    if any(sign in word for sign in WILD):
        return "no file has such a name; for files in all folders: 'scans/**/*.tif'"
    return "no such file or folder; put patterns in quotes: 'scans/**/*.tif'"


def _within(folder: Path, leave: Leave, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """All images in a folder and the folders in it, by links, too; a DICOM series or an OME-Zarr is one."""
    here = folder.resolve()
    above |= {here, *here.parents}
    for path in without_companions([path for path in folder.iterdir() if not is_litter(path)]):
        if path.is_dir():
            if _is_one(path):
                yield path
            elif path.is_symlink() and path.resolve() in above:  # which leads in a circle
                leave(path)
            else:
                yield from _within(path, leave, above)
        elif path.name.lower().endswith(image_suffixes()):
            yield path
        else:
            leave(path)


def _is_one(folder: Path) -> bool:
    """Whether a folder is one image: an OME-Zarr, or a DICOM series with no other images beside or below it."""
    if not is_image_folder(folder):
        return False
    if reader_of_folder(folder) != "dicom":
        return True
    others = tuple(set(image_suffixes()) - set(READERS.entries["dicom"].facts["suffixes"]))
    return not any(
        next(_within(path, lambda _path: None), None) if path.is_dir() else path.name.lower().endswith(others)
        for path in folder.iterdir()
        if not is_litter(path)
    )


@cache
def image_suffixes() -> tuple[str, ...]:
    """What files' names end with that are taken from a folder: the readers' suffixes, and what else Pillow reads."""
    known = Image.registered_extensions()
    pillow = {suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in NO_PIXELS}
    return tuple(sorted({*known_suffixes(), *pillow} - FOREIGN.keys()))


def _below(folder: Path, path: Path) -> Input:
    return Input(path, (path.relative_to(folder).parent / _name_of(path)).as_posix())


def _name_of(path: Path) -> str:
    """The name without what is a suffix; a folder's is one only if it is known."""
    whole = path.is_dir() and not path.name.lower().endswith(tuple(known_suffixes()))
    return path.name if whole else manifest.sample_name(path.name)
