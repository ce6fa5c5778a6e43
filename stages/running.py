"""What all stages share: how an error reaches the user, and what a folder of inputs may hold."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from multiresunet.errors import StoppedError, UserError


def run(stage: Callable[..., None]) -> None:
    """Call a stage with the command line's words; an error that a user can fix is one line and status 1."""
    try:
        stage(*sys.argv[1:])
    except StoppedError as stop:
        print(f"stopped: {stop}", file=sys.stderr)
        sys.exit(stop.status)
    except UserError as error:
        sys.exit(f"error: {error}")
    except PermissionError as error:
        sys.exit(f"error: {error.filename}: no permission to read or write this; change its owner or its mode")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        sys.exit(f"error: the disk is full{where}; make room (`dvc gc --workspace` drops old results) and run again")


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Remove what an earlier run with other data sets or models has left in `folder`; DVC's cache has it.

    DVC hashes the whole folder as an input, and a fresh clone wouldn't have the leftovers.
    """
    for entry in folder.iterdir():
        if entry.name in names:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
