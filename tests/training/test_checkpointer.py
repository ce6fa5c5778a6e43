"""A state is whole or absent, and nobody else's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from multiresunet.errors import UserError
from multiresunet.training import resume
from multiresunet.training.resume import Checkpointer


def test_a_state_comes_back(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path / "a/fold0.pt")
    assert checkpointer.load() is None
    checkpointer.save({"weights": {"w": torch.arange(3.0)}, "history": [(1, 0.5)]})
    loaded = Checkpointer(tmp_path / "a/fold0.pt").load()
    assert loaded is not None
    assert torch.equal(loaded["weights"]["w"], torch.arange(3.0))
    assert loaded["history"] == [(1, 0.5)]


def test_without_a_path_nothing_is_kept() -> None:
    checkpointer = Checkpointer()
    checkpointer.save({"a": 1})
    assert checkpointer.load() is None
    assert not checkpointer.due(epoch_ended=True)


def test_a_full_disk_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpointer = Checkpointer(tmp_path / "s.pt")
    checkpointer.save({"a": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"the disk is full: .*last good state, .*s\.pt, is kept; make room"):
        checkpointer.save({"a": 2})
    assert checkpointer.load() == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["s.pt"]


def test_a_damaged_state_is_said_to_be_and_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpointer = Checkpointer(tmp_path / "s.pt")
    checkpointer.save({"a": torch.zeros(1000)})
    content = (tmp_path / "s.pt").read_bytes()
    (tmp_path / "s.pt").write_bytes(content[: len(content) // 2])
    assert checkpointer.load() is None
    assert "damaged" in capsys.readouterr().err


def test_a_state_is_due_after_its_time_and_at_an_epochs_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(resume.time, "monotonic", lambda: now)
    hasty, patient = Checkpointer(tmp_path / "a", every=1), Checkpointer(tmp_path / "b", every=1e9)
    assert not patient.due(epoch_ended=True)  # hardly anything is lost yet
    now = 60.0
    assert hasty.due(epoch_ended=False)
    assert not patient.due(epoch_ended=False)
    assert patient.due(epoch_ended=True)


def test_the_key_is_that_of_all_inputs_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "images.npy").write_bytes(b"a")
    one = {"seed": 1, "data": resume.digest(sorted(tmp_path.iterdir()))}
    assert resume.key(one, "code") == resume.key(dict(reversed(one.items())), "code")
    (tmp_path / "images.npy").write_bytes(b"b")
    other = {"seed": 1, "data": resume.digest(sorted(tmp_path.iterdir()))}
    keys = [resume.key(one, "code"), resume.key(other, "code"), resume.key({**one, "seed": 2}, "code")]
    assert len({*keys, resume.key(one, "other code")}) == 4
