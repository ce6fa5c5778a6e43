"""A bundle: one zip that `predict` and `load_model` take in the place of a trained folder, on any machine."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import torch

from multiresunet.errors import UserError
from multiresunet.inference.bundle import CARD, part
from multiresunet.inference.description import NAME
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model
from multiresunet.inference.packages.attribution import attribution_of
from multiresunet.inference.packages.card import card_of
from multiresunet.inference.packages.graph import compare
from multiresunet.registries import PACKAGES


@PACKAGES.register("bundle", suffix=".bundle.zip")
def write_bundle(model: Model, path: Path) -> str:
    """Write model.json, weights, card, licence and citation; the same bytes for the same model.

    Of a model with all its folds' networks, the final one goes in, too; else those alone that were loaded.

    Raises:
        UserError: if licence or citation are missing, or it doesn't predict as the model does.
    """
    described, every = model.description, tuple(model.description.folds)
    names = list(described.networks) if model.names == every else list(model.names)
    held = model.described(names)
    texts = {
        NAME: json.dumps(held.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n",
        CARD: card_of(model, names),
        **attribution_of(model).texts,
    }
    with ZipFile(path, "w") as archive:
        for name, text in texts.items():
            archive.writestr(_entry(name, ZIP_DEFLATED), text)
        for name in names:
            file = described.networks[name].file
            with part(model.folder, file) as source, archive.open(_entry(file, ZIP_STORED), "w") as target:
                if source is None:
                    raise UserError(f"{model.folder / file}: these weights are missing; run `dvc checkout`")
                shutil.copyfileobj(source, target)
    again = load_model(path, device=torch.device("cpu"))
    return compare(replace(again.predictor, window=None).probabilities, model, "the bundle's networks")


def _entry(name: str, compression: int) -> ZipInfo:
    entry = ZipInfo(name)  # dated 1980
    entry.compress_type, entry.external_attr = compression, 0o644 << 16
    return entry
