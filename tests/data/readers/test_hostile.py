"""Damaged and hostile files are arrays or one line, in bounded memory and time, whatever their kind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data.readers.hostile import KINDS, ROOT

FEW, MANY = 8, 80  # damaged files of a kind


def outcomes(each: int, folder: Path) -> dict[str, dict[str, Any]]:
    """What happened, by kind; one process for all, since modules take seconds to import."""
    command = [sys.executable, "-m", "tests.data.readers.hostile", "all", str(each), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {[one['kind'] for one in found][-1:]}: {done.stderr[-2000:]}"
    return {one["kind"]: one for one in found}


@pytest.mark.integration
@pytest.mark.parametrize("each", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_what_is_damaged_is_an_array_or_one_line(each: int, tmp_path: Path) -> None:
    by_kind = outcomes(each, tmp_path)
    assert list(by_kind) == list(KINDS)
    for kind, found in by_kind.items():
        assert found["failures"] == [], kind
        assert found["read"] + found["refused"] == each, kind
        assert found["refused"] >= each / 8, kind  # they are damaged
