"""State to resume from after a kill: whole or absent, and under a key of everything that the result depends on."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import pickle
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from multiresunet.errors import UserError

THRIFT = 50.0  # at an epoch's end a state is saved unless saving would take more than 1/50 of the time
FIRST = 0.1  # seconds that the first one is taken to cost


def key(inputs: Mapping[str, Any], code: str) -> str:
    """A name for all that a result depends on; another one as soon as any of it changes.

    Args:
        inputs: plain values: parameters, and digests of data.
        code: digest of the code.
    """
    return hashlib.sha256(json.dumps({"inputs": inputs, "code": code}, sort_keys=True).encode()).hexdigest()[:32]


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the files' names and contents."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            total.update(f"{path.name}:{hashlib.file_digest(file, 'sha256').hexdigest()};".encode())
    return total.hexdigest()


class Checkpointer:
    """Saves the state of one training to a file, and loads it.

    Args:
        path: the file; None saves nothing.
        every: seconds between two states within an epoch. No result depends on it.
    """

    def __init__(self, path: Path | None = None, every: float = math.inf) -> None:
        self.path = path
        self._every = every
        self._saved = time.monotonic()
        self._cost = FIRST

    def due(self, *, epoch_ended: bool) -> bool:
        """Whether it is time to save."""
        if self.path is None:
            return False
        return time.monotonic() - self._saved >= (THRIFT * self._cost if epoch_ended else self._every)

    @property
    def last(self) -> str:
        """Where the last good state is, in words."""
        if self.path is None or not self.path.exists():
            return "no state was saved"
        return f"the state from before is in {self.path}, and running again resumes from it"

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the file by this state, in one step.

        Raises:
            UserError: if the disk is full; the state before is then still there.
        """
        if self.path is None:
            return
        begun = time.monotonic()
        content = io.BytesIO()  # torch.save into a file hides the reason when writing fails
        torch.save(dict(state), content)
        draft = self.path.with_name(f".{self.path.name}.draft")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            if error.errno != errno.ENOSPC:
                raise
            last = f"the last good state, {self.path}, is kept" if self.path.exists() else "there is no state yet"
            raise UserError(
                f"the disk is full: the state of training ({len(content.getbuffer()) >> 20} MiB) couldn't be saved; "
                f"{last}; make room (`dvc gc --workspace` drops old results) and run again"
            ) from None
        self._saved = time.monotonic()
        self._cost = self._saved - begun

    def load(self) -> dict[str, Any] | None:
        """The state that was saved last, on the CPU; None if there is none."""
        if self.path is None or not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            print(f"{self.path}: damaged ({error}); starting this fold again", file=sys.stderr)
            return None
        return state
