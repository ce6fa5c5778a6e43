"""No process outlives its call, or its caller."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from flows.commands import Cause, Commands
from multiresunet.errors import UserError

ROOT = Path(__file__).parents[2]
# A command whose child ignores Ctrl-C, as a stuck one would.
STUBBORN = """
import signal, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
subprocess.run([sys.executable, "-c", child])
"""
OWNER = """
import sys
from flows.commands import Cause, Commands
Commands().follow("it", "stubborn", on_line=lambda line: print(line, flush=True))
"""


@pytest.fixture
def stubborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    (tmp_path / "quick.py").write_text("import os, sys\nprint(os.environ.get('X'), sys.argv[1])\nsys.exit(sys.argv[1])")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.setattr("flows.commands.GRACE", 0.5)
    return "stubborn"


def descendants(pid: int, but: Sequence[psutil.Process] = ()) -> list[psutil.Process]:
    return [each for each in psutil.Process(pid).children(recursive=True) if each not in but]


def test_lines_come_and_an_error_is_the_commands_own(stubborn: str) -> None:
    lines: list[str] = []
    with pytest.raises(UserError, match=r"^it failed with error: no$"):
        Commands().follow("it", "quick", "error: no", on_line=lines.append, extra={"X": "1"})
    assert lines[0] == "1 error: no"


TRACEBACK = ["Traceback (most recent call last):", '  File "train.py", line 1, in <module>', "ValueError: no images"]
HINT = "Use `dvc push` to send your updates to remote storage."
DVC = "ERROR: failed to reproduce 'train@a': failed to run: python -m stages.train a, exited with 1"


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["fold 1/5", "error: a is empty", "saving", DVC, HINT], "error: a is empty"),
        ([*TRACEBACK, DVC], "ValueError: no images"),
        (
            [*TRACEBACK, "", "During handling", *TRACEBACK[:2], "KeyError: 3", DVC],
            "KeyError: 3",
        ),
        (["epoch 3/9", DVC, "Having any troubles? Hit us up"], DVC),
        (["epoch 3/9", HINT], "exit status 7 after 'epoch 3/9'"),
        ([HINT, "To track the changes with git, run:", "\tgit add dvc.lock"], "exit status 7"),
    ],
)
def test_the_cause_is_the_stages_own_line_and_never_a_hint(lines: list[str], cause: str) -> None:
    found = Cause()
    for line in lines:
        found.add(line)
    assert found.of(7) == cause


def test_what_takes_too_long_is_stopped_with_all_its_children(stubborn: str) -> None:
    seen: list[psutil.Process] = []
    others = descendants(os.getpid())  # the server of other tests
    with pytest.raises(UserError, match=r"took longer than .* hours and was stopped"):
        Commands().follow(
            "it", stubborn, on_line=lambda _: seen.extend(descendants(os.getpid(), others)), hours=3 / 3600
        )
    assert len(seen) >= 3  # the watchdog, the command, its child
    assert not psutil.wait_procs(seen, timeout=5)[1]


def test_stop_ends_all_and_lets_nothing_begin(stubborn: str) -> None:
    commands, seen, up = Commands(), list[psutil.Process](), threading.Event()
    others = descendants(os.getpid())

    def on_line(_: str) -> None:
        seen.extend(descendants(os.getpid(), others))
        up.set()

    def follow() -> None:
        with pytest.raises(UserError, match="failed with"):
            commands.follow("it", stubborn, on_line=on_line)

    thread = threading.Thread(target=follow)
    thread.start()
    assert up.wait(30)
    commands.stop()
    thread.join(10)
    assert not psutil.wait_procs(seen, timeout=5)[1]
    with pytest.raises(UserError, match="doesn't begin"):
        commands.follow("it", "quick", "0", on_line=on_line)


def test_sigkill_of_the_owner_leaves_nothing(stubborn: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert owner.stdout.readline() == "up\n"
    seen = descendants(owner.pid)
    assert len(seen) >= 3
    owner.kill()
    owner.communicate()
    left = psutil.wait_procs(seen, timeout=15)[1]
    assert not [each for each in left if each.status() != psutil.STATUS_ZOMBIE]
