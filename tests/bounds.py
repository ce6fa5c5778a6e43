"""Bounds for what a test may take of the machine, and for how long a refusal may be."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from multiresunet.errors import UserError


@contextmanager
def memory(more: int = 512 * 2**20) -> Iterator[None]:
    """Let this process have so many bytes more of address space; what needs more raises a MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def refusal(act: Callable[[], Any], longest: int = 1000) -> str:
    """The one line, of so many characters at most, that refuses what is asked for, within bounded memory."""
    with memory(), pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert len(line) < longest
    return line
