"""Portable arithmetic gives the same bytes on this CPU as where the reference run was kept."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from multiresunet import arithmetic
from tests import reference_run

ROOT = Path(__file__).parents[1]
KEPT = json.loads(reference_run.KEPT.read_text(encoding="utf-8"))
PINNED = dict(line.split("==") for line in (ROOT / "numerics.lock").read_text(encoding="utf-8").split())
OTHERS = [name for name, pin in PINNED.items() if version(name).split("+")[0] != pin.split("+")[0]]

pytestmark = [
    pytest.mark.skipif(bool(arithmetic.obstacle()), reason=f"this is {arithmetic.obstacle()}"),
    pytest.mark.skipif(bool(OTHERS), reason=f"other versions than in numerics.lock: {', '.join(OTHERS)}"),
]


REMEDY = (
    "if the code was meant to make other numbers, or the lock has new versions: python -m tests.reference_run --write"
)


def differing(found: dict[str, str]) -> list[str]:
    return sorted(name for name in found.keys() | KEPT.keys() if found.get(name) != KEPT.get(name))


def test_this_cpu_makes_the_kept_hashes() -> None:
    assert not differing(reference_run.hashes()), REMEDY
