"""A commit is judged as `multiresunet verify` does, in a clean checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from multiresunet.errors import UserError
from tests import small
from tests.flows.conftest import Flow
from tests.flows.making import artifacts, tasks


@pytest.mark.parametrize("words", [["train@a"], ["--recipe", "cpu"]])
def test_a_commit_is_judged_whole_and_as_it_is(finished: Path, flow: Flow, words: list[str]) -> None:
    line = "error: a commit is judged whole and as it is; leave out targets, data sets, models and recipe\n"
    assert flow(finished, "--commit", "main", *words).stderr == line
    from flows.pipeline import pipeline

    with pytest.raises(UserError, match="a commit is judged whole"):
        pipeline.fn(commit="main", targets=["train@a"])


def test_a_table_that_its_commit_does_not_make_fails_loudly(
    finished: Path, environment: dict[str, str], flow: Flow
) -> None:
    small.commit(finished, environment)
    table = finished / "metrics/summary.csv"
    table.write_text(table.read_text() + "c,ccc\n")
    small.commit(finished, environment)
    (finished / "stages/train.py").unlink()  # the commit counts, not what lies here
    ran = flow(finished, "--commit", "main", "--base", "HEAD~1")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        "error: main makes other tables than git has: different: metrics/summary.csv: edited, since dvc.lock records "
        "another one, metrics/summary.csv: the commit doesn't make the rows c; somebody has to look"
    )
    assert "No table changed" in artifacts(environment)["metric-diff"]
    assert table.read_text().endswith("c,ccc\n")
    assert subprocess.check_output(["git", "worktree", "list"], cwd=finished).count(b"\n") == 1


@pytest.fixture
def measured(project: Path, environment: dict[str, str]) -> Path:
    """A commit whose tables are numbers, from a portable recipe, and may differ by 0.01 on another machine."""
    (project / "params.yaml").write_text(small.parameters(verify={"tolerances": {"*.score": 0.01}}))
    (project / "stages/train.py").write_text(small.TRAIN_ON_ANY_CPU)
    command = [sys.executable, "-m", "dvc", "repro", "-q"]
    subprocess.run(command, cwd=project, env=environment | {"ROUNDING": "0"}, check=True)
    small.commit(project, environment)
    return project


@pytest.mark.slow
def test_code_that_has_not_made_the_tables_fails_within_tolerance_too(
    measured: Path, environment: dict[str, str], flow: Flow
) -> None:
    script = measured / "stages/report.py"
    script.write_text(script.read_text().replace("path.read_text()", "float(path.read_text()) + 0.002"))
    small.commit(measured, environment)
    ran = flow(measured, "--commit", "main")
    assert ran.stderr.splitlines()[-1] == (
        "error: main makes other tables than git has: different: stages/report.py: isn't what dvc.lock was made with, "
        "metrics/summary.csv, a, score: 0.5 in git, 0.502 made, metrics/summary.csv, b, score: 0.5 in git, 0.502 made; "
        "somebody has to look"
    )


@pytest.mark.slow
def test_without_a_remote_the_tables_are_judged_and_nothing_is_pushed(
    finished: Path, environment: dict[str, str], flow: Flow
) -> None:
    small.commit(finished, environment)
    ran = flow(finished, "--commit", "main", "--push")
    assert ran.returncode == 0, ran.stderr
    assert "main: same bytes" in ran.stderr
    assert "No remote is configured; nothing is pushed" in ran.stderr
    assert "push" not in dict(tasks(ran.stderr))
