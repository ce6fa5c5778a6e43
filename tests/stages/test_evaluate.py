"""The stage evaluate by its command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from multiresunet import config
from tests.warm import Warm

ROOT = Path(__file__).parents[2]


Evaluate = Callable[..., CompletedProcess[str]]


@pytest.fixture
def evaluate(warm: Warm, tmp_path: Path) -> Evaluate:
    """Run the stage in a folder with params.yaml."""
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    return lambda *words: warm.run("stages.evaluate", *words, cwd=tmp_path)


@pytest.mark.parametrize("there", [[], ["data/prepared/nuclei"]])
def test_it_names_the_stage_to_run_first(evaluate: Evaluate, tmp_path: Path, there: list[str]) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    model = config.load(ROOT / "params.yaml").run.models[0]
    missing, before = (
        (f"data/predicted/nuclei/{model}/1", f"predict@nuclei-{model}-1")
        if there
        else ("data/prepared/nuclei", "preprocess@nuclei")
    )
    done = evaluate("nuclei")
    assert (done.returncode, done.stderr) == (1, f"error: {missing} is missing; run `dvc repro {before}` first\n")


def test_an_unknown_data_set_is_one_line(evaluate: Evaluate) -> None:
    done = evaluate("nuclie")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "nuclie" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_says_how_it_is_called(evaluate: Evaluate) -> None:
    done = evaluate("--help")
    assert done.returncode == 0, done.stderr
    for text in ("python -m stages.evaluate", "dataset", "data/evaluated/"):
        assert text in done.stdout
