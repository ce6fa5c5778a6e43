"""The speed benchmark runs, and its table has what docs/performance.md describes; no figure is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_it_measures_both_sides(repository: Path, tmp_path: Path) -> None:
    words = ["--quick", "--networks", "multiresunet", "--dims", "2", "--turns", "1", "--threads", "1", "--json"]
    command = [sys.executable, "-m", "benchmarks.train_speed", *words, str(tmp_path / "rows.json")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "rows.json").read_text())
    assert written["machine"]["threads"] == 1
    assert set(written["machine"]["ceilings"]) == {"float32", "bfloat16", "copy"}
    assert [(row["case"]["what"], row["case"]["precision"]) for row in written["rows"]] == [
        (what, precision) for what in ("training", "inference") for precision in ("float32", "bfloat16")
    ]
    for row in written["rows"]:
        assert row["case"]["network"] == "multiresunet"
        assert min(row["textbook"], row["engine"], row["ratio"], row["matrix_share"], row["copy_share"]) > 0
        assert row["ratio"] == row["engine"] / row["textbook"]
    assert done.stdout.count("multiresunet") == len(written["rows"])
