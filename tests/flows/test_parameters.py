"""DVC's status is the same whether params.yaml is read once or once a stage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
from dvc.dependency import param
from dvc.exceptions import DvcException
from dvc.repo import Repo

from flows import parameters

PLAIN = param.read_param_file
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


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    param.read_param_file = PLAIN


@pytest.fixture
def repo(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "params.yaml").write_text("a: {b: 1, d: 2}\nc: [1, 2]\n")
    (tmp_path / "other.yaml").write_text("c: 3\n")
    for words in (["init", "-q", "--no-scm"], ["repro", "-q"]):
        subprocess.run([sys.executable, "-m", "dvc", *words], env=environment, check=True)
    return Repo()


def test_the_status_is_the_same(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for name, text in CHANGES:
        Path(name).write_text(text)
        monkeypatch.setattr(param, "read_param_file", PLAIN)
        seen.append(plain := repo.status())
        parameters.quicken()
        with patch.object(parameters, "parse_yaml", wraps=parameters.parse_yaml) as parse:
            assert repo.status() == plain
            assert repo.status() == plain
        parsed = [Path(call.args[1]).name for call in parse.call_args_list]
        assert name in parsed
        assert len(parsed) == len(set(parsed)) <= 2
    assert seen[0] == {}
    assert all(one != other for one, other in pairwise(seen))  # nothing is remembered


def test_what_is_read_may_be_changed(repo: Repo) -> None:
    parameters.quicken()
    path = str(Path("params.yaml").absolute())
    first = param.read_param_file(repo.fs, path, ["c", "a.b", "x"], flatten=True)
    assert first == {"c": [1, 2], "a.b": 1}
    first["c"].append(3)
    assert param.read_param_file(repo.fs, path, ["c"], flatten=True) == {"c": [1, 2]}


@pytest.mark.parametrize("content", [b"a: [", b"a: \xff"])
def test_what_is_broken_is_said_as_dvc_says_it(repo: Repo, content: bytes) -> None:
    Path("params.yaml").write_bytes(content)
    path, said = str(Path("params.yaml").absolute()), []
    parameters.quicken()
    for read in (PLAIN, param.read_param_file):
        with pytest.raises(DvcException) as error:
            read(repo.fs, path, ["a"], flatten=True)
        said.append((type(error.value), str(error.value)))
    assert said[0] == said[1]
