"""Every registry of names, one line each; what registers itself imports its registry from here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from multiresunet.registry import Registry

READERS: Registry[Callable[[Path, bool], Any]] = Registry("reader", "data/readers")
PHANTOMS: Registry[Callable[..., Any]] = Registry("phantom", "data/sources/phantom")
