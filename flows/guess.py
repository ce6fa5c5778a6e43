"""A guess from files' times whether there is anything to do, so that more can start while DVC finds out.

No result depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from multiresunet.paths import PARAMS, STATE

WATCHED = (PARAMS, *map(Path, ("dvc.yaml", "numerics.lock", "catalog", "expectations", "multiresunet", "stages")))
MARK = STATE / "nothing-to-do"


def newest() -> float:
    """When what stages depend on was changed last, data left out; 0 if there is nothing."""
    return max(_times(), default=0.0)


def _times() -> Iterator[float]:
    for place in WATCHED:
        for path in (place, *place.rglob("*")):
            if "__pycache__" not in path.parts:
                with suppress(OSError):  # it isn't there, or has just gone
                    yield path.stat().st_mtime


def marked() -> float:
    """When a run last left nothing to do; 0 if none has."""
    with suppress(OSError):
        return MARK.stat().st_mtime
    return 0.0


def mark() -> None:
    """Note that there is nothing to do."""
    with suppress(OSError):  # a full disk
        MARK.parent.mkdir(exist_ok=True)
        MARK.touch()
