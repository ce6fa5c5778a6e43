"""The same work on many things, in parallel and in order, with a bounded number of results in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
BLOCK = 64
WORKERS = min(8, os.cpu_count() or 1)
LARGE = 8 * 2**20  # bytes of a file on disk; of such ones, no two are decoded at a time


def blocks(
    work: Callable[[T], R], items: Sequence[T], *, workers: int = WORKERS, block: int = BLOCK
) -> Iterator[list[tuple[int, R]]]:
    """`work` on every item, as blocks of (index, result); the items' order, whatever the number of workers.

    Threads, since decoders and NumPy let go of the interpreter's lock, and a process takes seconds to start. Where
    an item raises, its exception is raised in the item's turn.
    """
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(items), block):
            yield list(enumerate(pool.map(work, items[start : start + block]), start))


def at_once(files: Iterable[Path]) -> dict[str, int]:
    """Options of `blocks` for work on these files: one by one if any is large, so that memory holds a single one."""
    if any(path.stat().st_size > LARGE for path in files if path.is_file()):
        return {"workers": 1, "block": 1}
    return {}
