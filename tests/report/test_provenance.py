"""Provenance says in which arithmetic the networks were trained, and on which CPU."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from multiresunet import arithmetic, config
from multiresunet.paths import TRAINING_SECONDS
from multiresunet.report.provenance import provenance, trained_in


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
