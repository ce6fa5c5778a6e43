"""What git has, and what it says when it fails."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from multiresunet.errors import UserError
from multiresunet.review.git import Tree, changed, git
from multiresunet.review.worktree import worktree
from tests import small


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a subfolder of a larger repository, with a file beside it; it is the current folder."""
    settings = small.settings(tmp_path)
    folder = tmp_path / "larger/project"
    for name in ("metrics/summary.csv", "dvc.lock", "../beside"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("committed")
    subprocess.run(["git", "init", "-q"], cwd=folder.parent, env=settings, check=True)
    small.commit(folder.parent, settings)
    monkeypatch.chdir(folder)
    return folder


def test_a_project_in_a_subfolder_has_its_own_files(project: Path) -> None:
    for folder in (Path(), project):
        tree = Tree("HEAD", folder)
        assert tree.paths("metrics", ".csv") == ["metrics/summary.csv"]
        assert tree.read("metrics/summary.csv") == "committed"
        assert tree.read("metrics/none.csv") is None
    for name in ("dvc.lock", "metrics/summary.csv", "new", ".state/log", "../beside"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("edited")
    assert changed() == changed(project) == ["metrics/summary.csv", "new", "dvc.lock"]
    with pytest.raises(UserError, match=r"the project lies in project/ of its repository"), worktree("HEAD"):
        pass


def test_what_git_says_is_the_cause_and_not_the_advice_after_it(project: Path) -> None:
    with pytest.raises(UserError, match=r"^git fetch: fatal: 'origin' does not appear to be a git repository$"):
        git("fetch", "--quiet", "origin")
