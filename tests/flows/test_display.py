"""What a terminal shows of a run."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from flows import display


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    monkeypatch.chdir(tmp_path)
    return io.StringIO()


def terminal(shown: io.StringIO) -> display.Terminal:
    return display.Terminal(Console(file=shown, force_terminal=True, width=100, color_system=None))


def test_it_counts_stages_shows_progress_and_closes_with_the_table(shown: io.StringIO) -> None:
    Path("metrics").mkdir()
    Path("metrics/summary.csv").write_text("dataset,jaccard\nnuclei,0.71\n")
    with terminal(shown) as live:
        live.plan(["fetch@a", "train@a", "report"], at_once=2)
        live.begin("fetch@a")
        live.end("fetch@a", ran=True)
        live.begin("train@a")
        live.line("train@a", "no number here")
        live.line("train@a", "a fold 2/4 epoch 5/10 loss 0.1")
        assert isinstance(live, display.Terminal)
        live._running.refresh()
        live.end("train@a", ran=True)
        live.end("report", ran=False)
    said = shown.getvalue()
    assert re.search(r"train@a .* 38 %", said)
    assert "2 stages run in 0:00" in said
    assert re.search(r"nuclei .* 0\.71", said.splitlines()[-3])
    assert set(json.loads(display.TOOK.read_text())) == {"fetch@a", "train@a"}


def test_the_time_left_is_what_the_stages_took_the_last_time(shown: io.StringIO) -> None:
    display.TOOK.parent.mkdir()
    display.TOOK.write_text(json.dumps({"train@a": 600, "train@b": 600, "fetch@a": 30}))
    with terminal(shown) as live:
        live.plan(["train@a", "train@b", "fetch@a"], at_once=2)
        assert isinstance(live, display.Terminal)
        assert live._remaining() == "3 left, about 10 min"
        live.end("train@b", ran=False)
        live.end("train@a", ran=False)
        assert live._remaining() == "1 left, less than 1 min"


def test_a_failed_run_closes_without_a_table_and_a_broken_file_of_times_is_no_hindrance(shown: io.StringIO) -> None:
    display.TOOK.parent.mkdir()
    display.TOOK.write_text("{")
    with pytest.raises(ValueError, match="no"), terminal(shown) as live:
        live.plan(["fetch@a"], at_once=1)
        raise ValueError("no")
    assert "stages run in" not in shown.getvalue()


def test_the_flow_shows_it_on_a_terminal(project: Path, environment: dict[str, str]) -> None:
    outer, inner = pty.openpty()
    said = bytearray()

    def read() -> None:
        try:
            while part := os.read(outer, 4096):
                said.extend(part)
        except OSError:  # Linux' way to say that the other end is closed
            pass

    command = [sys.executable, "-m", "flows.pipeline", "train@a"]
    with subprocess.Popen(command, cwd=project, env=environment | {"TERM": "xterm"}, stderr=inner) as flow:
        os.close(inner)
        reader = threading.Thread(target=read)
        reader.start()
        assert flow.wait(400) == 0, said.decode()
        reader.join(30)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    assert "2 stages run in" in text
    assert "Running stage" not in text, "the lines of the log are in its files"
    assert "training on a" in (project / ".state/logs/train@a.log").read_text()
