"""Files that are whole or absent, and tables whose bytes depend on their content alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd  # half a second

DIGITS = 6


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `path` once the block has ended without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft, aside = path.with_name(f".{path.name}.draft"), path.with_name(f".{path.name}.old")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if path.exists():
        path.rename(aside)  # a run that is killed here leaves nothing in its place, and never half of it
    draft.rename(path)
    shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    draft.replace(path)


def write_json(path: Path, tree: Any) -> None:
    """Write JSON with sorted keys."""
    write_text(path, json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_csv(path: Path, table: pd.DataFrame, digits: int = DIGITS) -> None:
    """Write a table without index, rounded to `digits` decimals."""
    rounded = f"{{:z.{digits}f}}".format  # z: no "-0.000000", which a last bit would decide
    write_text(path, table.to_csv(index=False, float_format=rounded, lineterminator="\n"))


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def some_of(names: list[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
