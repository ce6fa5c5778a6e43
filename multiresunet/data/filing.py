"""The files of one image or mask: where they go in a data set's folder, and their SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from multiresunet.data.manifest import JOIN, extension, parts
from multiresunet.data.readers.several import files_of
from multiresunet.files import sha256


def hash_of(folder: Path, cell: str) -> str:
    """SHA-256 of each image that a cell of the manifest joins, joined likewise.

    Of an image that is several files (a header and its data, a folder): of their names and hashes.
    """
    return JOIN.join(_hash(folder / path) for path in parts(cell))


def place(role: str, name: str, file: Path, *, inside: str | None = None) -> str:
    """Where an image goes, relative to the data set's folder: images/<name>.png.

    A header, and the data file that it names, keep their own names: images/<name>/c0.mhd. A folder stays one.

    Args:
        role: the folder, images or masks.
        name: the sample's.
        file: what goes there.
        inside: where a sample has several files: this one's name in images/<name>/.
    """
    if file.is_dir():
        return f"{role}/{name}{f'/{inside}' if inside else ''}{extension(file.name) if _is_zarr(file) else ''}"
    if len(files_of(file)) > 1:
        return f"{role}/{name}/{f'{inside}/' if inside else ''}{file.name.replace(JOIN, '_')}"
    return f"{role}/{name}/{inside}{extension(file.name)}" if inside else f"{role}/{name}{extension(file.name)}"


def moves(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """From where to where each file of an image goes."""
    if source.is_dir():
        return [(file, target / file.relative_to(source)) for file in files_of(source)]
    first, *others = files_of(source)
    return [(first, target), *((other, target.parent / other.name) for other in others)]


def is_there(path: Path) -> bool:
    """Whether there is a file, or a folder with files."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def stays_inside(path: Path, root: Path) -> bool:
    """Whether all files of an image lie in a folder, wherever links lead; `root` is resolved."""
    return all(file.resolve().is_relative_to(root) for file in (path, *files_of(path)))


def _is_zarr(file: Path) -> bool:
    return file.suffix.lower() == ".zarr"


def _hash(path: Path) -> str:
    files = files_of(path)
    if files == [path]:
        return sha256(path)
    base = path if path.is_dir() else path.parent
    lines = (f"{file.relative_to(base).as_posix()}\t{sha256(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
