"""An archived run has what is needed to repeat it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from multiresunet.errors import UserError
from multiresunet.files import sha256
from multiresunet.paths import TABLES
from multiresunet.report import studies
from multiresunet.report.archive import KEPT, archive, made_otherwise
from tests import small

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
    monkeypatch.setattr("multiresunet.report.archive.made_otherwise", list)
    archive(Path("results/trial"))
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


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    thesis = Path("papers/thesis.tex")
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with pytest.raises(UserError, match="papers holds other files; name a new folder, such as results/NAME"):
        archive(Path("papers"))
    with pytest.raises(UserError, match=r"papers/thesis.tex is a file; name a new folder"):
        archive(thesis)
    assert list(thesis.parent.iterdir()) == [thesis]


@pytest.mark.parametrize("target", [".", "/"])
def test_a_target_without_a_name_is_refused(target: str) -> None:
    with pytest.raises(UserError, match="name a new folder, such as results/NAME"):
        archive(Path(target))


def test_parameters_tables_and_code_that_no_run_has_joined_are_not_archived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, project = small.settings(tmp_path / "settings"), tmp_path / "project"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    project.mkdir()
    monkeypatch.chdir(small.create(project, environment))
    rules = (
        Path("dvc.yaml").read_text().replace("deps: [stages/report.py", "params: [seed]\n    deps: [stages/report.py")
    )
    Path("dvc.yaml").write_text(rules)
    parameters = Path("params.yaml").read_text()
    Path("params.yaml").write_text(f"{parameters}seed: 1\n")
    small.commit(project, environment)
    Path("params.yaml").write_text(f"{parameters}seed: 2\n")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], check=True)
    assert made_otherwise() == []  # not the commit's, but what has made the tables
    Path("params.yaml").write_text(f"{parameters}seed: 3\n")
    Path("metrics/summary.csv").write_text("dataset,score\na,1\n")
    found = made_otherwise()
    assert found == [
        "params.yaml: seed isn't what dvc.lock was made with",
        "metrics/summary.csv: edited, since dvc.lock records another one",
    ]
    monkeypatch.setattr("multiresunet.report.archive.KEPT", ())
    for folder in ("figures", "tables"):
        Path("reports", folder).mkdir(parents=True)
    with pytest.raises(UserError, match=r"params.yaml: seed isn't what dvc.lock was made with; run `dvc repro` first"):
        archive(Path("results/trial"))
    assert not Path("results").exists()
