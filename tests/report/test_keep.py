"""A kept run holds what it needs to be repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from multiresunet.errors import UserError
from multiresunet.files import sha256
from multiresunet.report.keep import KEPT, keep


def test_a_run_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (*KEPT, Path("reports/figures/a.png"), Path("requirements.lock")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    keep(Path("results/trial"))
    kept = {path.name for path in Path("results/trial").iterdir()}
    assert kept == {path.name for path in KEPT} | {"a.png", "provenance.json"}
    provenance = json.loads(Path("results/trial/provenance.json").read_text())
    assert provenance["requirements.lock"] == sha256(Path("requirements.lock"))
    assert {"commit", "torch", "machine"} <= provenance.keys()


def test_nothing_is_kept_of_a_run_that_has_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"params\.yaml is missing"):
        keep(Path("results/trial"))
    assert not Path("results").exists()
