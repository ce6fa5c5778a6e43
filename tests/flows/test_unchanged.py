"""What is edited while a stage runs isn't recorded as what it was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.commands import Commands
from multiresunet.errors import UserError

REPRO = ("--wait-for-lock", "repro", "--single-item", "train")
STAGE = """
import shutil
from pathlib import Path
Path("made").write_text(Path("params.yaml").read_text() + Path("code/a.py").read_text())
if (edits := Path("edits")).exists():
    shutil.copytree(edits, ".", dirs_exist_ok=True)
    shutil.rmtree(edits)
"""
PIPELINE = """
stages:
  train:
    cmd: python train.py
    params: [recipes.cpu, seed]
    deps: [code, train.py]
    outs: [made]
"""


@pytest.fixture
def folder(tmp_path: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one stage, which somebody edits while it runs if there is a folder `edits`."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    subprocess.run(["dvc", "init", "-q", "--no-scm"], check=True)
    for name, text in {"params.yaml": params(600), "code/a.py": "1", "train.py": STAGE, "dvc.yaml": PIPELINE}.items():
        write(tmp_path / name, text)
    return tmp_path


def params(updates: int) -> str:
    return f"recipes: {{cpu: {{updates: {updates}, folds: 3}}}}\nseed: 1\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def recorded(folder: Path) -> list[Path]:
    return [*folder.glob("dvc.lock"), *folder.glob(".dvc/cache/runs/*/*/*")]


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("params.yaml", params(1200), "recipes.cpu in params.yaml"),
        ("code/a.py", "2", "code/a.py"),
        ("train.py", STAGE + "\n", "train.py"),
    ],
)
def test_what_changes_while_a_stage_runs_is_named_and_not_recorded(
    folder: Path, name: str, text: str, named: str
) -> None:
    commands, lines = Commands(), list[str]()
    write(folder / "edits" / name, text)
    try:
        with pytest.raises(
            UserError, match=f"^train failed with error: {named} changed while train ran, .*; run again"
        ):
            commands.run_stage("train", *REPRO, on_line=lines.append)
        assert recorded(folder) == []
        commands.run_stage("train", *REPRO, on_line=lines.append)
    finally:
        commands.close()
    assert len(recorded(folder)) == 2
    assert (folder / "made").read_text() == (folder / "params.yaml").read_text() + (folder / "code/a.py").read_text()


def test_what_the_stage_doesnt_read_may_change(folder: Path) -> None:
    commands = Commands()
    write(folder / "edits/params.yaml", params(600) + "other: 1\n")
    write(folder / "edits/code/__pycache__/a.pyc", "compiled")
    write(folder / ".dvcignore", "__pycache__/\n")
    try:
        commands.run_stage("train", *REPRO, on_line=print)
    finally:
        commands.close()
    assert len(recorded(folder)) == 2


TIDY = """
import shutil, sys
from pathlib import Path
Path("summary").write_text(" ".join(sorted(path.name for path in Path("made").iterdir())))
for name in sys.argv[1].split(","):
    shutil.rmtree(Path("made", name))
"""
TWO_STAGES = """
stages:
  make:
    cmd: mkdir -p made/a && echo 1 > made/a/1
    outs: [made/a]
  train:
    cmd: python tidy.py {removed}
    deps: [made]
    outs: [summary]
"""


@pytest.mark.parametrize("removed", ["b", "b,a"])
def test_a_stage_may_remove_what_another_run_has_left_and_nothing_else(folder: Path, removed: str) -> None:
    write(folder / "dvc.yaml", TWO_STAGES.format(removed=removed))
    write(folder / "tidy.py", TIDY)
    write(folder / "made/b/1", "1")
    write(folder / "made/b/2/3", "1")
    commands = Commands()
    try:
        commands.run_stage("make", "--wait-for-lock", "repro", "--single-item", "make", on_line=print)
        if removed == "b":
            commands.run_stage("train", *REPRO, on_line=print)
        else:
            with pytest.raises(UserError, match="error: made/a/1 changed while train ran"):
                commands.run_stage("train", *REPRO, on_line=print)
    finally:
        commands.close()
    assert ("train:" in (folder / "dvc.lock").read_text()) == (removed == "b")
    assert "nfiles: 1" in (folder / "dvc.lock").read_text()
