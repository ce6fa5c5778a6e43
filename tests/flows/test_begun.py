"""What a command has begun, its flow goes on with."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows import lockfile
from flows.begun import begin, hand_over, taken

LOG = logging.getLogger("test")


@pytest.fixture(autouse=True)
def _here(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished)


def test_a_graph_is_read_once_for_as_long_as_its_files_are_the_same(finished: Path) -> None:
    with begin(LOG) as begun:
        assert begun.due([]) == {}
        first = begun.graph()
        assert first.stale_at_first == frozenset()
        assert begun.graph() is not first
        begun.due([])
        (finished / "params.yaml").write_text("# edited\n" + (finished / "params.yaml").read_text())
        assert begun.graph().is_current()


def test_the_lock_is_sorted_where_there_is_nothing_to_do(finished: Path) -> None:
    lock = finished / "dvc.lock"
    before = lock.read_bytes()
    parts = lockfile.split(lock.read_text()) or {}
    lock.write_text(lockfile.join(reversed(parts.values())))  # as a killed run may leave it
    assert lock.read_bytes() != before
    with begin(LOG) as begun:
        assert begun.due([]) == {}
    assert lock.read_bytes() == before
    lock.unlink()
    with begin(LOG) as begun:
        assert begun.due([])


def test_what_was_handed_over_is_taken_once() -> None:
    assert taken() is None
    with begin(LOG) as begun:
        hand_over(begun)
        assert taken() is begun
        assert taken() is None


def test_processes_load_dvc_before_stages_begin_and_end_with_the_context() -> None:
    others = set(psutil.Process().children())
    with begin(LOG) as begun:
        for first, count in ((1, 1), (2, 2), (2, 2)):  # those that are there count
            begun.commands.prepare(9, first)
            assert len(set(psutil.Process().children()) - others) == count
    assert not set(psutil.Process().children()) - others


def test_the_folder_is_this_runs_alone_from_the_look_on() -> None:
    code = "import logging; from flows.begun import begin\nwith begin(logging.getLogger()): print('in')"
    command = [sys.executable, "-c", code]
    with begin(LOG) as begun:
        begun.due([])
        other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert other.stderr
        assert other.stderr.readline() == "Another run is at work in this folder; waiting for its end\n"
    assert other.communicate()[0] == "in\n"


SETTINGS = """
import os, sys
from flows import begun, cli
class Commands(begun.Commands):
    def prepare(self, planned, first):
        print(planned, first, os.environ["DVC_NO_ANALYTICS"], os.environ["DO_NOT_TRACK"])
        raise SystemExit
begun.Commands = Commands
sys.argv = ["flows.pipeline", "--cores", "1"]
cli.main()
"""


def test_what_is_told_to_all_processes_is_told_to_the_first(finished: Path, settings: dict[str, str]) -> None:
    (finished / "stages/fetch.py").write_text("# edited\n" + (finished / "stages/fetch.py").read_text())
    told = {name: value for name, value in settings.items() if name not in ("DVC_NO_ANALYTICS", "DO_NOT_TRACK")}
    done = subprocess.run([sys.executable, "-c", SETTINGS], cwd=finished, env=told, capture_output=True, text=True)
    assert done.stdout == "5 1 1 1\n", done.stderr
