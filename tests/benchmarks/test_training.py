"""The benchmarks of recipes and of kills run on a small prepared data set."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.stages.test_devices import ROOT, project

pytestmark = pytest.mark.slow


def output(folder: Path, *words: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_recipes_are_compared_on_the_same_folds(tmp_path: Path) -> None:
    folder = project(tmp_path, 1, epochs=1)
    path = folder / "params.yaml"
    tree = yaml.safe_load(path.read_text())
    tree["recipes"]["other"] = tree["recipes"]["quick"] | {"loss": "dice"}
    path.write_text(yaml.safe_dump(tree))
    printed = output(folder, "benchmarks.recipes", "nuclei", "unet_bn", "quick", "other")
    assert re.findall(r"^(\w+) fold (\d): last epoch \d", printed, re.MULTILINE) == [
        (recipe, fold) for recipe in ("quick", "other") for fold in "01"
    ]
    assert re.findall(r"^\| nuclei \| unet_bn \| (\w+) \| [\d.]+ ± [\d.]+ \|", printed, re.MULTILINE) == [
        "quick",
        "other",
    ]


def test_killed_runs_are_compared_byte_by_byte(tmp_path: Path) -> None:
    printed = output(project(tmp_path, 1, epochs=3), "benchmarks.kill_resume", "nuclei", "unet_bn", "2")
    assert "kills: all bytes are the same" in printed
    assert printed.count(" = ") == 2 * 2 + 2  # best and last weights of each fold; history; model.json
