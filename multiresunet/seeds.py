"""Randomness from names: the same thing always gets the same seed, in whatever order things happen."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def seed_for(seed: int, *names: str | int) -> int:
    """A seed below 2**32 for what `names` name (data set, model, fold, epoch…), made from the run's seed."""
    text = ":".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def generator_for(seed: int, *names: str | int) -> torch.Generator:
    """A CPU generator for what `names` name."""
    import torch  # here, since the stages before training don't need the seconds that it takes

    return torch.Generator().manual_seed(seed_for(seed, *names))
