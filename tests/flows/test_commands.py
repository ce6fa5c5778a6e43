"""No process outlives its call, or its caller."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest

from flows.commands import Cause, Commands, KilledError
from flows.stage import KILLED_AGAIN, again_if_killed
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
    monkeypatch.setattr("flows.workers.GRACE", 0.5)
    return "stubborn"


def descendants(pid: int, but: Sequence[psutil.Process] = ()) -> list[psutil.Process]:
    return [each for each in psutil.Process(pid).children(recursive=True) if each not in but]


def test_lines_come_and_an_error_is_the_commands_own(stubborn: str) -> None:
    lines: list[str] = []
    with pytest.raises(UserError, match=r"^it failed with error: no$"):
        Commands().follow("it", "quick", "error: no", on_line=lines.append, extra={"X": "1"})
    assert lines[0] == "1 error: no"


@pytest.mark.parametrize("times", [2, 3])
def test_a_command_that_somebody_kills_begins_again_twice(stubborn: str, tmp_path: Path, times: int) -> None:
    killed = f"""
import os, pathlib, signal
path = pathlib.Path({str(tmp_path / "kills")!r})
kills = int(path.read_text()) if path.exists() else 0
if kills < {times}:
    path.write_text(str(kills + 1))
    os.kill(os.getpid(), signal.SIGKILL)
print("done")
"""
    (tmp_path / "killed.py").write_text(killed)
    lines: list[str] = []
    commands, log = Commands(), logging.getLogger("kills")
    run = partial(again_if_killed, lambda: commands.follow("fetch --check", "killed", on_line=lines.append), log)
    if times > KILLED_AGAIN:
        with pytest.raises(KilledError, match=r"^fetch --check was killed"):
            run()
    else:
        run()
    assert lines == ["done"][: KILLED_AGAIN + 1 - times]
    assert (tmp_path / "kills").read_text() == str(times)


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
        (
            ["ERROR: failed to reproduce 'a': 'x' is busy, it is being blocked by:", "  (PID 7): dvc repro", "", "If"],
            "ERROR: failed to reproduce 'a': 'x' is busy, it is being blocked by: (PID 7): dvc repro",
        ),
        (
            ["ERROR: failed to push: no remote. Create a default remote with", "    dvc remote add -d <name>"],
            "ERROR: failed to push: no remote. Create a default remote with dvc remote add -d <name>",
        ),
        (["epoch 3/9", HINT], "exit status 7 after 'epoch 3/9'"),
        ([HINT, "To track the changes with git, run:", "\tgit add dvc.lock"], "exit status 7"),
    ],
)
def test_the_cause_is_the_stages_own_line_and_never_a_hint(lines: list[str], cause: str) -> None:
    found = Cause()
    for line in filter(None, lines):
        found.add(line)
    assert found.of(7) == cause


@pytest.mark.slow
def test_what_takes_too_long_is_stopped_with_all_its_children(stubborn: str) -> None:
    seen: list[psutil.Process] = []
    others = descendants(os.getpid())  # the server of other tests
    with pytest.raises(UserError, match=r"took longer than .* hours and was stopped"):
        Commands().follow(
            "it", stubborn, on_line=lambda _: seen.extend(descendants(os.getpid(), others)), hours=3 / 3600
        )
    assert len(seen) >= 3  # the watchdog, the command, its child
    assert not psutil.wait_procs(seen, timeout=60)[1]


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
    assert up.wait(300)
    commands.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert not psutil.wait_procs(seen, timeout=60)[1]
    with pytest.raises(UserError, match="doesn't begin"):
        commands.follow("it", "quick", "0", on_line=on_line)


@pytest.mark.slow
def test_sigkill_of_the_owner_leaves_nothing(stubborn: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert owner.stdout.readline() == "up\n"
    seen = descendants(owner.pid)
    assert len(seen) >= 3
    owner.kill()
    owner.communicate()
    left = psutil.wait_procs(seen, timeout=60)[1]
    assert not [each for each in left if each.status() != psutil.STATUS_ZOMBIE]


REPRO = ("--wait-for-lock", "repro", "--single-item")
KILL = "import os, signal, sys, time\nif sys.argv[1] == 'b': os.kill({whom}, signal.SIGKILL); time.sleep(1)\n"
WORKER = "[p.pid for p in __import__('psutil').Process().parents() if 'flows.dvc_worker' in p.cmdline()][{n}]"


@pytest.fixture
def ready(project: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, which is the current folder."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project)
    return project


@pytest.mark.parametrize("preload", [pytest.param("", marks=pytest.mark.slow), "stages.preload"])
def test_one_process_runs_stage_after_stage_and_ends(ready: Path, reproduced: Path, preload: str) -> None:
    others, lines = descendants(os.getpid()), list[str]()
    commands = Commands()
    commands.preload = preload
    (ready / "stages/preload.py").write_text(
        "import gc, os\ngc.disable()\nos.environ['CAP'] = '1'\nprint('loaded', flush=True)\n"
    )
    script = ready / "stages/fetch.py"
    plain = script.read_text()
    tell = """
