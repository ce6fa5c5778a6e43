"""Which folders of data/incoming/ `data add` has made itself, so that it may replace them."""

from __future__ import annotations

import json
from pathlib import Path

from multiresunet.data.readers.several import is_litter
from multiresunet.errors import UserError
from multiresunet.files import sha256, some_of, write_json

RECORD = ".data_add.json"  # hidden, so that it is no image
REMEDY = "choose another name, or move this folder elsewhere"


def record(folder: Path) -> None:
    """Write down which files `data add` has put into a folder, with their SHA-256."""
    write_json(folder / RECORD, {name: sha256(path) for name, path in _files(folder).items()})


def check_replaceable(folder: Path) -> None:
    """Refuse a folder that was made by hand, or has been changed by hand since `data add` made it.

    A file that it has linked may have other content now: its original has it, too, and may be corrected in place.

    Raises:
        UserError: naming the files that would be lost.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder}: `data add` would replace this, and hasn't made it; {REMEDY}")
    known = _recorded(folder)
    lost = [
        name
        for name, path in _files(folder).items()
        if (not _is_recorded(path, known[name]) if name in known else not is_litter(path))
    ]
    if lost:
        raise UserError(
            f"{folder}: `data add` would delete {some_of(lost)}, which it hasn't written, or not like this; {REMEDY}"
        )


def _files(folder: Path) -> dict[str, Path]:
    """All that isn't a folder, links to folders too, by its path in the folder; without the record itself."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
    return {path.relative_to(folder).as_posix(): path for path in found if path != folder / RECORD}


def _recorded(folder: Path) -> dict[str, str]:
    """SHA-256 by path; of no file if there is no record, or none that can be read."""
    try:
        tree = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _is_recorded(path: Path, known: str) -> bool:
    return not path.is_symlink() and (path.stat().st_nlink > 1 or sha256(path) == known)
