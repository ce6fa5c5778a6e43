"""Which files `predict` is given, and what each is called in the output's folder."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from multiresunet.data import manifest
from multiresunet.data.readers import known_suffixes
from multiresunet.errors import UserError
from multiresunet.files import some_of

WILD = "*?["


@dataclass(frozen=True)
class Input:
    """A file, and its name in the output's folder: relative, without suffix."""

    path: Path
    name: str


def found(words: Iterable[str], out: Path) -> list[Input]:
    """The files that some words name, in order of their names.

    Args:
        words: files; folders, with all that is below them and has a known suffix; or patterns (`**` for any folders).
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


def _named(word: str) -> Iterator[Input]:
    path = Path(word)
    if path.is_file():
        yield Input(path, manifest.sample_name(path.name))
    elif path.is_dir():
        yield from _below(path, path.rglob("*"))
    elif any(sign in word for sign in WILD):
        fixed = Path()
        for part in path.parts[:-1]:
            if any(sign in part for sign in WILD):
                break
            fixed /= part
        yield from _below(fixed, map(Path, glob.glob(word, recursive=True)), by_suffix=False)  # noqa: PTH207


def _below(folder: Path, paths: Iterable[Path], by_suffix: bool = True) -> Iterator[Input]:
    for path in paths:
        relative = path.relative_to(folder)
        known = not by_suffix or path.name.lower().endswith(tuple(known_suffixes()))
        if known and path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield Input(path, (relative.parent / manifest.sample_name(path.name)).as_posix())
