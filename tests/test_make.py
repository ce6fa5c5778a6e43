"""The commands of README's first screen, up to where they install."""

from __future__ import annotations

import sys
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
    monkeypatch.setattr(make.venv, "create", lambda folder, with_pip: folder.mkdir(exist_ok=True))
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
