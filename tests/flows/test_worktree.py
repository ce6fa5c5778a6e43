"""What the flow finds in its folder, and what it writes there."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from flows.worktree import RWLOCK, alone, configure, tidy
from multiresunet.errors import UserError
from multiresunet.paths import LOCK

LOG = logging.getLogger(__name__)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    RWLOCK.parent.mkdir(parents=True)
    return tmp_path


def test_params_change_in_one_place_and_keep_their_comments(repository: Path, folder: Path) -> None:
    before = (repository / "params.yaml").read_text()
    Path("params.yaml").write_text(before)
    configure({"run.datasets": ["murphy"], "run.recipe": "cpu"})
    after = Path("params.yaml").read_text()
    tree = yaml.safe_load(after)
    assert (tree["run"]["datasets"], tree["run"]["recipe"]) == (["murphy"], "cpu")
    changed = [new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert [line.split(":")[0].strip() for line in changed] == ["datasets", "recipe", "tuned"]
    assert tree["run"]["tuned"]["datasets"] == []  # murphy isn't tuned, and no other data set is in the run


def test_wrong_params_are_refused_and_not_written(repository: Path, folder: Path) -> None:
    text = (repository / "params.yaml").read_text()
    Path("params.yaml").write_text(text)
    for changes in ({"run.recipe": "none"}, {"run.datasets": ["nobody"]}, {"run.colour": "red"}):
        with pytest.raises(UserError):
            configure(changes)
        assert Path("params.yaml").read_text() == text


def test_locks_of_dead_processes_go_even_if_their_number_is_used_again(folder: Path) -> None:
    mine = {"pid": os.getpid(), "cmd": "dvc repro"}  # pytest isn't DVC
    alive = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", "dvc"], stdin=subprocess.PIPE)
    try:
        theirs = {"pid": alive.pid, "cmd": "dvc repro"}
        RWLOCK.write_text(json.dumps({"write": {"a": mine, "b": theirs}, "read": {"c": [mine], "d": [mine, theirs]}}))
        tidy(LOG)
        assert json.loads(RWLOCK.read_text()) == {"write": {"b": theirs}, "read": {"d": [theirs]}}
    finally:
        alive.communicate()


@pytest.mark.parametrize("half", ["", '{"write": {"a'])
def test_a_half_written_lock_goes(folder: Path, half: str) -> None:
    RWLOCK.write_text(half)
    tidy(LOG)
    assert not RWLOCK.exists()


@pytest.mark.parametrize("half", ["", "schema: '2.0'\nsta", "schema: '2.0'\nstages:\n  a: {cmd: [", "schema: '2.0'\n"])
def test_a_half_written_dvc_lock_is_that_of_the_commit_again(folder: Path, half: str) -> None:
    whole = "schema: '2.0'\nstages:\n  a:\n    cmd: echo\n"
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q"], check=True)
    LOCK.write_text(whole)
    tidy(LOG)
    assert LOCK.read_text() == whole
    for words in (["add", "dvc.lock"], ["commit", "-qm", "lock"]):
        subprocess.run(["git", *author, *words], check=True)
    LOCK.write_text(half)
    tidy(LOG)
    assert LOCK.read_text() == whole


def test_a_half_written_dvc_lock_that_was_never_committed_goes(folder: Path) -> None:
    LOCK.write_text("")
    tidy(LOG)
    assert not LOCK.exists()


# DVC, as it writes dvc.lock: others see a part of it.
WRITES = """
import sys
from dvc.lock import Lock
with Lock(".dvc/tmp/lock"):
    print("half", flush=True)
    sys.stdin.readline()
    open("dvc.lock", "w").write("schema: '2.0'\\nstages:\\n  a:\\n    cmd: echo\\n  b:\\n    cmd: echo\\n")
"""


def test_a_dvc_lock_that_dvc_is_just_writing_is_left_to_it(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    LOCK.write_text("schema: '2.0'\nsta")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", WRITES], text=True, **pipes) as dvc:
        assert dvc.stdin
        assert dvc.stdout
        assert dvc.stdout.readline() == "half\n"
        flow = threading.Thread(target=tidy, args=(LOG,))
        flow.start()
        while "DVC is at work in this folder; waiting for its end" not in caplog.text and flow.is_alive():
            time.sleep(0.01)
        dvc.stdin.write("\n")
        dvc.stdin.close()
        flow.join()
    assert "half written" not in caplog.text
    assert "  b:\n" in LOCK.read_text()


def test_a_second_run_waits_for_the_first(folder: Path) -> None:
    code = "import logging; from flows.worktree import alone\nwith alone(logging.getLogger()): print('in')"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with alone(LOG):
        second = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment, stderr=subprocess.PIPE
        )
        assert second.stderr
        assert "waiting" in second.stderr.readline()
        assert second.poll() is None
        first_ended = time.monotonic()
    assert second.communicate()[0] == "in\n"
    assert time.monotonic() >= first_ended
