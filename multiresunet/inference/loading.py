"""Find a trained model and load it: a folder, one file of it, a name with its version, or a bundle.

>>> from multiresunet import load_model
>>> model = load_model("data/trained/nuclei/multiresunet")    # doctest: +SKIP
>>> model.description.jaccard                                 # doctest: +SKIP
0.83
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from multiresunet.errors import UserError
from multiresunet.files import sha256, some_of
from multiresunet.inference import bundle
from multiresunet.inference.description import FINAL, NAME, ModelDescription
from multiresunet.inference.model import Model
from multiresunet.inference.predictor import Predictor
from multiresunet.nets import NetworkSpec
from multiresunet.training import checkpoint

ALL = "all"
VERSIONED = re.compile(r"[\w.-]+@v?\d[\w.+-]*")  # as GTO names its tags
WEIGHTS = ".safetensors"


def load_model(path: str | Path, folds: str | int = ALL, device: torch.device | str | None = None) -> Model:
    """A trained model, ready to predict.

    Args:
        path: a folder that `train` wrote (data/trained/<dataset>/<model>/<seed>, or a folder above it if it holds no
            other), a bundle, packed or not, a name and version that GTO knows, as "nuclei-multiresunet@v1.0.0", or
            a .safetensors file of such a folder, for that network alone.
        folds: `all` (the mean probability of the networks of all folds; of a bundle without any, the final one), the
            number of one fold, for the network that hasn't seen it, or `final`, for the network that was trained on
            all images.
        device: where to compute, as "cpu" or "cuda:1"; a GPU if there is one, unless given.

    Raises:
        UserError: if there is no such model, network or device, or its files aren't what model.json says.
    """
    if Path(path).is_file() and Path(path).suffix != WEIGHTS:
        with bundle.unpacked(Path(path)) as folder:
            return replace(load_model(folder, folds, device), folder=Path(path))
    folder, folds = find(path), str(folds)
    description = ModelDescription.open(folder)
    if Path(path).suffix == WEIGHTS:
        name = _named_by(Path(path), description)
        if folds not in (ALL, name):
            raise UserError(f"{path}: is the network {name!r}, not {folds!r}; leave folds out, or name its folder")
        folds = name
    names = (description.folds or [FINAL]) if folds == ALL else [folds]
    if names[0] not in description.networks:
        known = ", ".join([ALL, *description.networks])
        remedy = "; set final: true for this model in params.yaml and train again" if folds == FINAL else ""
        raise UserError(f"{folder}: has no network {folds!r}, there is {known}{remedy}")
    device = _usable(device)
    networks = [_network(folder, description, name).to(device).eval() for name in names]
    spec = NetworkSpec(**description.networks[names[0]].spec)
    window = description.data.size if description.data.fit == "patches" else None
    return Model(Predictor(spec, networks, device, window), description, folder, tuple(names))


def _usable(device: torch.device | str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    known = ["cpu", *(["cuda", *gpus] if gpus else [])]
    if isinstance(device, str) and device not in known:
        raise UserError(f"device {device}: this machine has none of that name; use {', '.join(known)}")
    return torch.device(device)


def _network(folder: Path, description: ModelDescription, name: str) -> nn.Module:
    network = description.networks[name]
    file = folder / network.file
    loaded = checkpoint.load(file)
    if sha256(file) != network.sha256:
        raise UserError(f"{file}: not the weights that {NAME} names; run `dvc checkout`, or choose another model")
    return loaded


def _named_by(file: Path, description: ModelDescription) -> str:
    for name, network in description.networks.items():
        if network.file == file.name:
            return name
    known = ", ".join(network.file for network in description.networks.values())
    raise UserError(f"{file}: {NAME} knows no such weights, there is {known}")


def find(path: str | Path) -> Path:
    """The folder with the model.json of what `load_model` is given.

    Raises:
        UserError: if there is none, or more than one.
    """
    place = Path(path)
    if place.suffix == WEIGHTS and place.is_file():
        place = place.parent
    if not place.exists():
        if VERSIONED.fullmatch(str(path)):
            from multiresunet.review.artifacts import fetched  # needs git and DVC, which nothing else here does

            return fetched(str(path))
        raise UserError(
            f"{path}: no such folder; a model is a folder as data/trained/<dataset>/<model>, or a name and its "
            "version, as nuclei-multiresunet@v1.0.0"
        )
    if (place / NAME).exists():
        return place
    deep = (f"{'[!.]*/' * depth}{NAME}" for depth in (1, 2, 3))  # as in <dataset>/<model>/<seed>
    below = sorted(one.parent for pattern in deep for one in place.glob(pattern))
    if len(below) > 1:
        names = some_of([str(one.relative_to(place)) for one in below])
        raise UserError(f"{place}: holds {len(below)} models ({names}); name one of them")
    return below[0] if below else place
