"""The pull request's steps, on this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import small

pytestmark = pytest.mark.slow


def test_every_script_of_a_workflow_is_there(repository: Path) -> None:
    named = set()
    for path in (repository / ".github/workflows").glob("*.yml"):
        text = path.read_text()
        assert yaml.safe_load(text)["jobs"]
        named |= set(re.findall(r"\.github/scripts/\w+\.sh", text))
    assert named == {str(path.relative_to(repository)) for path in (repository / ".github/scripts").iterdir()}


def test_an_edited_table_fails_the_check_and_is_told_in_the_comment(tmp_path: Path, repository: Path) -> None:
    settings = small.settings(tmp_path)
    project = small.create(tmp_path / "project", settings)
    (project / ".gitignore").write_text("/data/\n/.state/\n")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=project, env=settings, check=True)
    small.commit(project, settings)

    def step(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(repository / f".github/scripts/{name}.sh"), *words]
        return subprocess.run(command, cwd=project, env=settings, capture_output=True, text=True)

    assert step("pull_cache").returncode == 0
    assert step("compare", "HEAD", "false").returncode == 0
    assert step("verdict").returncode == 0
    comment = (project / ".state/pull-request/comment.md").read_text()
    assert comment.startswith("<!-- multiresunet metrics -->\n## Tables: ")
    assert "Every table is the one that the commit makes." in comment
    table = project / "metrics/summary.csv"
    table.write_text(table.read_text().replace("aaa", "aab"))
    small.commit(project, settings)
    assert step("compare", "HEAD~1", "false").returncode == 0
    failed = step("verdict")
    assert failed.returncode == 1
    assert failed.stdout.startswith("::error::metrics/summary.csv: not as the commit makes it")
    comment = (project / ".state/pull-request/comment.md").read_text()
    assert "| a · aab | row | – | there |" in comment
    assert "metrics/summary.csv: the commit makes another one" in comment
