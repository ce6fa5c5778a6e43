"""What a command has begun, its flow goes on with."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows.begun import begin, hand_over, stages_at_once, taken

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


def test_what_was_handed_over_is_taken_once() -> None:
    assert taken() is None
    with begin(LOG) as begun:
        hand_over(begun)
        assert taken() is begun
        assert taken() is None


def test_processes_load_dvc_for_the_stages_that_begin_first_and_end_with_the_context() -> None:
    due = {"a": set[str](), "b": set[str](), "c": {"a"}, "d": {"b"}}
    me = psutil.Process()
    with begin(LOG) as begun:
        for at_once, count in ((1, 1), (8, 2), (8, 2)):  # those that are there count
            begun.commands.prepare(due, at_once)
            assert len(me.children()) == count
    assert not me.children()


def test_the_folder_is_this_runs_alone_from_the_look_on() -> None:
    code = "import logging; from flows.begun import begin\nwith begin(logging.getLogger()): print('in')"
    with begin(LOG) as begun:
        begun.due([])
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(2)
    assert other.communicate()[0] == "in\n"


def test_one_stage_for_each_core_runs_if_nothing_else_is_said() -> None:
    assert stages_at_once(3) == 3
    assert stages_at_once(None) >= 1
