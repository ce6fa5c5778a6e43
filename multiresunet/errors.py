"""Exceptions for what a user can fix, and the hint for a misspelt word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
