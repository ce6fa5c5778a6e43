"""The benchmark of predictions runs, and its rows are those of docs/performance.md; no figure is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.predict_speed import ONNX

pytestmark = pytest.mark.slow


def test_it_measures_all_ways(repository: Path, tmp_path: Path) -> None:
    words = ["--quick", "--turns", "1", "--threads", "1", "--filters", "4", "--large", "4", "--json"]
    command = [sys.executable, "-m", "benchmarks.predict_speed", *words, str(tmp_path / "rows.json")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())
    ways = ["textbook", *(["onnx"] if ONNX else []), "predict", "predict, portable"]
    assert [row["way"] for row in rows] == [*ways, *ways[:-1]]
    assert all(row["ratio"] == 1 for row in rows if row["way"] == "textbook")
    assert all(row["images_per_second"] > 0 for row in rows)
