"""A finished run for tests of what it shows."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from multiresunet.nets import NetworkSpec, build_network
from multiresunet.report import studies
from multiresunet.training import checkpoint
from stages.evaluate import evaluate
from stages.predict import predict
from stages.report import report
from tests.discs import discs

MODELS = ("unet", "multiresunet", "multiresunet_tuned")


def make(folder: Path) -> None:
    """Fill the folder."""
    tree = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))
    tree["run"] = {"datasets": ["nuclei"], "models": list(MODELS[:2]), "recipe": "quick", "seeds": [1]}
    tree["run"]["tuned"] = {"datasets": ["nuclei"], "models": ["multiresunet"]}
    tree["tune"]["scope"] = "shared"
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    data = discs(15, (32, 32), 1, 3)
    prepared = folder / "data/prepared/nuclei"
    prepared.mkdir(parents=True)
    np.save(prepared / "images.npy", data.images)
    np.save(prepared / "masks.npy", data.masks)
    data.table.to_csv(prepared / "samples.csv", index=False)
    (folder / "data/validated/nuclei").mkdir(parents=True)
    (folder / "data/validated/nuclei/validation.json").write_text("[]")
    for model in MODELS:
        trained = folder / "data/trained/nuclei" / model / "1"
        trained.mkdir(parents=True)
        spec = NetworkSpec(model.removesuffix("_tuned"), 2, 1, filters=8 if "tuned" in model else 6)
        for fold in range(3):
            for which in ("best", "last"):
                checkpoint.save(trained / f"fold{fold}-{which}.safetensors", spec, build_network(spec).state_dict())
        losses = {"train_loss": 0.5, "test_loss": 0.6}
        lines = [
            {"fold": f, "epoch": e, **losses, "test_jaccard": e / 10, "updates": 6 * e}
            for f in range(3)
            for e in (1, 2, 3)
        ]
        pd.DataFrame(lines).to_csv(trained / "history.csv", index=False)
    study = folder / "data/tuned/nuclei/multiresunet"
    study.mkdir(parents=True)
    for name in studies.PICTURES:
        Image.new("L", (9, 9)).save(study / f"{name}.png")
    with contextlib.chdir(folder):
        for model in MODELS:
            predict("nuclei", model)
        evaluate("nuclei")
        report()
