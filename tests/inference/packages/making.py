"""Models to export: random weights, and normalisation statistics that no conversion can leave out unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model
from multiresunet.nets import NetworkSpec
from multiresunet.training import checkpoint
from tests.inference.making import describe_weights, described, trained
from tests.training.making import SPEC


def folder_of(folder: Path, spec: NetworkSpec = SPEC, folds: int = 1, final: bool = False, **data: Any) -> Path:
    """As `trained`."""
    trained(folder, spec, folds, final)
    rng = torch.Generator().manual_seed(5)
    for file in folder.glob("*.safetensors"):
        weights = load_file(file)
        for name, values in weights.items():
            if name.endswith(("running_mean", "running_var")):
                weights[name] = 0.2 * torch.rand(values.shape, generator=rng) + (0.5 if name.endswith("var") else -0.3)
        checkpoint.save(file, spec, weights)
    return describe_weights(folder, described(spec, **data))


def model_of(folder: Path, spec: NetworkSpec = SPEC, folds: int = 1, **data: Any) -> Model:
    """The same, loaded."""
    return load_model(folder_of(folder, spec, folds, **data), device=torch.device("cpu"))
