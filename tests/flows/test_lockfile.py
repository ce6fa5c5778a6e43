"""DVC reads and writes dvc.lock with and without flows/lockfile.py: the same data, the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dvc.dvcfile
import pytest
from dvc.dvcfile import Lockfile
from dvc.fs import LocalFileSystem
from dvc.stage import serialize
from dvc.utils.strictyaml import YAMLValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import lockfile

REPO: Any = SimpleNamespace(
    fs=LocalFileSystem(),
    dvcignore=SimpleNamespace(is_ignored_file=lambda _: False),
    scm_context=SimpleNamespace(track_file=lambda _: None),
    scm=SimpleNamespace(is_ignored=lambda _: False),
)
PLAIN = Lockfile._load_yaml, dvc.dvcfile.modify_yaml
NUMBERS = st.sampled_from([0, 1, -3, 0.5, 1.0, -2.25, 0.0003, 1e-7])  # of 16 digits, YAML's writer loses the last
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text("ab: #'\n\"é-", max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
WRITTEN = st.lists(st.tuples(st.sampled_from(["fetch@a", "train@a-unet-1", "report"]), VALUES), min_size=1, max_size=4)


def entry(value: Any) -> dict[str, Any]:
    """A stage's entry with a parameter."""
    dep = {"path": "numerics.lock", "hash": "md5", "md5": "6e12b3af204e0b571248bc90791db736"}
    return {"cmd": "python -m stages.fetch a", "deps": [dep], "params": {"params.yaml": {"x": value}}}


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    Lockfile._load_yaml, dvc.dvcfile.modify_yaml = PLAIN


def write(path: Path, name: str, stage_data: dict[str, Any], quick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DVC does when a stage has run, whose entry is given."""
    Lockfile._load_yaml, dvc.dvcfile.modify_yaml = PLAIN
    if quick:
        lockfile.quicken()
    monkeypatch.setattr(serialize, "to_lockfile", lambda stage: {stage.name: stage_data})
    Lockfile(REPO, str(path)).dump(SimpleNamespace(name=name))


@settings(max_examples=25)
@given(written=WRITTEN)
def test_bytes_and_data_are_those_of_dvc(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("locks")
    quick, plain = folder / "quick.lock", folder / "plain.lock"
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in written:
            write(plain, name, entry(value), False, monkeypatch)
            write(quick, name, entry(value), True, monkeypatch)
            assert quick.read_bytes() == plain.read_bytes()
        seen = Lockfile(REPO, str(quick)).load()
        Lockfile._load_yaml = PLAIN[0]
        assert repr(Lockfile(REPO, str(plain)).load()) == repr(seen)


def test_one_and_one_point_nought_are_two_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dvc.lock"
    for value in (1, 1.0):
        write(path, "report", {"cmd": "c", "params": {"params.yaml": {"x": value}}}, True, monkeypatch)
    assert path.read_text().endswith("x: 1.0\n")


def test_the_caller_may_change_what_it_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "dvc.lock"
    write(path, "report", {"cmd": "c", "params": {"params.yaml": {"x": [1]}}}, True, monkeypatch)
    Lockfile(REPO, str(path)).load()["stages"]["report"]["cmd"] = "d"
    assert Lockfile(REPO, str(path)).load()["stages"]["report"]["cmd"] == "c"


@pytest.mark.parametrize(
    "text",
    [
        "# mine\nschema: '2.0'\nstages:\n  report:\n    cmd: c\n",
        "schema: '2.0'\nstages:\n  report:\n    cmd: c\ndatasets: []\n",
        "schema: '2.0'\nstages:\n  report:\n    cmd: c\n  # mine\n  other:\n    cmd: c\n",
    ],
)
def test_a_file_of_another_form_is_left_to_dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert lockfile.split(text) is None
    quick, plain = tmp_path / "quick.lock", tmp_path / "plain.lock"
    for path in (quick, plain):
        path.write_text(text)
        write(path, "report", {"cmd": "d"}, path == quick, monkeypatch)
    assert "cmd: d" in quick.read_text()
    assert quick.read_text() == plain.read_text()


def test_what_is_no_lock_is_refused_as_by_dvc(tmp_path: Path) -> None:
    lockfile.quicken()
    path = tmp_path / "dvc.lock"
    path.write_text("schema: '2.0'\nstages:\n  report:\n    deps: 3\n")
    with pytest.raises(YAMLValidationError):
        Lockfile(REPO, str(path)).load()