import gc, sys
from os import environ as e
print("GPU", e.get("CUDA_VISIBLE_DEVICES"), "CAP", e.get("CAP"), gc.isenabled(), "dvc" in sys.modules)
"""
    script.write_text(plain + tell)
    commands.run_stage("fetch@a", *REPRO, "fetch@a", on_line=lines.append, extra={"CUDA_VISIBLE_DEVICES": "3"})
    script.write_text(plain + "print('changed')\n" + tell)
    commands.run_stage("fetch@b", *REPRO, "fetch@b", on_line=lines.append)
    cap = "1" if preload else None  # what was set for the libraries that are loaded holds in the stage
    assert [line for line in lines if line.startswith(("GPU", "changed", "loaded"))] == [
        *(["loaded"] if preload else []),
        f"GPU 3 CAP {cap} True False",  # garbage is collected, and DVC not imported once more
        "changed",  # the code is read anew for each stage
        f"GPU None CAP {cap} True False",
    ]
    assert not [line for line in lines if "dvc push" in line or "git add" in line or "autostage" in line]
    script.write_text("raise SystemExit('error: nothing there')")
    with pytest.raises(UserError, match=r"^fetch@a failed with error: nothing there$"):
        commands.run_stage("fetch@a", *REPRO, "fetch@a", on_line=lines.append)
    script.write_text(plain)
    for name in ("fetch@a", "fetch@b", "train@a", "train@b", "report"):
        commands.run_stage(name, *REPRO, name, on_line=lines.append)
    left = descendants(os.getpid(), others)
    assert len([each for each in left if "flows.dvc_worker" in each.cmdline()]) == 2, "it and its watchdog"
    commands.close()
    assert not psutil.wait_procs(left, timeout=60)[1]
    for name in ("dvc.lock", "metrics/summary.csv"):
        assert (ready / name).read_bytes() == (reproduced / name).read_bytes()


def test_a_process_that_was_prepared_runs_the_first_stage_and_ends_when_it_is_released(ready: Path) -> None:
    others, commands = descendants(os.getpid()), Commands()
    commands.prepare(planned=1, first=1)
    prepared = descendants(os.getpid(), others)
    commands.run_stage("fetch@a", *REPRO, "fetch@a", on_line=print)
    assert (ready / "data/raw/a").read_text() == "a"
    assert {each.pid for each in prepared} <= {each.pid for each in descendants(os.getpid(), others)}
    commands.release()
    assert not psutil.wait_procs(descendants(os.getpid(), others), timeout=60)[1]
    commands.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "whom",
    [
        "os.getpid()",
        pytest.param("os.getppid()", marks=pytest.mark.slow),
        WORKER.format(n=0),
        pytest.param(WORKER.format(n=-1), marks=pytest.mark.slow),
    ],
    ids=["stage", "fork server", "DVC", "watchdog"],
)
def test_a_killed_process_is_told_from_a_failed_stage(ready: Path, whom: str) -> None:
    others = descendants(os.getpid())
    script = ready / "stages/fetch.py"
    plain = script.read_text()
    script.write_text(KILL.format(whom=whom) + plain)
    commands = Commands()
    commands.preload = "stages.preload"
    commands.run_stage("fetch@a", *REPRO, "fetch@a", on_line=print)
    if whom.endswith("[-1]"):  # nothing needs the watchdog as long as the flow lives
        commands.run_stage("fetch@b", *REPRO, "fetch@b", on_line=print)
    else:
        with pytest.raises(KilledError, match="fetch@b was killed"):
            commands.run_stage("fetch@b", *REPRO, "fetch@b", on_line=print)
    script.write_text(plain)
    commands.run_stage("fetch@b", *REPRO, "fetch@b", on_line=print)
    assert (ready / "data/raw/b").read_text() == "b"
    left = descendants(os.getpid(), others)
    commands.close()
    assert not psutil.wait_procs(left, timeout=60)[1]


def test_a_stage_that_fails_with_the_status_of_a_lost_one_has_failed(ready: Path) -> None:
    (ready / "stages/fetch.py").write_text("import sys\nprint('error: its own')\nsys.exit(-1)\n")
    commands = Commands()
    commands.preload = "stages.preload"
    with pytest.raises(UserError, match=r"^fetch@a failed with error: its own$"):
        commands.run_stage("fetch@a", *REPRO, "fetch@a", on_line=print)
    commands.close()


@pytest.mark.slow
def test_a_fork_server_that_is_killed_while_it_begins_a_stage_is_no_failure(ready: Path, tmp_path: Path) -> None:
    others = descendants(os.getpid())
    begun = tmp_path / "begun"
    (ready / "stages/preload.py").write_text(  # the first fork server takes long to answer
        f"import pathlib, time\nif not (b := pathlib.Path({str(begun)!r})).exists():\n"
        "    b.touch()\n    time.sleep(99)\n"
    )
    commands = Commands()
    commands.preload = "stages.preload"

    def kill() -> None:
        for each in descendants(os.getpid(), others):
            if any("forkserver" in word for word in each.cmdline()):
                each.kill()

    def on_line(line: str) -> None:
        if line.startswith("> python -m stages.fetch"):
            threading.Timer(1, kill).start()

    with pytest.raises(KilledError, match="fetch@a was killed"):
        commands.run_stage("fetch@a", *REPRO, "fetch@a", on_line=on_line)
    commands.run_stage("fetch@a", *REPRO, "fetch@a", on_line=print)
    assert (ready / "data/raw/a").read_text() == "a"
    left = descendants(os.getpid(), others)
    commands.close()
    assert not psutil.wait_procs(left, timeout=60)[1]
