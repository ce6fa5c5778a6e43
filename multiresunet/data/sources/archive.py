"""Images and masks out of zip and tar files, which may be made by an enemy.

Nothing is unpacked to a path that an archive names: the layout says which members are wanted and what they are called.
"""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from multiresunet.data import manifest
from multiresunet.data.manifest import Sample
from multiresunet.data.sources.layouts import ARCHIVES
from multiresunet.errors import UserError
from multiresunet.files import sha256, some_of

# Images and volumes are packed already, so an archive hardly grows; one that does is a bomb.
GROWTH = 20
FLOOR = 16 << 20  # bytes that any archive may unpack to
DAMAGE = (  # what the two modules raise for damaged or unknown content
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def unpack(archives: dict[str, Path], layout: str, target: Path) -> list[Sample]:
    """Write the images and masks of archives to `target` as images/<sample>.<ext> and masks/<sample>.<ext>.

    Args:
        archives: path of each zip, tar or tar.gz, by what to call it in messages.
        layout: a key of `layouts.ARCHIVES`.
        target: folder of the data set.

    Raises:
        UserError: naming the archive and what is wrong in it: damage, a member that points out of it, is no plain
            file, or occurs twice; more content than an archive of its size can hold; a sample without image or mask.
    """
    found: dict[str, dict[str, str]] = {}
    for name, path in archives.items():
        try:
            for member, content in _members(path, name):
                _keep(member, content, layout, target, found, name)
        except DAMAGE as error:
            raise UserError(f"{name}: a damaged archive, or of a kind that isn't known ({error})") from None
    names = ", ".join(archives)
    if not found:
        raise UserError(f"{names}: holds no image of layout {layout}; see whether it is the right file")
    for role in ("image", "mask"):
        lone = sorted(sample for sample, cells in found.items() if role not in cells)
        if lone:
            raise UserError(f"{names}: no {role} for {some_of(lone)}; see whether all archives are listed")
    manifest.check_names(Path(names), found)
    return [Sample(sample=sample, **cells) for sample, cells in sorted(found.items())]


def _keep(
    member: str, content: IO[bytes], layout: str, target: Path, found: dict[str, dict[str, str]], name: str
) -> None:
    """Write a member that the layout wants, and note it in `found`."""
    for role, pattern in ARCHIVES[layout].items():
        match = pattern.fullmatch(member)
        if match is None:
            continue
        sample = match["sample"]
        place = f"{role}s/{sample}{manifest.extension(member)}"
        if role in found.setdefault(sample, {}):
            raise UserError(f"{name}: has the {role} of {sample!r} twice; it isn't to be trusted")
        (target / place).parent.mkdir(exist_ok=True)
        with (target / place).open("wb") as file:
            shutil.copyfileobj(content, file)
        found[sample] |= {role: place, f"{role}_sha256": sha256(target / place)}


def _members(path: Path, name: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Path and content of every plain file, in the archive's order."""
    limit = FLOOR + GROWTH * path.stat().st_size
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK":
        return _zip_members(path, name, limit)
    return _tar_members(path, name, limit, packed=start == b"\x1f\x8b")


def _zip_members(path: Path, name: str, limit: int) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > limit:
            raise _bomb(name, limit)
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)  # zero where it was made without Unix modes
            _check_member(name, member.filename, plain=kind in (0, stat.S_IFREG, stat.S_IFDIR))
        for member in members:
            if not member.is_dir():
                with archive.open(member) as content:  # reads no more than file_size, whatever is packed
                    yield _plain(member.filename), content


def _tar_members(path: Path, name: str, limit: int, packed: bool) -> Iterator[tuple[str, IO[bytes]]]:
    with gzip.open(path) if packed else path.open("rb") as file:
        bounded = _Bounded(file, limit, name)
        total = 0
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for member in archive:
                total += member.size
                if total > limit:
                    raise _bomb(name, limit)
                _check_member(name, member.name, plain=member.isreg() or member.isdir())
                content = archive.extractfile(member)
                if content is not None:
                    yield _plain(member.name), content


def _plain(member: str) -> str:
    return PurePosixPath(member).as_posix()  # without "./"


def _check_member(name: str, member: str, plain: bool) -> None:
    if not manifest.is_inside(member):
        raise UserError(f"{name}: holds {member!r}, which points out of the archive; it isn't to be trusted")
    if not plain:
        raise UserError(f"{name}: holds {member!r}, a link or a device and no file; it isn't to be trusted")


def _bomb(name: str, limit: int) -> UserError:
    return UserError(f"{name}: unpacks to more than {limit} bytes, which images don't; it isn't to be trusted")


class _Bounded(io.BufferedIOBase):
    """A stream that ends in an error once too much has been read: headers of a tar can be bombs too."""

    def __init__(self, file: io.BufferedIOBase, limit: int, name: str) -> None:
        self._file, self._left, self._limit, self._name = file, 2 * limit, limit, name  # headers and padding

    def read(self, size: int | None = -1, /) -> bytes:
        content = self._file.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise _bomb(self._name, self._limit)
        return content
