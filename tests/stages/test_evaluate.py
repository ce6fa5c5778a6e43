"""The stage evaluate by its command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from multiresunet import config

ROOT = Path(__file__).parents[2]


def evaluate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the stage in a folder with params.yaml."""
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    command = [sys.executable, "-m", "stages.evaluate", *words]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


@pytest.mark.parametrize("there", [[], ["data/prepared/nuclei"]])
def test_it_names_the_stage_to_run_first(tmp_path: Path, there: list[str]) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    model = config.load(ROOT / "params.yaml").run.models[0]
    missing, before = (
        (f"data/predicted/nuclei/{model}/1", f"predict@nuclei-{model}-1")
        if there
        else ("data/prepared/nuclei", "preprocess@nuclei")
    )
    done = evaluate(tmp_path, "nuclei")
    assert (done.returncode, done.stderr) == (1, f"error: {missing} is missing; run `dvc repro {before}` first\n")


def test_an_unknown_data_set_is_one_line(tmp_path: Path) -> None:
    done = evaluate(tmp_path, "nuclie")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "nuclie" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_says_how_it_is_called(tmp_path: Path) -> None:
    done = evaluate(tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    for text in ("python -m stages.evaluate", "dataset", "data/evaluated/"):
        assert text in done.stdout
