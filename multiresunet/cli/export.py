"""`multiresunet export`: a trained model in one file, for use elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from multiresunet.cli.predict import Folds, ModelName
from multiresunet.errors import UserError
from multiresunet.registries import PACKAGES


def export(
    model: ModelName,
    to: Annotated[str, typer.Option(help=" or ".join(PACKAGES))],
    out: Annotated[Path | None, typer.Option(help="the file to write", show_default="DATASET-MODEL.…")] = None,
    folds: Folds = "all",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a file that is there")] = False,
) -> None:
    """Write a model as one file, for other programs too.

    A bundle is what `predict` runs anywhere. What is written is opened again and compared with PyTorch at three
    sizes; if it differs, nothing is written.
    """
    if to not in PACKAGES:
        raise UserError(f"--to: {PACKAGES.unknown(to)}")

    from multiresunet.inference.loading import load_model
    from multiresunet.inference.packages import exporting
    from multiresunet.inference.packages.graph import left_out
    from multiresunet.review.artifacts import commit_of

    loaded = load_model(model, folds, "cpu")
    path = out or exporting.file_of(loaded, to)
    if path.exists() and not overwrite:
        raise UserError(f"{path}: is there already; choose another name with --out, or --overwrite")
    commit = loaded.description.commit or commit_of(loaded.folder)
    described = loaded.description.model_copy(update={"commit": commit})
    said = exporting.export(replace(loaded, description=described), to, path)
    print(f"{path}: {said}")
    missing = left_out(loaded.description.data)
    if missing and to != "bundle":  # which `predict` runs itself
        print(f"Its numbers differ from those of `predict` unless you do as that does: {'; '.join(missing)}")
