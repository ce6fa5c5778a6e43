"""An archived run has what is needed to repeat it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from multiresunet.errors import UserError
from multiresunet.files import sha256
from multiresunet.paths import TABLES
from multiresunet.report import studies
from multiresunet.report.archive import KEPT, archive

MODEL = "multiresunet"
STUDIES = tuple(
    Path(f"data/tuned/{dataset}/{MODEL}/{name}")
    for dataset in ("nuclei", "left-the-run")
    for name in ("trials.csv", *(f"{picture}.png" for picture in studies.PICTURES))
)
PICTURES = (Path("reports/figures/a.png"), Path("reports/figures/b.svg"))


def test_a_run_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (*KEPT[1:], *PICTURES, *STUDIES, TABLES / "summary.tex", Path("requirements.lock")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    shutil.copyfile(repository / "params.yaml", "params.yaml")
    Path("results/trial").mkdir(parents=True)
    Path("results/trial/README.md").write_text("what it says")
    Path("results/trial/old.png").write_text("of an earlier run")
    archive(Path("results/trial"))
    kept = {path.name for path in Path("results/trial").iterdir()}
    assert kept == {path.name for path in (*KEPT, *PICTURES)} | {
        *("nuclei-multiresunet", "tables", "README.md", "provenance.json"),
    }
    copied = {path.name for path in Path("results/trial/nuclei-multiresunet").iterdir()}
    assert copied == {path.name for path in STUDIES if "nuclei" in str(path)}
    provenance = json.loads(Path("results/trial/provenance.json").read_text())
    assert provenance["requirements.lock"] == sha256(Path("requirements.lock"))
    assert {"commit", "torch", "machine"} <= provenance.keys()


def test_nothing_is_kept_of_a_run_that_has_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"params\.yaml is missing"):
        archive(Path("results/trial"))
    assert not Path("results").exists()
