"""The checkout that a flow works in: clean, and with the state of a run that was stopped there."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.checkout import CHECKOUT, KEPT, working_in
from multiresunet.errors import UserError
from tests import small

LOG = logging.getLogger(__name__)
CHECKPOINT = Path(".state/checkpoint")
# A flow and a stage of it, which has the lock too; the stage writes its checkpoint after the flow's death.
KILLED = """
import logging, subprocess, sys
from flows.checkout import working_in
from flows.worktree import alone
stage = "import os, time; print('up', flush=True); time.sleep(1); os.mkdir('.state'); open('.state/checkpoint', 'w')"
with working_in("main", logging.getLogger()), alone(logging.getLogger()) as lock:
    subprocess.run([sys.executable, "-c", stage], pass_fds=[lock])
"""


@pytest.fixture
def committed(project: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a commit, which is the current folder."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project)
    small.commit(project, settings)
    return project


def is_gone(project: Path) -> bool:
    """Whether no checkout is left, nor git's word of one."""
    listed = subprocess.check_output(["git", "worktree", "list"], cwd=project)
    return listed.count(b"\n") == 1 and not CHECKOUT.exists() and not KEPT.exists()


def test_a_stopped_run_leaves_its_state_to_the_next_and_nothing_else(committed: Path, settings: dict[str, str]) -> None:
    before = dict(os.environ)
    with pytest.raises(KeyboardInterrupt), working_in("main", LOG):
        CHECKPOINT.parent.mkdir()
        CHECKPOINT.write_text("half")
        Path("stages/fetch.py").write_text("junk")
        Path("metrics").mkdir()
        raise KeyboardInterrupt
    assert (Path.cwd(), dict(os.environ)) == (committed, before)
    assert CHECKOUT.exists()
    Path("params.yaml").write_text("run: {datasets: [a]}\n")
    small.commit(committed, settings)
    with pytest.raises(UserError, match="no commit"), working_in("nowhere", LOG):
        pass
    with working_in("main", LOG):
        assert Path.cwd() == committed / CHECKOUT
        assert CHECKPOINT.read_text() == "half"
        assert not Path("metrics").exists()
        assert Path("params.yaml").read_text() == "run: {datasets: [a]}\n"
        assert subprocess.check_output(["git", "status", "--porcelain"]) == b""
    assert is_gone(committed)


def test_a_run_that_fails_leaves_nothing(committed: Path) -> None:
    with pytest.raises(UserError), working_in("main", LOG):
        raise UserError("no")
    assert is_gone(committed)


def test_the_stage_of_a_killed_run_is_waited_for(committed: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as flow:
        assert flow.stdout
        assert flow.stdout.readline() == "up\n"
        flow.kill()
        with working_in("main", LOG):
            assert CHECKPOINT.exists()
    assert is_gone(committed)


def test_a_remote_that_cant_be_reached_is_named_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    wanted = r"^git fetch: fatal: 'origin' does not .*; see that `git fetch origin` works here, or name a commit"
    with pytest.raises(UserError, match=wanted), working_in("origin/main", LOG):
        pass
