"""A small run of the real stages and of every network, and hashes of all that it makes.

In portable arithmetic they are the same on every CPU with AVX2. `python -m tests.reference_run` prints them as JSON;
with `--write` it puts them into reference_run.json, after a change that is meant to change numbers, or new versions in
numerics.lock; with `--computed` it leaves out the last stage, which draws and computes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml
from PIL import Image

from multiresunet import config
from multiresunet.data import manifest
from multiresunet.data.profile import profile
from multiresunet.files import write_csv, write_json
from multiresunet.paths import RAW, VALIDATED
from multiresunet.registries import NETWORKS
from multiresunet.training.fit import fit
from stages import evaluate, fetch, predict, preprocess, train
from tests.discs import discs
from tests.training.making import RECIPE, SPEC, job_of

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).with_suffix(".json")
REPORTED = {"metrics", "reports/figures"}  # folders of the last stage, which computes nothing
DATASET, MODELS = "nuclei", ["unet", "multiresunet"]
SHORT = {"updates": 2, "batch": 2, "filters": 4, "longest_side": None, "folds": {"count": 2, "by": "image"}}


def parameters() -> dict[str, Any]:
    """The default's params.yaml with six tiny images, two folds, two steps of training and few resamples."""
    tree: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tuned = {"datasets": [], "models": []}
    tree["run"] |= {"datasets": [DATASET], "models": MODELS, "seeds": [1], "tuned": tuned}
    tree["datasets"][DATASET]["source"]["samples"] = 6
    tree["datasets"][DATASET]["size"] = [16, 16]
    tree["recipes"]["quick"] |= SHORT
    tree["evaluate"]["statistics"]["resamples"] = 200
    tree["evaluate"]["perturbed"]["quick"] = {"images": 1, "severities": [3]}
    return tree


def run_stages(*, reports: bool) -> None:
    """Run the stages in the current folder, the last one only if `reports`."""
    Path("params.yaml").write_text(yaml.safe_dump(parameters()), encoding="utf-8")
    entry = config.load().dataset(DATASET)
    fetch.fetch(DATASET)
    # As validate does, but without Great Expectations, which computes nothing and takes longest to import.
    write_csv(VALIDATED / DATASET / "facts.csv", profile(RAW / DATASET, manifest.read(RAW / DATASET), entry))
    write_json(VALIDATED / DATASET / "validation.json", [])
    write_json(VALIDATED / DATASET / "notes.json", {})
    preprocess.preprocess(DATASET)
    for model in MODELS:
        train.train(DATASET, model)
        predict.predict(DATASET, model)
    evaluate.evaluate(DATASET)
    if reports:
        from stages import report  # here, since it takes a while to import, and more under an emulator

        report.report()


def hashes(*, reports: bool = True) -> dict[str, str]:
    """Of the stages' outputs, folder by folder, and of the networks; `REPORTED` only if `reports`."""
    return of_stages(reports=reports) | of_networks()


def of_stages(*, reports: bool) -> dict[str, str]:
    """Hashes of the folders that the stages write."""
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
        redirect_stdout(StringIO()),
        mock.patch("torch.cuda.is_available", return_value=False),
    ):
        run_stages(reports=reports)
        files = [path for name in ("data", "metrics", "reports/figures") for path in Path(name).rglob("*.*")]
        folders: dict[str, bytes] = {}
        for path in sorted(files):
            content = CONTENT.get(path.name, CONTENT.get(path.suffix, Path.read_bytes))(path)
            parent = path.parent.as_posix()
            folders[parent] = folders.get(parent, b"") + path.name.encode() + content
        return {parent: _hash(content) for parent, content in folders.items()}


def of_networks() -> dict[str, str]:
    """Hashes of each network's weights after two steps, with augmentation, and of its losses."""
    augment = config.load(ROOT / "params.yaml").recipes["modern_cpu"].augment
    recipe = RECIPE.model_copy(update={"augment": augment, "ema": 0.9, "batch": 2})
    found = {}
    for name, dims in [*((name, 2) for name in NETWORKS), ("multiresunet", 3)]:
        data = discs(6, (16,) * dims, 1, 3)
        job = job_of(data, spec=replace(SPEC, name=name, dims=dims), recipe=recipe, epochs=1, names=(name, dims))
        fitted = fit(job)
        weights = b"".join(fitted.last[key].numpy().tobytes() for key in sorted(fitted.last))
        found[f"{name}, {dims} axes"] = _hash(weights + repr(fitted.history).encode())
    return found


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _arrays(path: Path) -> bytes:
    with np.load(path) as arrays:
        return b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays))


def _pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.mode.encode() + image.tobytes()


def _model(path: Path) -> bytes:
    return json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"digests": {}}).encode()


# Of arrays and pictures what is in them, which another zlib packs in another way; of a model all but the digests of the
# code that made it, which a comment changes.
CONTENT: dict[str, Callable[[Path], bytes]] = {".npz": _arrays, ".png": _pixels, "model.json": _model}

if __name__ == "__main__":
    text = json.dumps(hashes(reports=sys.argv[1:] != ["--computed"]), indent=0) + "\n"
    if sys.argv[1:] == ["--write"]:
        KEPT.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
