"""Provenance names the commit, the code that isn't its own, the arithmetic of the training, and the CPU."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from multiresunet import arithmetic, config
from multiresunet.paths import TRAINING_SECONDS
from multiresunet.report.provenance import commit, provenance, short, trained_in, training_speed
from tests import small


def test_it_names_the_machines_that_trained(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(repository / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    loaded = config.load()
    run, total = loaded.run, sum(len(loaded.models_of(dataset)) for dataset in loaded.run.datasets)
    assert trained_in() == f"elsewhere: {total} models, restored from DVC's cache"
    TRAINING_SECONDS.mkdir(parents=True)
    dataset, model = run.datasets[0], run.models[0]
    table = pd.DataFrame({"fold": [0], "epoch": 1, "seconds": 0.1, "device": "cpu"})
    table.to_csv(TRAINING_SECONDS / f"{dataset}-other-1.csv")  # not of this run
    table.assign(machine="native arithmetic, A").to_csv(TRAINING_SECONDS / f"{dataset}-{model}-2.csv")
    table.assign(machine=arithmetic.in_words()).to_csv(TRAINING_SECONDS / f"{run.datasets[1]}-{model}-1.csv")
    here = f"{arithmetic.in_use()} arithmetic, {arithmetic.cpu()}"
    assert trained_in() == (f"native arithmetic, A; {here}; elsewhere: {total - 2} models, restored from DVC's cache")
    assert provenance()["trained in"] == trained_in()
    assert provenance()["machine"].endswith(arithmetic.cpu())


def test_speed_is_told_of_models_whose_images_were_counted(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(repository / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    run = config.load().run
    TRAINING_SECONDS.mkdir(parents=True)
    dataset, (first, second, *_) = run.datasets[0], run.models
    assert training_speed() == ""
    table = pd.DataFrame({"fold": [0, 1], "epoch": 1, "seconds": [1.5, 2.5]})
    table.to_csv(TRAINING_SECONDS / f"{dataset}-{first}-1.csv")
    table.assign(images=100).to_csv(TRAINING_SECONDS / f"{dataset}-{second}-1.csv")
    table.assign(images=60).to_csv(TRAINING_SECONDS / f"{dataset}-{second}-2.csv")
    assert training_speed() == f"{dataset} {second}: 8 s, 40 images/s"


def test_it_names_files_that_differ_and_code_that_git_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert commit() == "unknown (not in a git repository)"
    environment = small.settings(tmp_path)
    for folder in ("metrics", "multiresunet/nets", "stages"):
        Path(folder).mkdir(parents=True)
    for name in ("params.yaml", "dvc.lock", "metrics/summary.csv"):
        Path(name).write_text("")
    Path(".gitignore").write_text("__pycache__/\n")
    subprocess.run(["git", "init", "-q"], check=True)
    small.commit(tmp_path, environment)
    head = commit()
    assert len(head) == 40
    for name in ("dvc.lock", "metrics/summary.csv", "metrics/new.csv", "notes.txt"):
        Path(name).write_text("other")
    Path("stages/__pycache__").mkdir()
    Path("stages/__pycache__/fetch.pyc").write_text("")
    assert commit() == head
    Path("multiresunet/nets/mein Netz.py").write_text("")
    assert commit() == f"{head} with changes in multiresunet/nets/mein Netz.py"
    Path("params.yaml").write_text("seed: 2\n")
    assert commit() == f"{head} with changes in params.yaml, multiresunet/nets/mein Netz.py"
    assert short(commit()) == f"{head[:10]}*"


def test_a_commits_short_name() -> None:
    assert short("0123456789abcdef") == "0123456789"
    assert short("0123456789abcdef with changes in make.py") == "0123456789*"
    assert short("unknown (not in a git repository)") == "unknown"
