"""Exceptions for what a user can fix, the same of the system in one line, and the hint for a misspelt word."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterable
from difflib import get_close_matches

SQLITE_FULL = 13  # SQLite's code; DVC's and Prefect's databases have it
ROOM = "; make room (`dvc gc --workspace` drops old results) and run again"


class UserError(Exception):
    """Says in one line what is wrong, where, and what to do; shown without a traceback."""

    def __init__(self, message: str) -> None:
        # Line by line, since a file's name may hold spaces of any kind.
        super().__init__(" ".join(line.strip() for line in message.splitlines() if line.strip()))


class DivergedError(UserError):
    """Training came to a loss that isn't a finite number."""


class StoppedError(UserError):
    """The work was stopped by a signal, and can go on where it was."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.status = 128 + number  # what a shell reports of a process that a signal ended


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The hint " (did you mean epochs?)" with the known word that is nearest to `word`; empty if none is near."""
    near = get_close_matches(str(word).lower(), list(known), n=1)
    return f" (did you mean {near[0]}?)" if near and near[0] != word else ""


def of_the_system(error: Exception) -> str | None:
    """One line for a full disk, or for what may not be read or written; None for any other error."""
    if getattr(error, "sqlite_errorcode", 0) == SQLITE_FULL:
        return f"the disk is full{ROOM}"
    if not isinstance(error, OSError):
        return None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return f"the disk is full{where}{ROOM}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{error.filename}: no permission to read or write this; change its owner or its mode"
    if error.errno == errno.EROFS:
        return f"{error.filename}: nothing can be written to this file system; work in another folder"
    return None


def print_any_sign() -> None:
    """Print a question mark for what the terminal's encoding lacks, rather than end there."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
