"""DVC's status is the same whether params.yaml is read once or once a stage."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
from dvc.dependency import param
from dvc.repo import Repo

from flows.parameters import read_once

DVC = """
stages:
  one: {cmd: touch one, params: [a.b, c], outs: [one]}
  two: {cmd: touch two, params: [c, a], outs: [two]}
  three: {cmd: touch three, params: [other.yaml: [c]], outs: [three]}
  four: {cmd: touch four, params: [other.yaml: ], outs: [four]}
"""


CHANGES = [
    ("params.yaml", "a: {b: 1, d: 2}\nc: [1, 2]\n"),
    ("params.yaml", "a: {b: 1, d: 3}\nc: [1, 2]\n"),
    ("params.yaml", "a: {d: 2}\nc: [1]\n"),
    ("other.yaml", "c: 4\ne: 5\n"),
    ("other.yaml", "e: 5\n"),
]


@pytest.fixture
def repo(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "params.yaml").write_text("a: {b: 1, d: 2}\nc: [1, 2]\n")
    (tmp_path / "other.yaml").write_text("c: 3\n")
    for words in (["init", "-q", "--no-scm"], ["repro", "-q"]):
        subprocess.run([sys.executable, "-m", "dvc", *words], env=environment, check=True)
    return Repo()


def test_the_status_is_the_same(repo: Repo) -> None:
    seen = []
    for name, text in CHANGES:
        Path(name).write_text(text)
        seen.append(plain := repo.status())
        with patch.object(param, "load_path", wraps=param.load_path) as load, read_once():
            assert repo.status() == plain
        assert sorted(Path(call.args[0]).name for call in load.call_args_list) == ["other.yaml", "params.yaml"]
    assert seen[0] == {}
    assert all(one != other for one, other in pairwise(seen))  # nothing is remembered
