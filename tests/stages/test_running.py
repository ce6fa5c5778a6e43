"""Every stage's command line: help, names that aren't there, and inputs that aren't made yet."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from multiresunet.errors import UserError
from stages.running import code_digest, needs
from tests.warm import Warm

ROOT = Path(__file__).parents[2]
Stage = Callable[..., CompletedProcess[str]]
STAGES = list(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])


@pytest.fixture
def stage(warm: Warm, tmp_path: Path) -> Stage:
    """Run a stage in a folder that holds params.yaml and nothing else."""
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    return lambda name, *words: warm.run(f"stages.{name}", *words, cwd=tmp_path)


@pytest.mark.parametrize(
    "name", [name for name in STAGES if not name.endswith("_tuned")]
)  # those call the same modules
def test_help_says_how_to_call_it(name: str, stage: Stage) -> None:
    done = stage(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: python -m stages.{name}")
    assert len(done.stdout.splitlines()) > 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("validate nuclei", "data/raw/nuclei is missing; run `dvc repro fetch@nuclei` first"),
        ("preprocess nuclei", "data/raw/nuclei is missing; run `dvc repro fetch@nuclei` first"),
        ("tune nuclei multiresunet", "data/prepared/nuclei is missing; run `dvc repro preprocess@nuclei` first"),
        ("train nuclei unet", "data/prepared/nuclei is missing; run `dvc repro preprocess@nuclei` first"),
        ("predict nuclei unet", "data/prepared/nuclei is missing; run `dvc repro preprocess@nuclei` first"),
        ("evaluate nuclei", "data/prepared/nuclei is missing; run `dvc repro preprocess@nuclei` first"),
        ("report", "data/evaluated/nuclei is missing; run `dvc repro evaluate@nuclei` first"),
        ("fetch nuclee", "data set 'nuclee' is unknown (did you mean nuclei?); params.yaml has "),
        ("train nuclei unett", "model 'unett' is unknown (did you mean unet?); params.yaml has "),
        ("predict nuclei unett", "model 'unett' is unknown (did you mean unet?); params.yaml has "),
        ("tune nuclee unet", "data set 'nuclee' is unknown (did you mean nuclei?); params.yaml has "),
    ],
)
def test_what_it_lacks_is_one_line(words: str, said: str, stage: Stage) -> None:
    done = stage(*words.split())
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {said}")


def test_needs_lets_pass_what_is_there(tmp_path: Path) -> None:
    needs(tmp_path, "fetch@a")
    with pytest.raises(UserError, match="dvc repro fetch@a"):
        needs(tmp_path / "a", "fetch@a")


def test_the_digest_of_code_follows_what_dvc_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dvc.yaml", "numerics.lock"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for name in ("stages", "multiresunet"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("stages.running.ROOT", tmp_path)
    before = {name: code_digest(name) for name in ("train", "tune")}
    (tmp_path / "multiresunet/training/__pycache__").mkdir()
    (tmp_path / "multiresunet/training/__pycache__/x.pyc").write_text("")
    (tmp_path / "multiresunet/report/page.py").write_text("changed")
    assert {name: code_digest(name) for name in before} == before
    with (tmp_path / "multiresunet/training/losses.py").open("a") as file:
        file.write("# changed\n")
    assert all(code_digest(name) != digest for name, digest in before.items())
    now = code_digest("train")
    (tmp_path / "numerics.lock").write_text("torch==9\n")
    assert code_digest("train") != now
