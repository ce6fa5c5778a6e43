"""Damaged and hostile files are arrays or one line, in bounded memory and time, whatever their kind."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.data.readers.hostile import KINDS, ROOT

EACH = 80  # damaged files of a kind


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What happened, by kind; one process for all, since modules take seconds to import."""
    command = [sys.executable, "-m", "tests.data.readers.hostile", "all", str(EACH), str(tmp_path_factory.mktemp("h"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {[one['kind'] for one in found][-1:]}: {done.stderr[-2000:]}"
    return {one["kind"]: one for one in found}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_is_an_array_or_one_line(outcomes: dict[str, dict[str, Any]], kind: str) -> None:
    found = outcomes[kind]
    assert found["failures"] == []
    assert found["read"] + found["refused"] == EACH
    assert found["refused"] >= EACH / 8  # they are damaged
