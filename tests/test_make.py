"""The commands of README's first screen, up to where they install."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import make


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A project in which nothing is installed, and what would be run there."""
    (tmp_path / "requirements.lock").write_text("torch==2.13.0\n")
    monkeypatch.setattr(make, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(make, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(make, "INSTALLED", tmp_path / ".venv/installed")
    monkeypatch.setattr(make.subprocess, "call", lambda _: make.VENV.mkdir(exist_ok=True))
    words: list[str] = []

    def python(*said: str) -> str:
        words.append(said[0])
        return "torch==2.14.0\nnvidia-cublas==13\ncuda-toolkit==13\n" if said[0] == "uv" else ""

    monkeypatch.setattr(make, "python", python)
    return words


def do(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["make.py", *words])
    make.main()


def test_it_installs_once_and_again_when_the_lock_has_changed(
    called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    do(monkeypatch, "run")
    do(monkeypatch, "test", "-m", "slow")
    assert called == ["pip", "flows.pipeline", "multiresunet.report.page", "pytest"]
    make.LOCK.write_text("torch==2.13.1\n")
    do(monkeypatch, "setup")
    assert called[4:] == ["pip"]


def test_the_lock_leaves_out_what_only_some_machines_need(called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    do(monkeypatch, "lock")
    assert make.LOCK.read_text() == "torch==2.14.0\n"


@pytest.mark.parametrize("words", [[], ["rum"], ["run", "more"]])
def test_other_words_get_the_usage(words: list[str], called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"run \| test \| check"):
        do(monkeypatch, *words)
    assert called == []


def test_another_python_is_refused_before_anything_is_made(called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"Python 3\.11 to 3\.13 is needed"):
        do(monkeypatch, "run")
    assert called == []


def test_what_another_python_left_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b/.venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (folder / "installed").write_text("another lock")
    other = tmp_path / "python"
    other.write_text("somebody's")
    (folder / "bin/python3.11").unlink(missing_ok=True)
    (folder / "bin/python3.11").symlink_to(other)
    for name, value in {"VENV": folder, "BIN": folder / "bin", "INSTALLED": folder / "installed"}.items():
        monkeypatch.setattr(make, name, value)
    monkeypatch.setattr(make, "python", lambda *_: "")
    make.set_up()
    assert other.read_text() == "somebody's"
    asked = [str(folder / "bin/python"), "-m", "pip", "--version"]
    assert str(folder) in subprocess.run(asked, capture_output=True, text=True, check=True).stdout


TIDY = """
import signal, time
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    print("tidied", flush=True)
    raise SystemExit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_broken_off_may_tidy_up(number: int, tmp_path: Path, repository: Path) -> None:
    (tmp_path / "tidy.py").write_text(
        TIDY.replace("try:", "signal.signal(signal.SIGTERM, signal.default_int_handler)\ntry:")
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    folder = f"pathlib.Path({str(tmp_path)!r})"
    code = f"import make, pathlib; make.ROOT, make.BIN = {folder}, {folder} / 'bin'; make.python('tidy')"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.2)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    assert process.communicate(timeout=30)[0] == "tidied\n"
    assert process.returncode == 7
