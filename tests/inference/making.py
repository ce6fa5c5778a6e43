"""Trained folders that tests share: random weights, and a model.json that says what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from multiresunet.config import MaskRule
from multiresunet.data.description import DataDescription
from multiresunet.files import sha256
from multiresunet.inference.description import FINAL, ModelDescription, NetworkDescription
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training import checkpoint
from tests.training.making import SPEC

MASK = MaskRule(values=[0, 255], foreground=[255])
CPU = torch.device("cpu")
RNG = np.random.default_rng(0)


def grey(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def described(spec: NetworkSpec, **changes: Any) -> DataDescription:
    """A data set that a network of this specification may have learnt from; 32 pixels a side, or 16 of a volume."""
    side = 32 if spec.dims == 2 else 16
    classes = {f"c{number}": [number] for number in range(1, spec.classes)}
    labels = list(range(1, spec.classes))
    mask = MaskRule(values=[0, *labels], foreground=labels, classes=classes) if spec.classes > 1 else MASK
    values: dict[str, Any] = {
        "name": "discs",
        "modality": "drawn",
        "size": (side,) * spec.dims,
        "fit": "resize",
        "normalisation": "rescale",
        "channels": spec.in_channels,
        "mask": mask,
        "images": 12,
        "scale": (1.0,) * spec.dims,
        "sides": ((side, side),) * spec.dims,
        "intensity": {"minimum": (0, 255), "maximum": (0, 255), "mean": (0, 255), "deviation": (0, 255)},
    }
    return DataDescription(**values | changes)


def describe_weights(folder: Path, data: DataDescription) -> Path:
    """Write the model.json of the weights that lie in a folder."""
    networks = {}
    for file in sorted(folder.glob("*-last.safetensors")):
        name = file.name.removeprefix("fold").removesuffix("-last.safetensors")
        score = None if name == FINAL else 0.8
        networks[name] = NetworkDescription(
            file=file.name,
            sha256=sha256(file),
            spec=checkpoint.spec_of(file).as_dict(),
            jaccard=score,
            jaccard_best_epoch=score,
        )
    ModelDescription(
        model="multiresunet",
        data=data,
        networks=networks,
        threshold=0.5,
        jaccard=0.8,
        jaccard_sd=0.0,
        recipe={"name": "quick"},
        seed=1,
        digests={},
    ).write(folder)
    return folder


def trained(folder: Path, spec: NetworkSpec = SPEC, folds: int = 2, final: bool = False, **data: Any) -> Path:
    """What `train` leaves, with random weights; `data` are changes of the data set's description."""
    folder.mkdir(exist_ok=True, parents=True)
    names = [*(f"fold{fold}" for fold in range(folds)), *([FINAL] if final else [])]
    for seed, name in enumerate(names):
        weights = build_network(spec, torch.Generator().manual_seed(seed)).state_dict()
        checkpoint.save(folder / f"{name}-last.safetensors", spec, weights)
    return describe_weights(folder, described(spec, **data))
