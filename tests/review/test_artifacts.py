"""A model's commit is the one that records the model, wherever its folder lies and whatever was committed since."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from multiresunet.review.artifacts import commit_of
from tests import small

MODEL = Path("data/trained/mine/unet/1")
# As DVC digests the files below, and the same with other weights.
DIGEST, LATER = "34ea58ff9569b95bda794d539edd8d75.dir", "94573c359e3be594d07d68ebf3989006.dir"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project with a model that dvc.lock records; its commit."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    for name, value in small.settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in ("model.json", "fold0-last.safetensors", "b/c.csv", "b.csv"):
        (MODEL / name).parent.mkdir(parents=True, exist_ok=True)
        (MODEL / name).write_text(name)
    Path(".gitignore").write_text("/data/\n/.state/\n")
    subprocess.run(["git", "init", "-q", "-b", "main"], check=True)
    record(DIGEST)
    return commit()


def record(digest: str) -> None:
    Path("dvc.lock").write_text(f"stages: {{train: {{outs: [{{path: {MODEL}, md5: {digest}}}]}}}}\n")


def train_again() -> None:
    (MODEL / "fold0-last.safetensors").write_text("of other code")


def commit() -> str:
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "all"], check=True)
    return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()


def test_it_stays_the_same_when_others_follow(made: str) -> None:
    assert commit_of(MODEL) == made
    Path("dvc.lock").write_text(Path("dvc.lock").read_text() + "# another stage\n")
    assert commit() != made
    assert commit_of(MODEL) == made


def test_of_a_model_that_no_commit_records_it_is_not_known(made: str) -> None:
    train_again()
    assert commit_of(MODEL) is None
    record(LATER)
    assert commit_of(MODEL) is None
    later = commit()
    assert commit_of(MODEL) == later != made


def test_another_repository_is_not_named(made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    shutil.copytree(MODEL, other / "model")
    assert commit_of(other / "model") is None
    monkeypatch.chdir(other)
    subprocess.run(["git", "init", "-q"], check=True)
    assert commit_of(other / "model") is None  # without any commit
    assert commit()
    assert commit_of(other / "model") is None
    assert commit_of(other / "model.bundle.zip") is None


def test_of_a_version_it_is_that_of_the_tag(made: str) -> None:
    subprocess.run(["git", "tag", "mine-unet@v1.0.0"], check=True)
    version = shutil.copytree(MODEL, Path(".state/models/mine-unet@v1.0.0"))  # as `fetched` leaves it
    train_again()
    record(LATER)
    assert commit() != made
    assert commit_of(version) == made
