"""The log of each stage, in a file of its own: .state/logs/NAME.log."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from multiresunet.errors import UserError
from multiresunet.paths import STATE

LOGS = STATE / "logs"


def path_of(stage: str) -> Path:
    """Where the log of a stage is."""
    return LOGS / f"{stage}.log"


class Journal:
    """The lines of a stage's last run, in a file; an error that leaves the block names it.

    A file that can't be written, on a full disk say, loses lines of the log; the stage itself says what is wrong.
    """

    def __init__(self, stage: str) -> None:
        self._path = path_of(stage)
        self._file: TextIO | None = None

    def __enter__(self) -> Journal:
        return self

    def add(self, line: str) -> None:
        """Write a line."""
        with suppress(OSError):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8")
            print(line, file=self._file, flush=True)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self._file is None:
            return
        with suppress(OSError):
            self._file.close()
        if isinstance(error, UserError):
            error.args = (f"{error} (its log: {self._path})",)
