"""The line that a run ends with: whose tables these are, and if not the commit's, how far off and why."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from multiresunet import arithmetic
from multiresunet.review.outcome import outcome
from tests import small

LOCK = """
stages:
  fetch@a:
    deps: [{path: multiresunet/data, md5: CODE}, {path: numerics.lock, md5: NUMERICS}]
    params: {params.yaml: {recipes.quick: {updates: 60, seed: null}, GONE: 1}}
    outs: [{path: data/raw/a, md5: DATA.dir, nfiles: 2}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit with two tables."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics").mkdir()
    for name in ("summary", "folds"):
        (tmp_path / f"metrics/{name}.csv").write_text("dataset,model,fold,jaccard\na,unet,1,0.5\n")
    (tmp_path / "params.yaml").write_text("seed: 1\nverify: {tolerances: {'*.jaccard': 0.01}}\n")
    (tmp_path / "dvc.lock").write_text(LOCK)
    settings = small.settings(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    subprocess.run(["git", "init", "-q"], check=True)
    assert outcome() == "Tables: made; there is no commit to compare them with."
    small.commit(tmp_path, settings)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_they_are_the_commit_s_own(project: Path) -> None:
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    assert outcome() == f"Tables: those of commit {commit}, byte for byte."


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        ("params.yaml", "seed: 1", "seed: 2", "other parameters (seed)"),
        ("params.yaml", "verify: {", "machine: {devices: 2}\nverify: {", None),
        ("dvc.lock", "DATA", "OTHER", "other data (a)"),
        # The commit's params.yaml said so already, and its tables were older.
        ("dvc.lock", "updates: 60", "updates: 40", "other parameters (recipes.quick.updates)"),
        ("dvc.lock", "seed: null", "seed: 3", "other parameters (recipes.quick.seed)"),
        ("dvc.lock", "GONE", "COME", None),
        ("dvc.lock", "CODE", "OTHER", "other code (multiresunet/data)"),
        ("dvc.lock", "NUMERICS", "OTHER", "other library versions (numerics.lock)"),
    ],
)
def test_they_differ_and_the_reason_is_known_or_is_the_cpu(
    project: Path, name: str, old: str, new: str, why: str | None
) -> None:
    edit(project / "metrics/folds.csv", "0.5", "0.504")
    edit(project / name, old, new)
    line = outcome()
    assert line.startswith("Tables: 1 of 2 differ from commit ")
    largest = "metrics/folds.csv, a · unet · 1, jaccard: 0.5 in git, 0.504 made, all within tolerance"
    assert f"(folds); the largest is {largest}. Why: " in line
    assert line.endswith(f"Why: {why or f'no other cause is known than the CPU ({arithmetic.cpu()})'}.")


def test_a_difference_beyond_tolerance_is_called_so(project: Path) -> None:
    edit(project / "metrics/summary.csv", "0.5", "0.6")
    assert "0.6 made, 1 beyond tolerance. Why: " in outcome()


def test_a_table_that_has_come_is_counted(project: Path) -> None:
    (project / "metrics/more.csv").write_text("dataset\na\n")
    assert outcome().startswith("Tables: 1 of 3 differ from commit ")
    assert "(more). Why" in outcome()
