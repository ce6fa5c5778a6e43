"""TorchScript: for programs that have PyTorch but not this package."""

from __future__ import annotations

from pathlib import Path

import torch

from multiresunet.inference.description import NAME
from multiresunet.inference.model import Model
from multiresunet.inference.packages.graph import Images, compare, example, graph_of, tracing
from multiresunet.registries import PACKAGES


@PACKAGES.register("torchscript", suffix=".pt")
def write_torchscript(model: Model, path: Path) -> str:
    """Write a model's networks, with model.json as one of the file's extra files; say what comparing has shown.

    Raises:
        UserError: if it doesn't do the same as PyTorch.
    """
    with tracing():
        traced = torch.jit.trace(graph_of(model), example(model.predictor.spec), check_trace=False)
        torch.jit.save(torch.jit.freeze(traced), path, {NAME: model.described(model.names).model_dump_json()})
        reopened = torch.jit.load(path, map_location="cpu")

    def run(images: Images) -> Images:
        with torch.no_grad(), tracing():
            found: Images = reopened(torch.from_numpy(images)).numpy()
        return found

    return compare(run, model, "TorchScript")
