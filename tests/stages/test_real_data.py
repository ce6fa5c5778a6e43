"""Real images of the other modalities, through fetch, validate, preprocess and one epoch of training."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.stages.test_pipeline import ENVIRONMENT, ROOT, checkout, edit
from tests.warm import Warm

MIRROR = ROOT.parent / "shared" / "mirror"


@pytest.mark.slow
@pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror of the public data sets is at hand")
def test_rgb_and_volumes_train_for_one_epoch(tmp_path: Path, warm: Warm) -> None:
    folder = checkout(tmp_path / "real")
    datasets = ["cvc_clinicdb", "msd_hippocampus"]
    edit(
        folder,
        run={
            "datasets": datasets,
            "models": ["multiresunet"],
            "recipe": "quick",
            "seeds": [1],
            "tuned": {"datasets": [], "models": []},
        },
        recipes__quick__updates=2,
        recipes__quick__longest_side=32,
        datasets__msd_hippocampus__fit="resize",
    )
    done = warm.run("dvc", "repro", cwd=folder, env=ENVIRONMENT | {"MULTIRESUNET_MIRROR": str(MIRROR)}, timeout=3000)
    assert done.returncode == 0, done.stderr
    summary = pd.read_csv(folder / "metrics/summary.csv").set_index(["dataset", "model"])
    for dataset, images in zip(datasets, (612, 260), strict=True):
        assert summary.loc[(dataset, "multiresunet"), "images"] == images
    samples = pd.read_csv(folder / "data/prepared/cvc_clinicdb/samples.csv")
    assert len(samples[["group", "fold"]].drop_duplicates()) == 29  # each video is in one fold
